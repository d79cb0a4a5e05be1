"""Model cards: descriptions of trained networks, stored in the headers of bundles and checked when they are read.

A card may come from an untrusted file, and its numbers are used as array sizes and divisors. They are checked here, so
that they do not have to be checked during prediction.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from pydantic import TypeAdapter, ValidationError

from geoseg._text import describe_bad_name
from geoseg.config.recipe import ModelSection
from geoseg.errors import BundleError, GeosegError
from geoseg.grid.tiling import MAX_TILE_SIDE
from geoseg.legend import Legend

INTEGER_TYPES = tuple(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))
PIXEL_TYPES = (*INTEGER_TYPES, "bool", "float16", "float32", "float64")
"""Pixel types of scenes, as NumPy dtype names."""

GSD_RANGE_M = (1e-6, 1e7)
"""Plausible range of GSDs in meters per pixel: from a micrometer to a quarter of the Earth's circumference."""

MAX_BANDS = 65_535
"""Maximum number of bands, that of GDAL's rasters."""

CARD_HINT = "the file is damaged, or was written by a different version of geoseg"


@dataclass(frozen=True)
class ModelCard:
    """Description of a trained network. Field names follow the STAC MLM extension where possible."""

    model: ModelSection
    """Architecture of the network."""
    legend: Legend
    """Classes in the order of the output channels."""
    bands: tuple[str, ...]
    """Names of the input bands, in order."""
    mean: tuple[float, ...]
    """Mean of each band in units of pixel values, which is subtracted from the input."""
    std: tuple[float, ...]
    """Standard deviation of each band in units of pixel values, by which the input is divided."""
    minimum: tuple[float, ...]
    """Smallest value of each band in the training data."""
    maximum: tuple[float, ...]
    """Largest value of each band in the training data."""
    dtype: str
    """Pixel type of the training scenes, as a NumPy dtype name."""
    gsd: float | None
    """Ground sample distance of the training data in meters per pixel; None if the data had no CRS."""
    crop: int
    """Side length of a training crop in pixels."""
    tile: int
    """Side length of a prediction tile in pixels, at the GSD of the model."""
    halo: int
    """Width of the context around the core of each tile in pixels."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Scores on the validation split, keyed by name."""
    protocol: str = ""
    """Protocol of the scores, such as ``scenes`` (whole scenes, with each labeled pixel counted once); empty if there are
    no scores."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Recipe of the training run, including all defaults; empty for imported weights."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Information about the training data: the ``digest`` of the pixels, and properties such as license and domains."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Seed, date and software versions; for imported weights, the original checkpoint."""

    def __post_init__(self) -> None:
        per_band = {"mean": self.mean, "std": self.std, "minimum": self.minimum, "maximum": self.maximum}
        for name, numbers in per_band.items():
            if len(numbers) != len(self.bands):
                raise BundleError(f"the model card has {len(self.bands)} bands, but the {name} of {len(numbers)}")

    def to_json(self) -> str:
        """Return the card as JSON."""
        fields = {
            **asdict(self),
            "model": self.model.model_dump(mode="json"),
            "legend": json.loads(self.legend.to_json()),
        }
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Create a card from the JSON returned by :meth:`to_json`.

        Raises:
            BundleError: If the card is malformed or contains an invalid value.
        """
        try:
            fields = json.loads(text)
            fields["model"] = ModelSection.model_validate(fields["model"])
            fields["legend"] = Legend.from_json(json.dumps(fields["legend"]))
            card = TypeAdapter(cls).validate_python(vars(cls(**fields)))
        except GeosegError as error:
            raise BundleError(f"the model card is invalid: {error.message}", CARD_HINT) from error
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError, RecursionError) as error:
            raise BundleError("the model card is invalid", CARD_HINT) from error
        problem = next(_find_problems(card), None)
        if problem is not None:
            raise BundleError(f"the model card is invalid: {problem}", CARD_HINT)
        return card


def _find_problems(card: ModelCard) -> Iterator[str]:
    """Yield a phrase for each invalid value in a card."""
    yield from _find_band_problems(card)
    if card.dtype not in PIXEL_TYPES:
        yield f"the pixel type is {card.dtype[:40]!r}"
    if card.gsd is not None and not GSD_RANGE_M[0] <= card.gsd <= GSD_RANGE_M[1]:
        yield f"the GSD is {card.gsd:g} m per pixel"
    for name, side in (("crop", card.crop), ("tile", card.tile)):
        if not 1 <= side <= MAX_TILE_SIDE:
            yield f"the {name} has a side length of {side:.6g} pixels, which is not between 1 and {MAX_TILE_SIDE}"
    if not 0 <= 2 * card.halo < card.tile:
        yield f"a halo of {card.halo:.6g} pixels leaves no core in a tile of {card.tile} pixels"


def _find_band_problems(card: ModelCard) -> Iterator[str]:
    """Yield a phrase for each problem with the names and the normalization of the bands."""
    if not 1 <= len(card.bands) <= MAX_BANDS:
        yield f"it has {len(card.bands):,} bands, not between 1 and {MAX_BANDS:,}" if card.bands else "it has no bands"
    for name, uses in Counter(card.bands).items():
        if problem := describe_bad_name(name):
            yield f"the name of a band {problem}"
        if uses > 1:
            yield f"two bands are named {name!r}"
    numbers = {"mean": card.mean, "std": card.std, "minimum": card.minimum, "maximum": card.maximum}
    for name, values in numbers.items():
        wrong = [value for value in values if not _is_usable(value, positive=name == "std")]
        if wrong:
            yield f"the {name} of a band is {wrong[0]:g}"


def _is_usable(value: float, *, positive: bool) -> bool:
    """Return True if a number is finite (and positive if required) in float32, the type used to normalize pixels."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = float(np.float32(value))
    return math.isfinite(rounded) and (rounded > 0 or not positive)
