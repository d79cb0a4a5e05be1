"""How tiles become a mask, chosen by name: blended (the usual way), or by mmsegmentation's slide inference."""

from collections.abc import Generator
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from geoseg.bundle import ModelCard
from geoseg.errors import ConfigError, did_you_mean
from geoseg.grid.window import Window
from geoseg.inference.area import Area
from geoseg.inference.blend import BLENDS, Strip
from geoseg.inference.blended import Blended
from geoseg.inference.flow import Counted
from geoseg.inference.plan import Plan
from geoseg.inference.predictor import Predictor
from geoseg.inference.sliding import slide_over
from geoseg.inference.variants import TTA
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


def check_method(mode: str, *, blend: str, halo: int | None, stride: int | None, tta: str) -> None:
    """:class:`ConfigError` if a name is unknown, or an option is for another mode."""
    for what, name, known in (("blend", blend, BLENDS), ("mode", mode, MODES), ("augmentation", tta, TTA)):
        if name not in known:
            raise ConfigError(f"there is no {what} {name!r}", did_you_mean(name, known))
    if mode == "slide" and halo is not None:
        raise ConfigError(f"windows that slide have no halo, {halo} was given", "say by --stride how far they overlap")
    if mode == "slide" and blend != "weighted":
        raise ConfigError(
            f"windows that slide are averaged, not joined by {blend}", "leave out --blend or --mode slide"
        )
    if mode != "slide" and stride is not None:
        raise ConfigError(f"a stride of {stride} is for windows that slide", "add --mode slide, or leave out --stride")


def make_method(
    scene: Scene, plan: Plan, area: Area, card: ModelCard, *, mode: str, blend: str, stride: int | None, tta: str
) -> Method:
    """The method for a scene; names are known (:func:`check_method`)."""
    if mode == "slide":
        return slide_over(scene, plan, area, card, stride=stride, tta=tta)
    return Blended(scene, plan, area, card, blend, tta, area)
