"""Estimate the tiles, time, memory and disk space of a prediction without running it.

The time and memory of the network are measured in a few forward passes on random input; everything else is computed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from geoseg.inference.find_batch_size import measure_pass
from geoseg.inference.options import PredictOptions
from geoseg.inference.predictor import Predictor
from geoseg.inference.predictor_cache import Model, PredictorCache, list_devices
from geoseg.inference.task import PredictionTask, SceneInput, open_task
from geoseg.inference.tta import TTA
from geoseg.raster.open_raster import BLOCK_CACHE_MB
from geoseg.raster.output_bands import make_output
from geoseg.raster.writers.partial import BLOCK_SIZE

OVERHEAD_SECONDS_PER_PIXEL = 0.06e-6
"""Time per pixel per output band excluding the network: blending, writing and overviews (measured on 2 cores)."""


@dataclass(frozen=True)
class PredictionEstimate:
    """Expected cost of a prediction."""

    shape: tuple[int, int]
    """Height and width of the mask."""
    tiles: int
    """Number of tiles; tiles without valid pixels are not passed to the network."""
    seconds: float
    """Wall time if every tile has valid pixels."""
    memory: int
    """Upper bound of the memory use in bytes."""
    size: int
    """Size of the outputs in bytes, before compression. Masks compress to a tenth or less, probabilities to a third."""
    device: str
    """Device, engine and precision."""
    notes: tuple[str, ...]
    """Notes for the user about this scene with this model, one sentence each."""


def estimate_prediction(
    scene: SceneInput,
    *,
    model: Model,
    shares: Iterable[str] = (),
    options: PredictOptions | None = None,
) -> PredictionEstimate:
    """Estimate the cost of a prediction without predicting or writing anything.

    Args:
        scene: The scene, or several scenes that are predicted together as a mosaic.
        model: A bundle file, a loaded bundle or a cache of predictors.
        shares: Names of additional outputs: "probabilities", "confidence", "entropy".
        options: Options of :func:`~geoseg.inference.predict.predict`; None for the defaults.

    Raises:
        SceneError: If the scene cannot be read.
        BundleError: If the scene does not match the model, or the model cannot be read.
        ConfigError: If the options are invalid for the scene and the model.
    """
    options = PredictOptions() if options is None else options
    cache = PredictorCache.of(model)
    with open_task(scene, cache, options) as task:
        device = list_devices(options.device)[0]
        predictor = cache.get(device, options.precision, options.engine, pixels=task.input_pixels)
        batch = cache.batch_size(options.batch, predictor, task.plan.tile)
        return estimate_task(task, predictor, batch=batch, outputs=("mask", *shares))


def estimate_task(
    task: PredictionTask, predictor: Predictor, *, batch: int, outputs: Sequence[str]
) -> PredictionEstimate:
    """Estimate the cost of a task by running the network on random input.

    Args:
        task: The task.
        predictor: The network on its device.
        batch: Number of tiles per forward pass.
        outputs: Names of the outputs.
    """
    seconds = measure_pass(predictor, task.plan.tile, batch)
    height, width = task.grid.shape
    bands = sum(len(make_output(name, task.card.legend).bands) for name in outputs)
    passes = task.strategy.tiles / batch * (1 if task.options.mode == "slide" else _relative_work(task.options.tta))
    slab_bytes = 2 * bands * BLOCK_SIZE * width  # the pixels, plus a copy that is read back
    return PredictionEstimate(
        shape=(height, width),
        tiles=task.strategy.tiles,
        seconds=passes * seconds + bands * height * width * OVERHEAD_SECONDS_PER_PIXEL,
        memory=_peak_memory() + task.strategy.held_bytes + slab_bytes + BLOCK_CACHE_MB * 2**20,
        size=bands * height * width,
        device=predictor.description,
        notes=task.notes,
    )


def _relative_work(tta: str) -> float:
    """Return the factor by which test-time augmentation multiplies the number of processed pixels."""
    return sum(variant.scale**2 for variant in TTA[tta])


def _peak_memory() -> int:
    """Return the peak memory of this process in bytes, including the trial passes; 0 if it is unknown."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return 0
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
    return int(peak.split()[1]) * 1024
