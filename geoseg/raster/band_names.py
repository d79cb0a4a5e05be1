"""What bands are: the bands of a file that a model or a recipe means by a name.

Evidence, in this order: the name itself among the file's band names; the color interpretation of the file; common names of
sensors (``B02`` is blue on Sentinel-2). If these do not settle all bands, callers use positions and say so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

COMMON_NAMES = {
    "coastal": ("coastal aerosol", "coastal blue", "ultra blue", "c"),
    "blue": ("b",),
    "green05": ("green i", "green 1"),
    "green": ("g", "green ii", "green 2"),
    "yellow": ("y",),
    "red": ("r",),
    "rededge": ("red edge", "re"),
    "rededge071": ("red edge 1", "vegetation red edge 1"),
    "rededge075": ("red edge 2", "vegetation red edge 2"),
    "rededge078": ("red edge 3", "vegetation red edge 3"),
    "nir": ("n", "ir", "near infrared", "near ir", "infrared", "nir 1"),
    "nir08": ("n2", "nir 2", "narrow nir", "nir narrow", "nir08"),
    "nir09": ("water vapour", "water vapor"),
    "cirrus": (),
    "swir16": ("swir 1", "swir1600", "shortwave infrared 1"),
    "swir22": ("swir 2", "swir2200", "shortwave infrared 2"),
    "pan": ("panchromatic", "p"),
    "lwir11": ("tir 1", "tirs 1"),
    "lwir12": ("tir 2", "tirs 2"),
}
"""Common names of bands (those of the STAC electro-optical extension), and other ways in which they are written."""

SENSOR_BANDS = {
    "Sentinel-2": {
        "B1": "coastal", "B2": "blue", "B3": "green", "B4": "red", "B5": "rededge071", "B6": "rededge075",
        "B7": "rededge078", "B8": "nir", "B8A": "nir08", "B9": "nir09", "B10": "cirrus", "B11": "swir16", "B12": "swir22",
    },
    "Landsat 8 and 9": {
        "B1": "coastal", "B2": "blue", "B3": "green", "B4": "red", "B5": "nir", "B6": "swir16", "B7": "swir22",
        "B8": "pan", "B9": "cirrus", "B10": "lwir11", "B11": "lwir12",
    },
    "Landsat 4 to 7": {
        "B1": "blue", "B2": "green", "B3": "red", "B4": "nir", "B5": "swir16", "B6": "lwir11", "B7": "swir22", "B8": "pan",
    },
    "Pleiades and SPOT 6": {"B0": "blue", "B1": "green", "B2": "red", "B3": "nir"},
    "Gaofen": {"MSS1": "blue", "MSS2": "green", "MSS3": "red", "MSS4": "nir"},
}  # fmt: skip
"""What the band numbers of sensors mean. PlanetScope, NAIP, WorldView and RapidEye write :data:`COMMON_NAMES`."""

ZERO_PADDED = "Sentinel-2"
"""The sensor whose numbers have two digits (``B02``)."""

SCENE_IDS = {
    "Sentinel-2": re.compile(r"(^|[^A-Z0-9])S2[ABCD](_|$)|SENTINEL-?2|(^|_)T\d{2}[A-Z]{3}_\d{8}T", re.IGNORECASE),
    "Landsat 8 and 9": re.compile(r"(^|[^A-Z0-9])L[COT]0[89]_|LANDSAT[_ ]?[89]", re.IGNORECASE),
    "Landsat 4 to 7": re.compile(r"(^|[^A-Z0-9])L[ETM]0[4-7]_|LANDSAT[_ ]?[4-7]", re.IGNORECASE),
}
"""File names and tags by which sensors are recognized."""

GENERIC_NAME = re.compile(r"(band|layer|channel|raster)?[\s_.#-]*\d+", re.IGNORECASE)
"""Names that only count bands, such as ``Band 1``."""

NUMBERED_BAND = re.compile(r"(?:(?:sr|toa|st|rad)[_ ]?)?(b|mss)[_ -]?(\d{1,2})(a?)\b", re.IGNORECASE)
"""Band number of a sensor at the beginning of a name: ``B02``, ``SR_B4``, ``B8A``."""

RGB = ("red", "green", "blue")

COLOUR_NAMES = frozenset({"red", "green", "blue", "nir", "rededge", "coastal", "pan"})
"""Color interpretations that are common names."""

ZERO_PADDED_NUMBER = re.compile(r"(?:sr_)?b0\d", re.IGNORECASE)

_SPELLINGS = {
    re.sub(r"[\W_]+", "", spelling): name for name, others in COMMON_NAMES.items() for spelling in (name, *others)
}


@dataclass(frozen=True)
class BandNames:
    """What a file says about its bands; each sequence has one entry per band."""

    names: Sequence[str]
    """Unique names."""
    descriptions: Sequence[str]
    """Descriptions in the file; empty if there is none."""
    colours: Sequence[str]
    """Common names that the color interpretation states; empty if it states none."""
    origin: str = ""
    """File name and tags, by which a sensor may be recognized."""

    @property
    def is_default_colour(self) -> bool:
        """True if red, green and blue are what GDAL writes unasked, and the descriptions speak of something else.

        GDAL marks the first three of four bands of bytes like this; such a mark does not choose among bands with names.
        """
        rest = len(self.colours) - len(RGB)
        is_default = rest > 0 and tuple(self.colours) == (*RGB, *[""] * rest)
        are_named = all(text and not is_generic(text) for text in self.descriptions)
        return is_default and are_named and not any(map(any, read_sensor_names(self.descriptions).values()))

    def claims(self) -> str:
        """Return what the file states about its bands, in words."""
        colours = ", ".join(colour or "undefined" for colour in self.colours)
        described = ", ".join(text or "none" for text in self.descriptions)
        parts = [f"color interpretation {colours}"] if any(self.colours) else []
        parts += [f"descriptions {described}"] if any(self.descriptions) else []
        return " and ".join(parts) or "nothing"


@dataclass(frozen=True)
class FoundBands:
    """Bands of a file that were found by name."""

    positions: tuple[int, ...]
    """0-based position of each wanted band."""
    evidence: str
    """How they were found, in words; empty if all by their own names."""
    notes: tuple[str, ...] = ()
    """Contradictions in the file, one sentence each."""


def find_bands(wanted: Sequence[str], file: BandNames) -> FoundBands | None:
    """Find bands of a file by name.

    Args:
        wanted: Names of bands: those of a file, common names, or names of a sensor.
        file: What the file says about its bands.

    Returns:
        Distinct positions; None if the evidence does not settle all bands.

    Example:
        >>> find_bands(["red", "nir"], BandNames(["B04", "B08"], ["B04", "B08"], ["", ""]))
        FoundBands(positions=(0, 1), evidence='by the band names of Sentinel-2', notes=())
    """
    own = [(name.casefold(), text.casefold()) for name, text in zip(file.names, file.descriptions, strict=True)]
    positions = _find_positions([name.casefold() for name in wanted], own)
    if positions is not None:
        return FoundBands(positions, "")
    targets, readings = _settle(wanted), read_sensor_names(file.names, file.origin)
    colours = [""] * len(file.colours) if file.is_default_colour else file.colours
    by_colour = _find_positions(targets, [*zip(colours, strict=True)])
    by_name = {sensor: _find_positions(targets, [*zip(names, strict=True)]) for sensor, names in readings.items()}
    sensors = [sensor for sensor, positions in by_name.items() if positions is not None]
    named = {by_name[sensor] for sensor in sensors}
    if by_colour is not None:
        names, stated = ", ".join(file.names), ", ".join(file.colours)
        note = (
            f"the band names ({names}) contradict the color interpretation ({stated}), which is used: --bands chooses"
        )
        return FoundBands(by_colour, "by color interpretation", (note,) if named - {by_colour} else ())
    if len(named) == 1:
        evidence = f"by the band names of {' or '.join(sensors)}" if any(sensors) else "by common band names"
        return FoundBands(named.pop() or (), evidence)
    both = {_find_positions(targets, [*zip(colours, names, strict=True)]) for names in readings.values()} - {None}
    return FoundBands(both.pop() or (), "by color interpretation and band names") if len(both) == 1 else None


def is_generic(name: str) -> bool:
    """Return True for a name that only counts bands, such as ``Band 1``."""
    return GENERIC_NAME.fullmatch(name.strip()) is not None


def common_name(name: str) -> str:
    """Return the common name of a band that is named in words; empty if it is none.

    Example:
        >>> common_name("Near Infrared"), common_name("Band 4 (Red)"), common_name("B02")
        ('nir', 'red', '')
    """
    inside = re.findall(r"\(([^)]*)\)", name)
    outside = re.sub(r"\([^)]*\)", "", name)
    for text in (name, *inside, outside, re.sub(r"\b(band|channel)\b", "", outside, flags=re.IGNORECASE)):
        found = _SPELLINGS.get(re.sub(r"[\W_]+", "", text.casefold()))
        if found:
            return found
    return ""


def read_sensor_names(names: Sequence[str], origin: str = "") -> dict[str, list[str]]:
    """Read band names as those of each sensor that has all the numbers in them.

    Args:
        names: Names of bands.
        origin: File name and tags; if they name a sensor, only this one is considered.

    Returns:
        The common name of each band, empty where unknown, by sensor; under the empty name if there are no numbers.

    Example:
        >>> read_sensor_names(["B02", "B03", "nir"])
        {'Sentinel-2': ['blue', 'green', 'nir']}
    """
    words, numbers = [common_name(name) for name in names], [_band_number(name) for name in names]
    if any(
        len(name) == 1 and not word for name, word in zip(names, words, strict=True)
    ):  # a, b, c, d: letters only count
        words = ["" if len(name) == 1 else word for name, word in zip(names, words, strict=True)]
    if not any(numbers):
        return {"": words}
    sensors = [sensor for sensor, bands in SENSOR_BANDS.items() if {*filter(None, numbers)} <= set(bands)]
    if any(ZERO_PADDED_NUMBER.match(name) for name in names):
        sensors = [sensor for sensor in sensors if sensor == ZERO_PADDED]
    stated = [sensor for sensor in sensors if sensor in SCENE_IDS and SCENE_IDS[sensor].search(origin)]
    return {
        sensor: [SENSOR_BANDS[sensor].get(number, word) for number, word in zip(numbers, words, strict=True)]
        for sensor in (stated if len(stated) == 1 else sensors)
    }


def _settle(names: Sequence[str]) -> list[str]:
    """Return the common name of each band on which all sensors agree, else the name itself."""
    readings = [*zip(*read_sensor_names(names).values(), strict=True)] or [()] * len(names)
    return [
        next(iter(set(reading))) or name.casefold() if len(set(reading)) == 1 else name.casefold()
        for name, reading in zip(names, readings, strict=True)
    ]


def _band_number(name: str) -> str:
    """Return the number of a sensor's band without leading zeros, ``B8A`` for instance; empty if there is none."""
    match = NUMBERED_BAND.match(name.strip())
    return f"{match[1]}{int(match[2])}{match[3]}".upper() if match else ""


def _find_positions(wanted: Sequence[str], names: Sequence[Sequence[str]]) -> tuple[int, ...] | None:
    """Return the first band with each wanted name; None if a name has none, or a band has two."""
    found = [next((i for i, own in enumerate(names) if name and name in own), None) for name in wanted]
    positions = tuple(position for position in found if position is not None)
    return positions if len(set(positions)) == len(wanted) else None
