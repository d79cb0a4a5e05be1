"""What a side of a gap looks like: pixels, and what a model makes of them, from windows spread evenly over its scenes."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from geoseg.bundle import Bundle
from geoseg.errors import SceneError
from geoseg.evaluation.domain_shift.batchnorm_stats import ChannelSums, distances, watching_norms
from geoseg.evaluation.domain_shift.domains import Side, SideScene
from geoseg.grid.patches import plain_starts
from geoseg.grid.window import Window
from geoseg.inference.compatibility import make_plan
from geoseg.metrics.calibration import LEVELS, levels_of
from geoseg.models.device import choose_device
from geoseg.models.input_normalization import normalise
from geoseg.plotting.images import Picture, shown_bands, shrink, stretch
from geoseg.progress import Progress, silent
from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene

CROPS = 48
"""Windows that are looked at on each side."""
SIDE = 512
"""Side of a window without a model, pixels."""
SAMPLE = 4000
"""Pixels of each window that are kept to compare bands by."""
PICTURES = 6
PICTURE_SIDE = 240
USABLE = 0.5
"""Windows with a smaller share of valid pixels are passed over."""


@dataclass
class Look:
    """One side, as far as it was looked at."""

    name: str
    """What the user calls it."""
    bands: tuple[str, ...] = ()
    """Names of the compared bands."""
    pixels: list[NDArray[np.float64]] = field(default_factory=list)
    """Samples (pixel, band), in the scenes' units."""
    windows: int = 0
    """Windows that were looked at."""
    pictures: list[Picture] = field(default_factory=list)
    """A few of them."""
    probability: NDArray[np.float64] | None = None
    """Sum of the probability of each class over all pixels; None without a model."""
    confidence: NDArray[np.int64] = field(default_factory=lambda: np.zeros(LEVELS, np.int64))
    """Pixels by the probability of their most probable class, in steps of 1/254."""
    entropy: NDArray[np.int64] = field(default_factory=lambda: np.zeros(LEVELS, np.int64))
    """Pixels by entropy in units of the largest possible, in steps of 1/254."""
    norms: dict[str, float] = field(default_factory=dict)
    """Distance of each norm's statistics from the learnt ones."""

    @property
    def sample(self) -> NDArray[np.float64]:
        """All sampled pixels, axes (pixel, band)."""
        return np.concatenate(self.pixels)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Expected share of each class: the mean of its probability."""
        assert self.probability is not None
        shares: NDArray[np.float64] = self.probability / self.probability.sum()
        return shares


def look_at(
    side: Side, model: Bundle | None = None, *, crops: int = CROPS, gsd: float | None = None, device: str = "auto",
    progress: Progress = silent,
) -> Look:  # fmt: skip
    """Looks at ``crops`` windows of a side; with a model, through its eyes, at its pixel size.

    ``gsd``: metres per pixel of scenes without CRS. :class:`SceneError` if no window holds enough valid pixels.
    """
    look, chosen = Look(side.name), _spread(len(side.scenes), crops)
    with ExitStack() as stack:
        eyes = None if model is None else stack.enter_context(_eyes(model, device))
        task = stack.enter_context(progress(len(chosen), f"looking at {side.name}"))
        for turn, number in enumerate(chosen):
            count = (turn + 1) * crops // len(chosen) - turn * crops // len(chosen)
            for raster, names in _windows(side.scenes[number], model, count, gsd):
                _note(look, raster, names, every=max(crops // PICTURES, 1))
                if eyes is not None:
                    eyes.look(look, raster)
            task.advance(note=side.scenes[number].scene.name)
        if not look.windows:
            raise SceneError(f"{side.name} holds no window with enough valid pixels", "check its nodata value")
        if eyes is not None:
            look.norms = distances(eyes.network, eyes.seen)
    return look


def _windows(
    part: SideScene, model: Bundle | None, count: int, gsd: float | None
) -> Iterator[tuple[Raster, tuple[str, ...]]]:
    """Windows of a scene as the model would see them, with the names of their bands."""
    with part.opened() as scene:
        card = None if model is None else model.card
        plan = None
        if card is not None:
            plan = make_plan(scene, card, bands=part.chosen(card), any_dtype=True, gsd=gsd or part.scene.gsd)
        size = SIDE if plan is None else plan.scene_tile
        places = _places(scene, size)
        for number in _spread(len(places), count):
            window = places[number]
            raster = scene.read(window) if plan is None else scene.read(window, plan.bands, shape=plan.seen(window))
            if raster.valid.mean() >= USABLE:
                yield raster, part.bands or scene.bands if card is None else card.bands


def _places(scene: Scene, size: int) -> list[Window]:
    """Windows side by side over a scene, the last ones shifted inward."""
    height, width = (min(size, side) for side in scene.grid.shape)
    rows, cols = plain_starts(scene.grid.height, height, height), plain_starts(scene.grid.width, width, width)
    return [Window(row, col, height, width) for row in rows for col in cols]


def _spread(length: int, count: int) -> list[int]:
    """``count`` places (fewer if there are no more), evenly spread: the middles of equal parts."""
    count = min(count, length)
    return [int((number + 0.5) * length / count) for number in range(count)]


def _note(look: Look, raster: Raster, names: tuple[str, ...], *, every: int) -> None:
    """Keeps some pixels, and a picture of one window in so many."""
    look.bands = look.bands or names
    valid = raster.values[:, raster.valid].T
    chosen = np.random.default_rng(look.windows).integers(0, len(valid), SAMPLE)
    look.pixels.append(valid[chosen].astype(np.float64))
    if look.windows % every == 0 and len(look.pictures) < PICTURES:
        shown = [band for band in shown_bands(names) if band < len(raster.values)]
        look.pictures.append(shrink(stretch(raster, shown), PICTURE_SIDE))
    look.windows += 1


@contextmanager
def _eyes(model: Bundle, device: str) -> Iterator["_Eyes"]:
    """The model, and what its norms see while the block runs."""
    chosen = choose_device(device)
    network = model.network.eval().to(chosen)
    with watching_norms(network) as seen:
        yield _Eyes(model, network, seen, chosen)


class _Eyes:
    """A network that looks."""

    def __init__(
        self, model: Bundle, network: nn.Module, seen: Mapping[str, ChannelSums], device: torch.device
    ) -> None:
        self.network, self.seen, self.device = network, seen, device
        self.mean, self.std = (
            torch.tensor(numbers, device=self.device).reshape(1, -1, 1, 1)
            for numbers in (model.card.mean, model.card.std)
        )

    @torch.inference_mode()
    def look(self, look: Look, raster: Raster) -> None:
        """Adds what the network makes of a window."""
        values = torch.from_numpy(raster.values.astype(np.float32))[None].to(self.device)
        valid = torch.from_numpy(raster.valid)[None].to(self.device)
        images = normalise(values, valid, mean=self.mean, std=self.std)
        shares = self.network(images).float().softmax(dim=1)[0][:, valid[0]]
        entropy = -(shares * shares.clamp(min=1e-12).log()).sum(dim=0) / np.log(max(len(shares), 2))
        total = shares.double().sum(dim=1).cpu().numpy()
        look.probability = total if look.probability is None else look.probability + total
        look.confidence = look.confidence + _counted(shares.amax(dim=0))
        look.entropy = look.entropy + _counted(entropy)


def _counted(shares: Tensor) -> NDArray[np.int64]:
    """Pixels by steps of 1/254."""
    return np.bincount(levels_of(shares.cpu().numpy()), minlength=LEVELS)
