"""Classes and bands of torchgeo's datasets, from their attributes or, if these are missing or wrong, from a table."""

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg._text import join_names
from geoseg.data.label_encoding import build_encoding
from geoseg.errors import ConfigError
from geoseg.legend import Colour, Legend, parse_colour

Classes = Mapping[str, str | Sequence[int] | None] | Sequence[str]
Values = Mapping[str, Sequence[int]]
MaskValues = NDArray[np.int64]

NO_COLOUR = (-1, -1, -1)
"""Color placed first in a color table, so that colors outside the table get the value 0 instead of the value of a class."""


@dataclass(frozen=True)
class DatasetOverrides:
    """Information about a dataset that is missing or wrong in torchgeo's attributes."""

    first: int = 0
    """Mask value of the first class."""
    ignore: tuple[int, ...] = ()
    """Mask values that mean "not labeled"."""
    names: tuple[str, ...] = ()
    """Class names in the order of the mask values, if the dataset has none."""
    bands: tuple[str, ...] = ()
    """Names of the bands of an image, if the dataset has none."""
    by_colour: bool = False
    """True if torchgeo derives masks from colors; it reads every color outside its table as the first class."""


BUILDINGS = DatasetOverrides(names=("background", "building"))
ROADS = DatasetOverrides(names=("background", "road"))
ZERO_IS_NO_DATA = DatasetOverrides(ignore=(0,))

OVERRIDES: Mapping[str, DatasetOverrides] = {
    # The classes of its layer "lc"; 15 also means no data.
    "ChesapeakeCVPR": DatasetOverrides(
        1, (0, 15), ("water", "tree canopy", "low vegetation", "barren", "impervious", "roads")
    ),
    "CloudCoverDetection": DatasetOverrides(names=("no cloud", "cloud")),
    "DFC2022": DatasetOverrides(ignore=(0,), bands=("red", "green", "blue", "height")),  # "No information"
    "DeepGlobeLandCover": DatasetOverrides(ignore=(6,), by_colour=True),  # "Unknown"
    "ETCI2021": DatasetOverrides(names=("no flood/water", "flood/water")),
    "FieldsOfTheWorld": DatasetOverrides(ignore=(3,), names=("background", "field")),  # 3: presence only
    "InriaAerialImageLabeling": BUILDINGS,
    # `classes` begins with the background and ends with "no-data", but files contain 0 for no data, 1 for the background
    # and so on to 7, and torchgeo returns these values. With its names, every class would have the name of the next one.
    "LoveDA": DatasetOverrides(first=1, ignore=(0, 8)),
    "PASTIS": DatasetOverrides(ignore=(19,)),  # "void_label"
    "Potsdam2D": DatasetOverrides(bands=("red", "green", "blue", "nir"), by_colour=True),
    "Vaihingen2D": DatasetOverrides(bands=("nir", "red", "green"), by_colour=True),
    **dict.fromkeys(("SpaceNet1", "SpaceNet2", "SpaceNet4", "SpaceNet6", "SpaceNet7"), BUILDINGS),
    **dict.fromkeys(("SpaceNet3", "SpaceNet5"), ROADS),
    # The value 0 is named No data, Fill, Unclassified, Invalid or Unknown; the crop type datasets do not name it.
    **dict.fromkeys(
        ("AgriFieldNet", "BeninSmallHolderCashews", "CV4AKenyaCropType", "CopernicusBenchCloudS3",
         "CopernicusBenchLC100SegS3", "EnviroAtlas", "L7Irish", "L8Biome", "SouthAfricaCropType"),
        ZERO_IS_NO_DATA,
    ),
}  # fmt: skip
"""Overrides by class name. Sources: torchgeo's docstrings and return values; for ChesapeakeCVPR, its publisher."""


def read_classes(
    dataset: Any, overrides: DatasetOverrides, legend: Classes | None, values: Values | None, mask: MaskValues
) -> tuple[Legend, dict[int, int]]:
    """Return the legend of a dataset, and the class index of each mask value.

    Args:
        dataset: The dataset.
        overrides: Information that takes precedence over the attributes of the dataset.
        legend: Class names, with or without colors, in the order of the mask values; None to use those of the dataset.
        values: Mask values for classes that do not follow this order.
        mask: A mask with torchgeo's values, for messages.

    Returns:
        The legend, and a mapping from mask values to class indices, 255 for "not labeled".

    Raises:
        ConfigError: If the class names are unknown, or one value has two meanings.
    """
    if legend is None:
        names = dict(enumerate(_find_names(dataset, overrides, mask), overrides.first))
        names = {value: name for value, name in names.items() if value not in overrides.ignore}
        colours = {value: colour for value, colour in _find_colours(dataset).items() if value in names}
        is_complete = len(set(colours.values())) == len(names)
        classes = Legend.of({name: colours[value] if is_complete else None for value, name in names.items()})
    else:
        classes = Legend.of(legend)
    mask_values = (value for value in itertools.count(overrides.first) if value not in overrides.ignore)
    defaults = {name: [value] for name, value in zip(classes.names, mask_values, strict=False)}
    encoding = build_encoding(classes, "index", values=defaults | dict(values or {}), ignore=overrides.ignore)
    return classes, dict(encoding.values)


def _find_names(dataset: Any, overrides: DatasetOverrides, mask: MaskValues) -> Sequence[str]:
    """Return class names in the order of the mask values, from the dataset or from its part that contains the masks."""
    if overrides.names:
        return overrides.names
    for part in (dataset, *reversed(getattr(dataset, "datasets", ()))):
        for attribute in ("classes", "class_names", "all_classes", "highres_classes"):
            names = getattr(part, attribute, None)
            if names and isinstance(names, list | tuple):
                return [str(name) for name in names]
    raise ConfigError(
        f"torchgeo does not name the classes of {type(dataset).__name__}; "
        f"the first mask has the values {join_names(np.unique(mask)[:10])}",
        "list the names in the order of the values in data.legend, and list the values of unlabeled pixels in data.ignore",
    )


def _find_colours(dataset: Any) -> dict[int, Colour]:
    """Return the colors by mask value; empty if torchgeo has none that can be parsed."""
    for attribute in ("cmap", "colormap", "palette"):
        table = getattr(dataset, attribute, None)
        colors = getattr(table, "colors", table) or ()  # ``cmap`` is a Matplotlib colormap
        pairs = colors.items() if isinstance(colors, Mapping) else enumerate(c for c in colors if c != NO_COLOUR)
        with contextlib.suppress(ConfigError, TypeError):
            if parsed := {value: parse_colour(c if isinstance(c, str) else c[:3]) for value, c in pairs}:
                return parsed
    return {}


def band_names(dataset: Any, overrides: DatasetOverrides, count: int, dtype: str) -> tuple[str, ...]:
    """Return the names of the bands of an image.

    Args:
        dataset: The dataset.
        overrides: Information that takes precedence over the attributes of the dataset.
        count: Number of bands.
        dtype: Pixel type; three uint8 bands are assumed to be red, green and blue.

    Returns:
        ``count`` names; ``band_1``, ``band_2`` … if they are unknown.
    """
    own_names = getattr(getattr(dataset, "datasets", [dataset])[0], "bands", None)
    for names in (overrides.bands, own_names, ("red", "green", "blue") if dtype == "uint8" else ()):
        if isinstance(names, list | tuple) and len(names) == count and all(isinstance(name, str) for name in names):
            return tuple(names)
    return tuple(f"band_{number}" for number in range(1, count + 1))
