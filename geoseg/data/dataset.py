"""Description of a dataset: its scenes, the encoding of their labels, and the split that each scene belongs to.

A dataset contains no pixels. :mod:`geoseg.data.preparation.prepare` converts the scenes to images and masks from which
crops can be read quickly.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geoseg._text import did_you_mean
from geoseg.data.label_encoding import LabelEncoding
from geoseg.errors import DataError
from geoseg.legend import Legend
from geoseg.raster.raster import Raster

UNLABELLED_SPLIT = "unlabelled"
"""Split that contains the images of a target domain to adapt to, whose labels are withheld."""


class SceneSource(Protocol):
    """Source of the image and labels of a scene that is not stored in files. It can be sent to other processes."""

    def read(self) -> tuple[Raster, NDArray[np.uint8] | None]:
        """Return the image, and class indices (row, col) on its grid (255 where not labeled) or None if it has no labels."""

    def fingerprint(self) -> tuple[str, int, int]:
        """Return a value that changes when the source changes, in the form (name, size, modification time)."""


@dataclass(frozen=True)
class LabelledScene:
    """An image with its labels, if it has any."""

    name: str
    """Name that is unique in the dataset; may contain slashes."""
    image: Path
    """Raster file, or a member of a zip (:func:`geoseg.raster.archive.zip_member_path`)."""
    label: Path | None
    """Raster file on the grid of the image, or vector file in any CRS; None for an image without labels."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Groups that the scene belongs to, keyed by kind of group, such as its domain, flight, or the tile it was cut from."""
    gsd: float | None = None
    """Published ground sampling distance in meters per pixel; used if the file has no CRS."""
    source: SceneSource | None = None
    """Source to read instead of the files."""


@dataclass(frozen=True)
class Dataset:
    """Scenes by split, with the legend and the encoding of their labels."""

    legend: Legend
    """Classes in the order of their indices."""
    encoding: LabelEncoding
    """Encoding of the classes in label files."""
    splits: Mapping[str, tuple[LabelledScene, ...]]
    """Scenes by split name (``train``, ``val``, ``test``, ``unlabelled``, ...)."""
    bands: tuple[str, ...] | None = None
    """Published names of the bands in the image files; None to use the names in the files."""
    hidden: frozenset[str] = frozenset()
    """Splits that are only used for evaluation and are not prepared for training."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Information to store in the card of a model trained on the dataset: domains, protocol, license."""
    remarks: tuple[str, ...] = ()
    """Remarks about unusual files that are not errors, one sentence each."""

    def __post_init__(self) -> None:
        training_names = [scene.name for scene in self.splits.get("train", ())]
        for split, scenes in self.splits.items():
            counts = Counter(scene.name for scene in scenes)
            name, count = counts.most_common(1)[0] if counts else ("", 0)
            if count > 1:
                raise DataError(f"two scenes are named {name}", "distinguish them by {names} in data.images")
            if split != "train" and (shared := [name for name in training_names if name in counts]):
                raise DataError(
                    f"the scene {shared[0]} is in two splits, train and {split}",
                    "remove it from one of them; scores on training scenes are not meaningful",
                )

    def scenes(self, split: str) -> tuple[LabelledScene, ...]:
        """Return the scenes of a split.

        Raises:
            DataError: If the dataset has no such split, or the split is empty.
        """
        if split not in self.splits:
            raise DataError(f"the dataset has no split {split!r}", did_you_mean(split, self.splits))
        if not self.splits[split]:
            raise DataError(f"no scene belongs to the split {split!r}", "check data.splits against the scenes' names")
        return self.splits[split]

    @property
    def prepared_splits(self) -> dict[str, tuple[LabelledScene, ...]]:
        """Splits to prepare: not hidden, and either with labels or the unlabeled split of a target domain."""
        return {
            split: scenes
            for split, scenes in self.splits.items()
            if split not in self.hidden
            and (split == UNLABELLED_SPLIT or any(scene.label is not None for scene in scenes))
        }
