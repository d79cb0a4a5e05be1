"""OpenVINO as an engine: on CPUs, where its convolutions are faster than torch's.

The network is converted in memory, once for images of all sizes, and nothing is written to disk. OpenVINO reports its
use to its makers unless its package for that is missing; here it always is.
"""

import contextlib
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geoseg.models.engines.base import Arithmetic
from geoseg.models.engines.bf16_split_input import PARTS, halved, in_halves
from geoseg.models.engines.equivalence import difference, trial_images
from geoseg.models.engines.fuse_conv_bn import folded

TELEMETRY = "openvino_telemetry"

TYPES = {"float32": "f32", "bfloat16": "bf16"}

TOLERANCE = 1e-4
"""By which share of the largest the converted network's logits may differ from torch's."""

TRIALS = ((2, (64, 96)), (1, (33, 47)))
"""Number and size of the images the converted network is tried on: not those it was converted with."""

EXAMPLE = (80, 112)
"""Size of the images that the network is converted with."""


class Unconvertible(Exception):
    """OpenVINO cannot run the network, or says something else of images than torch does."""


class OpenVinoEngine:
    """Runs a network that was folded and converted; the conversion takes some seconds, and more for larger networks."""

    name = "OpenVINO"

    def __init__(self, network: nn.Module, precision: Arithmetic, *, bands: int) -> None:
        """:class:`Unconvertible` if the network cannot be converted."""
        own = folded(network, bands)
        split = halved(own, bands) if precision == "bfloat16" else None
        self.halves = split is not None
        self.precision = precision
        try:
            model = _converted(own, bands) if split is None else _converted(split, PARTS * bands)
            self._compiled = _compiled(model, precision)
        except Exception as error:  # its frontend and torch.export fail in many ways on networks they do not know
            raise Unconvertible(" ".join(str(error).split())[:200] or type(error).__name__) from error

    def __call__(self, images: Float[Tensor, "batch band row col"]) -> Float[Tensor, "batch class row col"]:
        """See :class:`~geoseg.models.engines.base.Engine`."""
        return _run(self._compiled, in_halves(images) if self.halves else images)


@contextlib.contextmanager
def without_telemetry() -> Iterator[None]:
    """While the block runs, OpenVINO's package for telemetry is not to be found; what was imported of it comes back."""
    missing = object()
    before: Any = sys.modules.get(TELEMETRY, missing)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # Python's own sign for "do not import"
    try:
        yield
    finally:
        del sys.modules[TELEMETRY]
        if before is not missing:
            sys.modules[TELEMETRY] = before


def _openvino() -> Any:
    """OpenVINO with the part that converts, imported when it is first needed and never with its telemetry."""
    with without_telemetry():
        import_module("openvino.tools.ovc.convert_impl")
        return import_module("openvino")


def _converted(network: nn.Module, bands: int) -> Any:
    """The network as OpenVINO's model for images of any number and size, and tried on some."""
    openvino = _openvino()
    any_size = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    with warnings.catch_warnings(), without_telemetry(), torch.no_grad():
        warnings.simplefilter("ignore")  # about torch's and OpenVINO's own ways
        program = torch.export.export(network, (trial_images(bands, EXAMPLE),), dynamic_shapes=(any_size,))
        model = openvino.convert_model(program)
    _try(network, _compiled(model, "float32"), bands)
    return model


@torch.no_grad()
def _try(network: nn.Module, compiled: Any, bands: int) -> None:
    for batch, size in TRIALS:
        images = trial_images(bands, size, batch=batch)
        change = difference(_run(compiled, images), network(images))
        if not change <= TOLERANCE:
            raise Unconvertible(f"its logits would change by {change:.2g}")


def _compiled(model: Any, precision: Arithmetic) -> Any:
    """The model for this CPU, on as many threads as torch has."""
    settings = {
        "INFERENCE_PRECISION_HINT": TYPES[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, all threads on it
        "ENABLE_CPU_PINNING": False,  # pinned threads of two processes would share cores while others idle
    }
    return _openvino().Core().compile_model(model, "CPU", settings)


def _run(compiled: Any, images: Tensor) -> Tensor:
    return torch.from_numpy(compiled([images.contiguous().numpy()], share_inputs=True)[0])
