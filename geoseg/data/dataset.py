"""A dataset is a declaration: which scenes there are, how labels are written, who belongs to which split.

It knows no pixels. :mod:`geoseg.data.preparation.prepare` turns a declaration into images and index masks that can be
cut fast.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geoseg.data.label_encoding import Encoding
from geoseg.errors import DataError, did_you_mean
from geoseg.legend import Legend
from geoseg.raster.raster import Raster

UNLABELLED = "unlabelled"
"""The split of a target domain: images to adapt to, whose labels nobody may see."""


class Source(Protocol):
    """Where image and labels of a scene come from, if not from raster files. May be sent to other processes."""

    def read(self) -> tuple[Raster, NDArray[np.uint8] | None]:
        """The image, and class indices (row, col) on its grid, 255 where not labelled; None without labels."""

    def state(self) -> tuple[str, int, int]:
        """What changes when the source does."""


@dataclass(frozen=True)
class LabelledScene:
    """One image file with the file that labels it, if there is one."""

    name: str
    """Unique in its dataset; may hold slashes."""
    image: Path
    """Raster file, or a member of a zip (:func:`geoseg.raster.archive.packed`)."""
    label: Path | None
    """Raster file on the same grid, or a vector file in any CRS; None for a scene that nobody labelled."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """What the scene shares with others, by name of the group: the domain, the flight, the tile it was cut from."""
    gsd: float | None = None
    """Metres per pixel, as the owner publishes it; counts where the file has no CRS."""
    source: Source | None = None
    """Read instead of the files, if there is one."""


@dataclass(frozen=True)
class Dataset:
    """Scenes by split, with the meaning of their labels."""

    legend: Legend
    """Classes in the order of their indices."""
    encoding: Encoding
    """How label files write classes."""
    splits: Mapping[str, tuple[LabelledScene, ...]]
    """Scenes by name of the split (``train``, ``val``, ``test``, ``unlabelled`` …)."""
    bands: tuple[str, ...] | None = None
    """Names of the bands in the image files, as the owner publishes them; None: as the files name them."""
    hidden: frozenset[str] = frozenset()
    """Splits to be judged on that training never sees, not even prepared."""
    about: Mapping[str, str] = field(default_factory=dict)
    """What a model that learnt from it should remember: domains, protocol, licence."""
    remarks: tuple[str, ...] = ()
    """What was odd about the files but is no error, one sentence each."""

    def __post_init__(self) -> None:
        for split, scenes in self.splits.items():
            names = [scene.name for scene in scenes]
            twice = next((name for name in names if names.count(name) > 1), None) if _repeats(names) else None
            if twice is not None:
                raise DataError(f"two scenes are called {twice}", "tell them apart by {names} in data.images")
            if split != "train":
                self._refuse_leak(split, set(names))

    def _refuse_leak(self, split: str, names: set[str]) -> None:
        for scene in self.splits.get("train", ()):
            if scene.name in names:
                raise DataError(
                    f"the scene {scene.name} is in two splits, train and {split}",
                    "scores on scenes that were trained on mean nothing; take it out of one",
                )

    def scenes(self, split: str) -> tuple[LabelledScene, ...]:
        """The scenes of a split; :class:`DataError` if there is no such split or it is empty."""
        if split not in self.splits:
            raise DataError(f"the dataset has no split {split!r}", did_you_mean(split, self.splits))
        if not self.splits[split]:
            raise DataError(f"no scene belongs to the split {split!r}", "check data.splits against the scenes' names")
        return self.splits[split]

    @property
    def prepared_splits(self) -> dict[str, tuple[LabelledScene, ...]]:
        """The splits that training may read: not hidden ones, and unlabelled ones only to adapt to."""
        return {
            split: scenes
            for split, scenes in self.splits.items()
            if split not in self.hidden and (split == UNLABELLED or any(scene.label is not None for scene in scenes))
        }


def _repeats(names: list[str]) -> bool:
    return len(set(names)) < len(names)
