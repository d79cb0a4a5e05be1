"""What counting gives: a table of counts per scene, the classes it is about, and how pixels were counted."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from geoseg.data.labels import LabelReader
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.progress import Progress

STRIP_ROWS = 1024
"""Rows that are compared at once."""

PROTOCOL = "scenes: every labelled pixel once, all classes, counts added up over scenes"
"""How the numbers were counted; it stands beside them wherever they are shown."""


@dataclass(frozen=True)
class Evaluation:
    """Counts per scene, with the classes they are about."""

    legend: Legend
    """Classes in the order of the counts' rows and columns."""
    scenes: dict[str, ConfusionMatrix]
    """Counts by name of the scene."""
    protocol: str = PROTOCOL
    """How pixels were counted."""

    @property
    def total(self) -> ConfusionMatrix:
        """The counts of all scenes added up."""
        return reduce(add, self.scenes.values())


def count(
    predicted: Callable[[Window], NDArray[np.uint8]],
    reference: LabelReader,
    classes: int,
    *,
    progress: Progress,
    name: str,
) -> ConfusionMatrix:
    """Counts over a whole scene, strip by strip; ``predicted`` gives class indices (row, col) of a window."""
    counts = ConfusionMatrix(classes)
    windows = list(strips(reference.grid.height, reference.grid.width, STRIP_ROWS))
    with progress(len(windows), f"comparing {name}") as task:
        for window in windows:
            counts.update(predicted(window), reference.read(window))
            task.advance()
    return counts
