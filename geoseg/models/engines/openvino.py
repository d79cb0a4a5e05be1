"""The OpenVINO engine: faster convolutions than torch on CPUs.

The network is converted once, in memory and for all image sizes; nothing is written to disk. OpenVINO sends usage
statistics to its vendor if its telemetry package is installed; this package is hidden while OpenVINO is imported.
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
from geoseg.models.engines.bf16_split_input import INPUT_COPIES, convert_to_split_input, split_bf16
from geoseg.models.engines.equivalence import make_trial_images, relative_difference
from geoseg.models.engines.fuse_conv_bn import fuse_conv_bn

TELEMETRY_PACKAGE = "openvino_telemetry"

OPENVINO_TYPES = {"float32": "f32", "bfloat16": "bf16"}

MAX_LOGIT_CHANGE = 1e-4
"""Largest accepted difference between the logits of OpenVINO and torch, relative to the largest logit."""

TRIAL_SHAPES = ((2, (64, 96)), (1, (33, 47)))
"""Batch sizes and image sizes on which the converted network is verified; they differ from :data:`EXPORT_SIZE`."""

EXPORT_SIZE = (80, 112)
"""Size of the images with which the network is exported."""


class ConversionError(Exception):
    """OpenVINO cannot run the network, or its logits differ from torch's."""


class OpenVinoEngine:
    """Runs a fused and converted network; conversion takes a few seconds, or longer for large networks."""

    name = "OpenVINO"

    def __init__(self, network: nn.Module, precision: Arithmetic, *, bands: int) -> None:
        """Convert the network.

        Args:
            network: The network, on the CPU and in evaluation mode; it is not changed.
            precision: Floating-point type of the convolutions.
            bands: Number of bands of its images.

        Raises:
            ConversionError: If the network cannot be converted.
        """
        own = fuse_conv_bn(network, bands)
        split = convert_to_split_input(own, bands) if precision == "bfloat16" else None
        self.splits_input = split is not None
        self.precision = precision
        try:
            model = _convert(own, bands) if split is None else _convert(split, INPUT_COPIES * bands)
            self._compiled = _compile(model, precision)
        except Exception as error:  # OpenVINO's frontend and torch.export raise many types of errors
            raise ConversionError(" ".join(str(error).split())[:200] or type(error).__name__) from error

    def __call__(self, images: Float[Tensor, "batch band row col"]) -> Float[Tensor, "batch class row col"]:
        """Compute the logits; see :class:`~geoseg.models.engines.base.Engine`."""
        return _run(self._compiled, split_bf16(images) if self.splits_input else images)


@contextlib.contextmanager
def without_telemetry() -> Iterator[None]:
    """Hide OpenVINO's telemetry package from imports inside the ``with`` block; restore earlier imports afterward."""
    missing = object()
    before: Any = sys.modules.get(TELEMETRY_PACKAGE, missing)
    sys.modules[TELEMETRY_PACKAGE] = None  # type: ignore[assignment]  # makes Python raise ImportError
    try:
        yield
    finally:
        del sys.modules[TELEMETRY_PACKAGE]
        if before is not missing:
            sys.modules[TELEMETRY_PACKAGE] = before


def _openvino() -> Any:
    """Import OpenVINO and its converter on first use, without telemetry."""
    with without_telemetry():
        import_module("openvino.tools.ovc.convert_impl")
        return import_module("openvino")


def _convert(network: nn.Module, bands: int) -> Any:
    """Convert the network for any batch size and image size, and verify the result."""
    openvino = _openvino()
    any_size = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    with warnings.catch_warnings(), without_telemetry(), torch.no_grad():
        warnings.simplefilter("ignore")  # internal warnings of torch and OpenVINO
        program = torch.export.export(network, (make_trial_images(bands, EXPORT_SIZE),), dynamic_shapes=(any_size,))
        model = openvino.convert_model(program)
    _verify(network, _compile(model, "float32"), bands)
    return model


@torch.no_grad()
def _verify(network: nn.Module, compiled: Any, bands: int) -> None:
    for batch, size in TRIAL_SHAPES:
        images = make_trial_images(bands, size, batch=batch)
        change = relative_difference(_run(compiled, images), network(images))
        if not change <= MAX_LOGIT_CHANGE:
            raise ConversionError(f"its logits would change by {change:.2g}")


def _compile(model: Any, precision: Arithmetic) -> Any:
    """Compile the model for this CPU, with as many threads as torch uses."""
    settings = {
        "INFERENCE_PRECISION_HINT": OPENVINO_TYPES[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",  # one batch at a time on all threads
        "ENABLE_CPU_PINNING": False,  # pinned threads of two processes would share cores while other cores are idle
    }
    return _openvino().Core().compile_model(model, "CPU", settings)


def _run(compiled: Any, images: Tensor) -> Tensor:
    return torch.from_numpy(compiled([images.contiguous().numpy()], share_inputs=True)[0])
