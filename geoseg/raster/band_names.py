"""Find the bands in a file that correspond to the band names in a model or a recipe.

The following evidence is used, in this order: the band names in the file, the color interpretation in the file, and the
common names of sensor bands (``B02`` is blue on Sentinel-2). If these do not determine all bands, callers use band
positions and report this in a note.
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
"""Common band names (from the STAC electro-optical extension), with alternative spellings."""

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
"""Meaning of each sensor's band numbers. PlanetScope, NAIP, WorldView and RapidEye files use :data:`COMMON_NAMES`."""

ZERO_PADDED = "Sentinel-2"
"""The sensor whose band numbers have two digits (``B02``)."""

SCENE_IDS = {
    "Sentinel-2": re.compile(r"(^|[^A-Z0-9])S2[ABCD](_|$)|SENTINEL-?2|(^|_)T\d{2}[A-Z]{3}_\d{8}T", re.IGNORECASE),
    "Landsat 8 and 9": re.compile(r"(^|[^A-Z0-9])L[COT]0[89]_|LANDSAT[_ ]?[89]", re.IGNORECASE),
    "Landsat 4 to 7": re.compile(r"(^|[^A-Z0-9])L[ETM]0[4-7]_|LANDSAT[_ ]?[4-7]", re.IGNORECASE),
}
"""Patterns in file names and tags that identify sensors."""

GENERIC_NAME = re.compile(r"(band|layer|channel|raster)?[\s_.#-]*\d+", re.IGNORECASE)
"""Pattern for generic names that only number the bands, such as ``Band 1``."""

NUMBERED_BAND = re.compile(r"(?:(?:sr|toa|st|rad)[_ ]?)?(b|mss)[_ -]?(\d{1,2})(a?)\b", re.IGNORECASE)
"""Pattern for a sensor band number at the beginning of a name, such as ``B02``, ``SR_B4`` or ``B8A``."""

RGB = ("red", "green", "blue")

COLOUR_NAMES = frozenset({"red", "green", "blue", "nir", "rededge", "coastal", "pan"})
"""Color interpretations that are also common names."""

ZERO_PADDED_NUMBER = re.compile(r"(?:sr_)?b0\d", re.IGNORECASE)

_SPELLINGS = {
    re.sub(r"[\W_]+", "", spelling): name for name, others in COMMON_NAMES.items() for spelling in (name, *others)
}


@dataclass(frozen=True)
class BandNames:
    """The information in a file about its bands; each sequence has one entry per band."""

    names: Sequence[str]
    """Unique names."""
    descriptions: Sequence[str]
    """Band descriptions in the file; an empty string for a band without one."""
    colours: Sequence[str]
    """Common names that match the color interpretation; an empty string for a band without one."""
    origin: str = ""
    """File name and tags, which may identify the sensor."""

    @property
    def is_default_colour(self) -> bool:
        """True if red, green and blue are only GDAL's default interpretation, and the descriptions differ from it.

        GDAL marks the first three of four 8-bit bands as red, green and blue by default, so this interpretation is not
        used to choose among named bands.
        """
        rest = len(self.colours) - len(RGB)
        is_default = rest > 0 and tuple(self.colours) == (*RGB, *[""] * rest)
        are_named = all(text and not is_generic(text) for text in self.descriptions)
        return is_default and are_named and not any(map(any, read_sensor_names(self.descriptions).values()))

    def claims(self) -> str:
        """Describe the band metadata of the file in words."""
        colours = ", ".join(colour or "undefined" for colour in self.colours)
        described = ", ".join(text or "none" for text in self.descriptions)
        parts = [f"color interpretation {colours}"] if any(self.colours) else []
        parts += [f"descriptions {described}"] if any(self.descriptions) else []
        return " and ".join(parts) or "nothing"


@dataclass(frozen=True)
class FoundBands:
    """The bands in a file that were found by name."""

    positions: tuple[int, ...]
    """0-based position of each requested band."""
    evidence: str
    """Description of how the bands were found; empty if all were found by their own names."""
    notes: tuple[str, ...] = ()
    """Notes about contradictions in the file, one sentence each."""


def find_bands(wanted: Sequence[str], file: BandNames) -> FoundBands | None:
    """Find bands in a file by name.

    Args:
        wanted: Band names: names used in the file, common names, or sensor band names.
        file: The information in the file about its bands.

    Returns:
        The bands, at distinct positions; None if the evidence does not determine all bands.

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
            f"the band names ({names}) contradict the color interpretation ({stated}), which is used: "
            "set --bands to override it"
        )
        return FoundBands(by_colour, "by color interpretation", (note,) if named - {by_colour} else ())
    if len(named) == 1:
        evidence = f"by the band names of {' or '.join(sensors)}" if any(sensors) else "by common band names"
        return FoundBands(named.pop() or (), evidence)
    both = {_find_positions(targets, [*zip(colours, names, strict=True)]) for names in readings.values()} - {None}
    return FoundBands(both.pop() or (), "by color interpretation and band names") if len(both) == 1 else None


def is_generic(name: str) -> bool:
    """Return True for a generic name that only numbers the band, such as ``Band 1``."""
    return GENERIC_NAME.fullmatch(name.strip()) is not None


def common_name(name: str) -> str:
    """Return the common name that corresponds to a band name written in words; an empty string if there is none.

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
    """Interpret band names for each sensor whose bands include all the band numbers in these names.

    Args:
        names: Band names.
        origin: File name and tags; if they identify a sensor, only that sensor is considered.

    Returns:
        For each sensor, the common name of each band, or an empty string if unknown. If there are no band numbers, the
        only key is an empty string.

    Example:
        >>> read_sensor_names(["B02", "B03", "nir"])
        {'Sentinel-2': ['blue', 'green', 'nir']}
    """
    words, numbers = [common_name(name) for name in names], [_band_number(name) for name in names]
    if any(
        len(name) == 1 and not word for name, word in zip(names, words, strict=True)
    ):  # a, b, c, d: the letters only number the bands
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
    """Return the common name of each band if it is the same for all sensors, otherwise the name itself."""
    readings = [*zip(*read_sensor_names(names).values(), strict=True)] or [()] * len(names)
    return [
        next(iter(set(reading))) or name.casefold() if len(set(reading)) == 1 else name.casefold()
        for name, reading in zip(names, readings, strict=True)
    ]


def _band_number(name: str) -> str:
    """Return the sensor band number without leading zeros, for example ``B8A``; an empty string if there is none."""
    match = NUMBERED_BAND.match(name.strip())
    return f"{match[1]}{int(match[2])}{match[3]}".upper() if match else ""


def _find_positions(wanted: Sequence[str], names: Sequence[Sequence[str]]) -> tuple[int, ...] | None:
    """Return the position of the first band with each name; None if a name is missing, or two names match one band."""
    found = [next((i for i, own in enumerate(names) if name and name in own), None) for name in wanted]
    positions = tuple(position for position in found if position is not None)
    return positions if len(set(positions)) == len(wanted) else None
