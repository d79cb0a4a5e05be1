"""What the numbers in torchgeo's masks mean: from its datasets' own attributes, and from a table where these mislead."""

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.data.label_encoding import encoding
from geoseg.errors import ConfigError
from geoseg.legend import Colour, Legend, parse_colour

Classes = Mapping[str, str | Sequence[int] | None] | Sequence[str]
Values = Mapping[str, Sequence[int]]
Numbers = NDArray[np.int64]

NO_COLOUR = (-1, -1, -1)
"""Put before a table of colours, it is the number of all colours that are not in the table."""


@dataclass(frozen=True)
class Meaning:
    """What torchgeo does not say about a dataset, or what misleads."""

    first: int = 0
    """The mask's number of the first class."""
    ignore: tuple[int, ...] = ()
    """Numbers that mean "not labelled"."""
    names: tuple[str, ...] = ()
    """Names in the order of the numbers, where the class has none."""
    bands: tuple[str, ...] = ()
    """Names of the image's bands, where the class has none."""
    by_colour: bool = False
    """True if masks are made from colours: torchgeo takes every colour outside its table for the first class."""


BUILDINGS = Meaning(names=("background", "building"))
ROADS = Meaning(names=("background", "road"))
ZERO_IS_NO_DATA = Meaning(ignore=(0,))

MEANINGS: Mapping[str, Meaning] = {
    # The classes of its layer "lc"; 15 is no data, too.
    "ChesapeakeCVPR": Meaning(1, (0, 15), ("water", "tree canopy", "low vegetation", "barren", "impervious", "roads")),
    "CloudCoverDetection": Meaning(names=("no cloud", "cloud")),
    "DFC2022": Meaning(ignore=(0,), bands=("red", "green", "blue", "height")),  # "No information"
    "DeepGlobeLandCover": Meaning(ignore=(6,), by_colour=True),  # "Unknown"
    "ETCI2021": Meaning(names=("no flood/water", "flood/water")),
    "FieldsOfTheWorld": Meaning(ignore=(3,), names=("background", "field")),  # 3 where only presence is known
    "InriaAerialImageLabeling": BUILDINGS,
    # `classes` begins with the background and ends with "no-data", but files hold 0 for no data, 1 for the background
    # and so on to 7, and torchgeo hands them on as they are: by its own names every class would be called like the next.
    "LoveDA": Meaning(first=1, ignore=(0, 8)),
    "PASTIS": Meaning(ignore=(19,)),  # "void_label"
    "Potsdam2D": Meaning(bands=("red", "green", "blue", "nir"), by_colour=True),
    "Vaihingen2D": Meaning(bands=("nir", "red", "green"), by_colour=True),
    **dict.fromkeys(("SpaceNet1", "SpaceNet2", "SpaceNet4", "SpaceNet6", "SpaceNet7"), BUILDINGS),
    **dict.fromkeys(("SpaceNet3", "SpaceNet5"), ROADS),
    # Their names for 0: No data, Fill, Unclassified, Invalid, Unknown; the crop types have none.
    **dict.fromkeys(
        ("AgriFieldNet", "BeninSmallHolderCashews", "CV4AKenyaCropType", "CopernicusBenchCloudS3",
         "CopernicusBenchLC100SegS3", "EnviroAtlas", "L7Irish", "L8Biome", "SouthAfricaCropType"),
        ZERO_IS_NO_DATA,
    ),
}  # fmt: skip
"""What is known beyond torchgeo's attributes, by the name of the class: from its docstrings and what its code returns,
of ChesapeakeCVPR from its publisher."""


def classes_of(
    dataset: Any, known: Meaning, legend: Classes | None, values: Values | None, mask: Numbers
) -> tuple[Legend, dict[int, int]]:
    """The legend, and the class index of each number in a mask (255 for "not labelled")."""
    if legend is None:
        names = dict(enumerate(_names(dataset, known, mask), known.first))
        names = {number: name for number, name in names.items() if number not in known.ignore}
        colours = {number: colour for number, colour in _colours(dataset).items() if number in names}
        whole = len(set(colours.values())) == len(names)
        classes = Legend.of({name: colours[number] if whole else None for number, name in names.items()})
    else:
        classes = Legend.of(legend)
    numbers = (number for number in itertools.count(known.first) if number not in known.ignore)
    own = {name: [number] for name, number in zip(classes.names, numbers, strict=False)}
    meaning = encoding(classes, "index", values=own | dict(values or {}), ignore=known.ignore)
    return classes, dict(meaning.values)


def _names(dataset: Any, known: Meaning, mask: Numbers) -> Sequence[str]:
    """Names in the order of the mask's numbers: known ones, else those of the dataset or of the one with the masks."""
    if known.names:
        return known.names
    for part in (dataset, *reversed(getattr(dataset, "datasets", ()))):
        for attribute in ("classes", "class_names", "all_classes", "highres_classes"):
            names = getattr(part, attribute, None)
            if names and isinstance(names, list | tuple):
                return [str(name) for name in names]
    found = ", ".join(str(number) for number in np.unique(mask)[:10])
    raise ConfigError(
        f"torchgeo does not name the classes of {type(dataset).__name__}; its first mask holds {found}",
        "name them in the order of the numbers: data.legend, and say in data.ignore which are not labelled",
    )


def _colours(dataset: Any) -> dict[int, Colour]:
    """Colours by number in the mask, as far as torchgeo has some that can be read."""
    for attribute in ("cmap", "colormap", "palette"):
        table = getattr(dataset, attribute, None)
        listed = getattr(table, "colors", table) or ()  # of matplotlib's colour maps
        pairs = listed.items() if isinstance(listed, Mapping) else enumerate(c for c in listed if c != NO_COLOUR)
        with contextlib.suppress(ConfigError, TypeError):
            if colours := {number: parse_colour(c if isinstance(c, str) else c[:3]) for number, c in pairs}:
                return colours
    return {}


def band_names(dataset: Any, known: Meaning, count: int, dtype: str) -> tuple[str, ...]:
    """The names of an image's bands, as far as they are known."""
    told = getattr(getattr(dataset, "datasets", [dataset])[0], "bands", None)
    for names in (known.bands, told, ("red", "green", "blue") if dtype == "uint8" else ()):
        if isinstance(names, list | tuple) and len(names) == count and all(isinstance(name, str) for name in names):
            return tuple(names)
    return tuple(f"band_{number}" for number in range(1, count + 1))
