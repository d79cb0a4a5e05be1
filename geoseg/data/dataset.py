"""A dataset is a declaration: which scenes are labelled, how the labels are written, who belongs to which split.

It knows no pixels. :mod:`geoseg.data.prepare` turns a declaration into images and index masks that can be cut fast.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from geoseg.data.encoding import Encoding
from geoseg.errors import DataError, did_you_mean
from geoseg.legend import Legend


@dataclass(frozen=True)
class LabelledScene:
    """One image file with the file that labels it."""

    name: str
    """Unique in its dataset; may hold slashes."""
    image: Path
    """Raster file."""
    label: Path
    """Raster file on the same grid, or a vector file in any CRS."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """What the scene shares with others, by name of the group: the domain, the flight, the tile it was cut from."""


@dataclass(frozen=True)
class Dataset:
    """Labelled scenes by split, with the meaning of their labels."""

    legend: Legend
    """Classes in the order of their indices."""
    encoding: Encoding
    """How label files write classes."""
    splits: Mapping[str, tuple[LabelledScene, ...]]
    """Scenes by name of the split (``train``, ``val``, ``test`` …)."""

    def __post_init__(self) -> None:
        owner: dict[str, str] = {}
        for split, scenes in self.splits.items():
            for scene in scenes:
                if owner.get(scene.name) == split:
                    raise DataError(f"two scenes are called {scene.name}", "tell them apart by {names} in data.images")
                if scene.name in owner:
                    raise DataError(
                        f"the scene {scene.name} is in two splits, {owner[scene.name]} and {split}",
                        "scores on scenes that were trained on mean nothing; take it out of one",
                    )
                owner[scene.name] = split

    def scenes(self, split: str) -> tuple[LabelledScene, ...]:
        """The scenes of a split; :class:`DataError` if there is no such split or it is empty."""
        if split not in self.splits:
            raise DataError(f"the dataset has no split {split!r}", did_you_mean(split, self.splits))
        if not self.splits[split]:
            raise DataError(f"no scene belongs to the split {split!r}", "check data.splits against the scenes' names")
        return self.splits[split]
