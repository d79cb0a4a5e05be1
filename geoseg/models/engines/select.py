"""Select the inference engine: OpenVINO if it is faster and there is enough work to justify conversion, or else PyTorch.

The choice depends on the machine, the network and the amount of work, never on measured time, so that identical calls
produce identical masks. Many timm networks do computations with the size of their input; exporting them can take many
minutes, so they are converted only if OpenVINO is requested by name.
"""

import logging
import platform
from importlib.util import find_spec

import torch
from torch import nn

from geoseg.errors import ConfigError
from geoseg.models.backbones.timm import TimmBackbone
from geoseg.models.engines.base import Arithmetic, Engine
from geoseg.models.engines.openvino import ConversionError, OpenVinoEngine
from geoseg.models.engines.pytorch import TorchEngine
from geoseg.models.hardware_options import ENGINES, EngineName

log = logging.getLogger(__name__)

OPENVINO_MACHINES = {"x86_64", "AMD64"}
"""CPU types on which OpenVINO is faster than torch (measured by benchmarks/engines.py)."""

MIN_WORK_FOR_OPENVINO = 3e14
"""Number of pixels times number of weights above which the conversion to OpenVINO saves more time than it takes. Apart
from strides, convolutions multiply every weight by every pixel. The threshold is reached at 25 megapixels for a
ResNet-18 and at 8 megapixels for a ResNet-50."""


def make_engine(
    network: nn.Module,
    device: torch.device,
    precision: Arithmetic,
    name: EngineName = "auto",
    *,
    bands: int,
    pixels: int | None = None,
    live: bool = False,
) -> Engine:
    """Prepare the engine that runs a network.

    "auto" is OpenVINO on CPUs on which it is known to be faster (:data:`OPENVINO_MACHINES`), if it is installed, there
    is enough work, and the network can be converted; a failed conversion is logged. In all other cases, and for timm
    networks and ``live`` networks, it is torch.

    Args:
        network: The network, on ``device`` and in evaluation mode.
        device: Device of the network.
        precision: Floating-point type of the convolutions.
        name: A name in :data:`ENGINES`.
        bands: Number of bands of the images.
        pixels: Number of pixels that the network will process; None means many.
        live: Run the network itself, for networks whose weights change between calls (training).

    Raises:
        ConfigError: If the name is unknown, or OpenVINO is requested but cannot run the network.
    """
    if name not in ENGINES:
        raise ConfigError(f"unknown engine {name!r}", f"choose one of {', '.join(ENGINES)}")
    if name == "openvino":
        _require_openvino(device, live=live)
    if name == "torch" or live or (name == "auto" and not _is_openvino_faster(network, device, pixels)):
        return TorchEngine(network, device, precision, bands=bands, live=live)
    try:
        return OpenVinoEngine(network, precision, bands=bands)
    except ConversionError as reason:
        if name == "openvino":
            raise ConfigError(f"OpenVINO cannot run this network: {reason}", "use --engine torch") from reason
        log.warning("OpenVINO cannot run this network, using torch: %s", reason)
        return TorchEngine(network, device, precision, bands=bands)


def _is_openvino_faster(network: nn.Module, device: torch.device, pixels: int | None) -> bool:
    return (
        device.type == "cpu"
        and platform.machine() in OPENVINO_MACHINES
        and is_openvino_installed()
        and not isinstance(getattr(network, "backbone", None), TimmBackbone)
        and is_worth_converting(network, pixels)
    )


def is_worth_converting(network: nn.Module, pixels: int | None) -> bool:
    """Return whether conversion saves more time than it takes if the network processes ``pixels`` pixels (None: many)."""
    return pixels is None or pixels * sum(weight.numel() for weight in network.parameters()) >= MIN_WORK_FOR_OPENVINO


def is_openvino_installed() -> bool:
    """Return whether OpenVINO is installed, without importing it."""
    return find_spec("openvino") is not None


def _require_openvino(device: torch.device, *, live: bool) -> None:
    if live:
        raise ConfigError("OpenVINO cannot run a network in training mode", "use the auto or torch engine")
    if device.type != "cpu":
        raise ConfigError(f"OpenVINO runs on the CPU, not on {device}", "use --device cpu, or --engine torch")
    if not is_openvino_installed():
        raise ConfigError("OpenVINO is not installed", "run pip install openvino, or use --engine torch")
