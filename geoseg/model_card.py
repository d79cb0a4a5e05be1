"""Model cards: the description of a trained network in the header of a bundle, checked when it is read.

A card comes from a file of unknown origin, and its numbers size arrays and divide pixels. They are checked here, so that
prediction does not have to.
"""

import json
import math
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
"""Pixel types of scenes, by numpy name."""

GSD_RANGE_M = (1e-6, 1e7)
"""Plausible ground sample distances, from a micrometer to a quarter of the Earth's circumference, per pixel."""

CARD_HINT = "the file is damaged, or was made by another version of geoseg"


@dataclass(frozen=True)
class ModelCard:
    """Description of a trained network. Names follow the STAC MLM extension where it has them."""

    model: ModelSection
    """Architecture of the network."""
    legend: Legend
    """Classes in the order of the output channels."""
    bands: tuple[str, ...]
    """Names of the input bands, in order."""
    mean: tuple[float, ...]
    """Mean of each band, subtracted from the input; in units of pixel values."""
    std: tuple[float, ...]
    """Standard deviation of each band, by which the input is divided; in units of pixel values."""
    minimum: tuple[float, ...]
    """Smallest training value of each band."""
    maximum: tuple[float, ...]
    """Largest training value of each band."""
    dtype: str
    """Pixel type of the training scenes (numpy name)."""
    gsd: float | None
    """Ground sample distance of the training data in meters per pixel; None if it had no CRS."""
    crop: int
    """Side of a training crop in pixels."""
    tile: int
    """Side of a tile in prediction in pixels, at the GSD of the model."""
    halo: int
    """Width of the context around the core of each tile in pixels."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Scores on the validation split, by name."""
    protocol: str = ""
    """Protocol of the scores; ``scenes``: each labeled pixel of whole scenes once. Empty without scores."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The recipe of the training run with all its defaults; empty for imported weights."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Training data: ``digest`` of the pixels, and properties of the dataset such as license and domains."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Seed, date and software versions; for imported weights, their checkpoint."""

    def __post_init__(self) -> None:
        per_band = {"mean": self.mean, "std": self.std, "minimum": self.minimum, "maximum": self.maximum}
        for name, numbers in per_band.items():
            if len(numbers) != len(self.bands):
                raise BundleError(f"the model card has {len(self.bands)} bands, but the {name} of {len(numbers)}")

    def to_json(self) -> str:
        """Write the card as JSON."""
        fields = {
            **asdict(self),
            "model": self.model.model_dump(mode="json"),
            "legend": json.loads(self.legend.to_json()),
        }
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Create a card from the result of :meth:`to_json`.

        Raises:
            BundleError: The card is invalid, or a value in it is impossible.
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
    """Yield what is impossible in a card, one phrase each."""
    yield from _find_band_problems(card)
    if card.dtype not in PIXEL_TYPES:
        yield f"the pixel type is {card.dtype[:40]!r}"
    if card.gsd is not None and not GSD_RANGE_M[0] <= card.gsd <= GSD_RANGE_M[1]:
        yield f"the GSD is {card.gsd:g} m per pixel"
    for name, side in (("crop", card.crop), ("tile", card.tile)):
        if not 1 <= side <= MAX_TILE_SIDE:
            yield f"the {name} has a side of {side:.6g} pixels, which is not between 1 and {MAX_TILE_SIDE}"
    if not 0 <= 2 * card.halo < card.tile:
        yield f"a halo of {card.halo:.6g} pixels leaves no pixels of a tile of {card.tile}"


def _find_band_problems(card: ModelCard) -> Iterator[str]:
    """Yield what is impossible in the names and the normalization of the bands."""
    if not card.bands:
        yield "it has no bands"
    for position, name in enumerate(card.bands):
        if problem := describe_bad_name(name):
            yield f"the name of a band {problem}"
        if name in card.bands[:position]:
            yield f"two bands are named {name!r}"
    numbers = {"mean": card.mean, "std": card.std, "minimum": card.minimum, "maximum": card.maximum}
    for name, values in numbers.items():
        wrong = [value for value in values if not _is_usable(value, positive=name == "std")]
        if wrong:
            yield f"the {name} of a band is {wrong[0]:g}"


def _is_usable(value: float, *, positive: bool) -> bool:
    """Return True if a number is finite, and positive if required, in float32, in which pixels are normalized."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = float(np.float32(value))
    return math.isfinite(rounded) and (rounded > 0 or not positive)
