"""How tiles become a mask, chosen by name: blended (the usual way), or by mmsegmentation's slide inference."""

from collections.abc import Collection, Generator
from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from geoseg.bundle import ModelCard
from geoseg.errors import ConfigError, did_you_mean
from geoseg.grid.window import Window
from geoseg.inference.compatibility import Plan
from geoseg.inference.prediction_area import Area
from geoseg.inference.predictor import Predictor
from geoseg.inference.sliding.sliding_window import slide_over
from geoseg.inference.tiled.blended_tiles import Blended
from geoseg.inference.tiled.blending import BLENDS, WINDOWS
from geoseg.inference.tiled.tile_pipeline import Counted
from geoseg.inference.tiles import Strip
from geoseg.inference.tta_variants import TTA
from geoseg.raster.scene import Scene

MODES = ("blended", "slide")


class Method(Protocol):
    """A way from a scene to its mask, with everything settled but the network."""

    @property
    def tiles(self) -> int:
        """How many tiles there are to predict."""

    @property
    def edges(self) -> tuple[list[int], list[int]]:
        """Rows and columns of the mask at which what one tile says begins to count, or ends to."""

    @property
    def held_bytes(self) -> int:
        """Memory for what is held of the scene at once, beside the network's own."""

    @property
    def tags(self) -> dict[str, str]:
        """What the mask says of how it was made."""

    def part(self, rows: Window) -> "Method":
        """The same for some rows of the mask (a window as wide as the mask, in its pixels); the result is the same."""

    def probabilities(self, scores: Float[Tensor, "class row col"]) -> Float[Tensor, "class row col"]:
        """The probabilities that the scores of a strip stand for."""

    def strips(self, predictor: Predictor, counted: Counted, *, batch: int) -> Generator[Strip, None, None]:
        """The mask from top to bottom, counted from the area's first pixel; ``counted`` sees every piece pass."""


@dataclass(frozen=True)
class Way:
    """Which method, and its options."""

    mode: str = "blended"
    """A name in :data:`MODES`."""
    blend: str = "weighted"
    """A name in :data:`~geoseg.inference.tiled.blending.BLENDS`."""
    window: str = "cosine"
    """A name in :data:`~geoseg.inference.tiled.blending.WINDOWS`."""
    tta: str = "none"
    """A name in :data:`~geoseg.inference.tta_variants.TTA`."""
    stride: int | None = None
    """From one window to the next when they slide; None for two thirds of a tile."""

    def check(self, halo: int | None) -> None:
        """:class:`ConfigError` if a name is unknown, or an option (``halo``, if one was given) is for another mode."""
        known: dict[str, Collection[str]] = {"blend": BLENDS, "window": WINDOWS, "mode": MODES, "augmentation": TTA}
        given = {"blend": self.blend, "window": self.window, "mode": self.mode, "augmentation": self.tta}
        for what, name in given.items():
            if name not in known[what]:
                raise ConfigError(f"there is no {what} {name!r}", did_you_mean(name, known[what]))
        if self.mode == "slide":
            self._check_slide(halo)
        elif self.stride is not None:
            raise ConfigError(
                f"a stride of {self.stride} is for windows that slide", "add --mode slide, or leave out --stride"
            )

    def _check_slide(self, halo: int | None) -> None:
        if halo is not None:
            raise ConfigError(
                f"windows that slide have no halo, {halo} was given", "say by --stride how far they overlap"
            )
        usual = Way()
        for what in ("blend", "window"):
            if getattr(self, what) != getattr(usual, what):
                raise ConfigError(
                    f"windows that slide are averaged, there is no {what} {getattr(self, what)}",
                    f"leave out --{what} or --mode slide",
                )


def make_method(scene: Scene, plan: Plan, area: Area, card: ModelCard, way: Way) -> Method:
    """The method for a scene; the way has been checked."""
    if way.mode == "slide":
        return slide_over(scene, plan, area, card, stride=way.stride, tta=way.tta)
    return Blended(scene, plan, area, card, way.blend, way.window, way.tta, area)
