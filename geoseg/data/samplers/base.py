"""What a sampler promises: for any number, a plan of one crop, always the same for the same seed.

Plans depend on their number and the seed alone, never on what was drawn before. So crops do not depend on the number of
worker processes, and a run that continues at step k sees what the uninterrupted run would have seen.
"""

from dataclasses import dataclass
from typing import Protocol

from geoseg.grid.window import Window


@dataclass(frozen=True)
class CropPlan:
    """Where one crop is cut."""

    scene: int
    """Position of the scene in the sampler's list."""
    window: Window
    """The scene's pixels that are read; may reach outside."""
    size: int
    """Side of the crop, pixels; the window is resampled to it."""
    core: Window | None = None
    """Part of the crop that counts (in pixels of the crop); outside it the target is "not labelled". None: all."""


class Sampler(Protocol):
    """Plans crops. Built with ``scenes`` (prepared), ``size`` (pixels), ``scale`` (range of magnification), ``seed``."""

    def plan(self, number: int) -> CropPlan:
        """The plan of crop ``number`` (0, 1, 2 … without end)."""
