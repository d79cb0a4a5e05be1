"""Profile the pixels of a domain, and a model's predictions and features, in windows spread evenly over its scenes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geoseg.bundle import Bundle
from geoseg.errors import SceneError
from geoseg.evaluation.domain_shift.batchnorm_stats import ChannelSums, batchnorm_distances, record_batchnorm_stats
from geoseg.evaluation.domain_shift.domains import WINDOWS_PER_DOMAIN, Domain, DomainScene
from geoseg.grid.patch_positions import plain_starts
from geoseg.grid.window import Window
from geoseg.inference.compatibility import make_input_plan
from geoseg.inference.encode_outputs import confidence, entropy
from geoseg.inference.predictor import Predictor
from geoseg.metrics.calibration import CONFIDENCE_LEVELS, quantize_confidence
from geoseg.plotting.images import downsample
from geoseg.progress import Progress, silent
from geoseg.raster.display import RgbImage, choose_rgb_bands, render_rgb
from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene

WINDOW_SIZE = 512
"""Side length of a window in pixels if there is no model."""
PIXELS_PER_WINDOW = 4000
"""Number of pixels sampled from each window to compare bands."""
MAX_IMAGES = 6
"""Number of windows kept as images."""
IMAGE_SIZE = 240
"""Length of the longest side of these images, in pixels."""
MIN_VALID_SHARE = 0.5
"""Windows with a smaller fraction of valid pixels are skipped."""


@dataclass
class DomainProfile:
    """Statistics of one domain."""

    name: str
    """Name of the domain, as given by the user."""
    bands: tuple[str, ...] = ()
    """Names of the compared bands."""
    pixels: list[NDArray[np.float64]] = field(default_factory=list)
    """Sampled pixels of each window, axes (pixel, band), in the units of the scenes."""
    windows: int = 0
    """Number of windows."""
    images: list[RgbImage] = field(default_factory=list)
    """RGB images of some of the windows."""
    probability: NDArray[np.float64] | None = None
    """Sum of each class's probability over all pixels; None if there is no model."""
    confidence: NDArray[np.int64] = field(default_factory=lambda: np.zeros(CONFIDENCE_LEVELS, np.int64))
    """Number of pixels at each confidence level: the probability of the predicted class, in steps of 1/254."""
    entropy: NDArray[np.int64] = field(default_factory=lambda: np.zeros(CONFIDENCE_LEVELS, np.int64))
    """Number of pixels at each entropy level: a fraction of the maximum entropy, in steps of 1/254."""
    batchnorm: dict[str, float] = field(default_factory=dict)
    """Distance of each batch normalization layer's input statistics from those during training."""

    @property
    def sample(self) -> NDArray[np.float64]:
        """All sampled pixels, axes (pixel, band)."""
        return np.concatenate(self.pixels)

    @property
    def class_shares(self) -> NDArray[np.float64]:
        """Expected fraction of each class: its mean probability."""
        assert self.probability is not None
        shares: NDArray[np.float64] = self.probability / self.probability.sum()
        return shares

    def add_pixels(self, raster: Raster, bands: tuple[str, ...], *, images_every: int) -> None:
        """Sample pixels of a window, and keep every n-th window as an image."""
        self.bands = self.bands or bands
        valid = raster.values[:, raster.valid].T
        sampled = np.random.default_rng(self.windows).integers(0, len(valid), PIXELS_PER_WINDOW)
        self.pixels.append(valid[sampled].astype(np.float64))
        if self.windows % images_every == 0 and len(self.images) < MAX_IMAGES:
            rgb = [band for band in choose_rgb_bands(bands) if band < len(raster.values)]
            self.images.append(downsample(render_rgb(raster, rgb), IMAGE_SIZE))
        self.windows += 1

    def add_probabilities(self, probabilities: Tensor, valid: Tensor) -> None:
        """Add the probabilities, axes (class, row, col), of the pixels where ``valid``, axes (row, col), is true."""
        total = probabilities[:, valid].double().sum(dim=1).cpu().numpy()
        self.probability = total if self.probability is None else self.probability + total
        self.confidence = self.confidence + _count_levels(confidence(probabilities)[0, valid])
        self.entropy = self.entropy + _count_levels(entropy(probabilities)[0, valid])


def profile_domain(
    domain: Domain,
    model: Bundle | None = None,
    *,
    windows: int = WINDOWS_PER_DOMAIN,
    gsd: float | None = None,
    device: str = "auto",
    progress: Progress = silent,
) -> DomainProfile:
    """Profile a domain.

    Args:
        domain: The domain.
        model: Model whose predictions and features are profiled, at its own pixel size; None to profile only pixels.
        windows: Number of windows.
        gsd: Meters per pixel, for scenes without a CRS.
        device: Device to run the network on.
        progress: Reports the number of finished scenes.

    Raises:
        SceneError: If no window has enough valid pixels.
    """
    profile, selected = DomainProfile(domain.name), _spread(len(domain.scenes), windows)
    with ExitStack() as stack:
        profiler = None if model is None else stack.enter_context(_open_profiler(model, device))
        task = stack.enter_context(progress(len(selected), f"profiling {domain.name}"))
        for turn, number in enumerate(selected):
            count = (turn + 1) * windows // len(selected) - turn * windows // len(selected)
            for raster, bands in _read_windows(domain.scenes[number], model, count, gsd):
                profile.add_pixels(raster, bands, images_every=max(windows // MAX_IMAGES, 1))
                if profiler is not None:
                    profiler.add(profile, raster)
            task.advance(note=domain.scenes[number].scene.name)
        if not profile.windows:
            raise SceneError(f"no window of {domain.name} has enough valid pixels", "check its nodata value")
        if profiler is not None:
            profile.batchnorm = batchnorm_distances(profiler.predictor.network, profiler.sums)
    return profile


def _read_windows(
    scene: DomainScene, model: Bundle | None, count: int, gsd: float | None
) -> Iterator[tuple[Raster, tuple[str, ...]]]:
    """Yield evenly spaced windows of a scene as model input, and the names of their bands."""
    with scene.open() as source:
        card = None if model is None else model.card
        plan = None
        if card is not None:
            plan = make_input_plan(
                source, card, bands=scene.input_bands(card), any_dtype=True, gsd=gsd or scene.scene.gsd
            )
        windows = _tile_windows(source, (WINDOW_SIZE, WINDOW_SIZE) if plan is None else plan.scene_tile)
        for number in _spread(len(windows), count):
            window = windows[number]
            bands, shape = (None, None) if plan is None else (plan.bands, plan.input_shape(window))
            raster = source.read(window, bands, shape=shape)
            if raster.valid.mean() >= MIN_VALID_SHARE:
                yield raster, scene.bands or source.bands if card is None else card.bands


def _tile_windows(scene: Scene, size: tuple[int, int]) -> list[Window]:
    """Return adjacent windows that cover a scene; the last ones are shifted inward to fit."""
    height, width = (min(sides) for sides in zip(size, scene.grid.shape, strict=True))
    rows, cols = plain_starts(scene.grid.height, height, height), plain_starts(scene.grid.width, width, width)
    return [Window(row, col, height, width) for row in rows for col in cols]


def _spread(length: int, count: int) -> Sequence[int]:
    """Return ``count`` evenly spaced indices, the centers of equal intervals; all indices if there are not as many."""
    count = min(count, length)
    return [int((number + 0.5) * length / count) for number in range(count)]


@dataclass(frozen=True)
class _ModelProfiler:
    """A predictor and the recorded inputs of its batch normalization layers."""

    predictor: Predictor
    sums: Mapping[str, ChannelSums]

    @torch.inference_mode()
    def add(self, profile: DomainProfile, raster: Raster) -> None:
        """Add the predictions for a window."""
        probabilities = self.predictor.probabilities([raster])[0]
        profile.add_probabilities(probabilities, torch.from_numpy(raster.valid).to(probabilities.device))


@contextmanager
def _open_profiler(model: Bundle, device: str) -> Iterator[_ModelProfiler]:
    # ``live``, because other engines run a copy of the network with batch normalization fused into convolutions
    predictor = Predictor(model, device, live=True)
    with record_batchnorm_stats(predictor.network) as sums:
        yield _ModelProfiler(predictor, sums)


def _count_levels(shares: Tensor) -> NDArray[np.int64]:
    """Count the pixels at each step of 1/254."""
    return np.bincount(quantize_confidence(shares.cpu().numpy()), minlength=CONFIDENCE_LEVELS)
