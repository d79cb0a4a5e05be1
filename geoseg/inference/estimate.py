"""What a prediction would take: tiles, memory, time and disk, without making it.

Time and the network's memory are measured on a few forward passes of noise; what depends on the scene is reckoned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geoseg.inference.batch_size import seconds_per_pass
from geoseg.inference.predictor import Predictor
from geoseg.inference.task import Job
from geoseg.inference.tta_variants import TTA
from geoseg.raster.gdal_environment import CACHE_MB
from geoseg.raster.prediction_outputs import make_product
from geoseg.raster.writers.partial import BLOCK

BESIDES = 0.06e-6
"""Seconds per pixel of the scene and product for all but the network: joining tiles, writing, overviews (2 cores)."""


@dataclass(frozen=True)
class Forecast:
    """What a prediction would take."""

    shape: tuple[int, int]
    """Height and width of the mask."""
    tiles: int
    """Tiles to predict; the network does not see those without a valid pixel."""
    seconds: float
    """Wall time, if every tile has valid pixels."""
    memory: int
    """Bytes of memory at most."""
    size: int
    """Bytes of the outputs before compression; masks come to a tenth of it and less, probabilities to a third."""
    device: str
    """Where the network would run, by what, and in which precision."""
    notes: tuple[str, ...]
    """What the user should know about this scene with this model, one sentence each."""


def forecast(job: Job, predictor: Predictor, *, batch: int, products: Sequence[str]) -> Forecast:
    """The forecast for a job; runs the network on noise."""
    seconds = seconds_per_pass(predictor, job.plan.tile, batch)
    height, width = job.grid.shape
    bands = sum(len(make_product(name, job.card.legend).bands) for name in products)
    passes = job.method.tiles / batch * (1 if job.options.mode == "slide" else _work(job.options.tta))
    slabs = 2 * bands * BLOCK * width  # the pixels, and those read back
    return Forecast(
        shape=(height, width),
        tiles=job.method.tiles,
        seconds=passes * seconds + bands * height * width * BESIDES,
        memory=_most_memory() + job.method.held_bytes + slabs + CACHE_MB * 2**20,
        size=bands * height * width,
        device=predictor.description,
        notes=job.notes,
    )


def _work(tta: str) -> float:
    """Pixels the network sees with test-time augmentation, per pixel without."""
    return sum(variant.scale**2 for variant in TTA[tta])


def _most_memory() -> int:
    """Bytes this process holds at most so far, the trial passes included; 0 where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return 0
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
    return int(peak.split()[1]) * 1024
