"""Which engine runs a network: the fastest one there is, if the work is worth its conversion.

The choice depends on the machine, the network and the amount of work, never on a clock: the same call twice gives the same
mask. Of timm's networks many do arithmetic with the images' size, about which torch's exporter thinks for up to many
minutes; they are converted only if OpenVINO was asked for by name.
"""

import logging
import platform
from importlib.util import find_spec
from typing import Literal, get_args

import torch
from torch import nn

from geoseg.errors import ConfigError
from geoseg.models.backbones.timm import TimmBackbone
from geoseg.models.engines.base import Arithmetic, Engine
from geoseg.models.engines.openvino import OpenVinoEngine, Unconvertible
from geoseg.models.engines.pytorch import TorchEngine

log = logging.getLogger(__name__)

EngineName = Literal["auto", "torch", "openvino"]
ENGINES = get_args(EngineName)

MEASURED = {"x86_64", "AMD64"}
"""Kinds of CPU on which OpenVINO was measured to be faster (benchmarks/engines.py)."""

WORTH = 3e14
"""Pixels times weights, which is what convolutions multiply but for their strides, that the network has to see before
OpenVINO has saved the seconds that its conversion takes: 25 megapixels for a ResNet-18, 8 for a ResNet-50."""


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
    """The engine of that name for a network that is on the device, in evaluation mode.

    "auto" is OpenVINO on CPUs where it is installed and was measured, unless it would see fewer ``pixels`` than its
    conversion is worth (None: many) or cannot convert the network, which is said in the log; else torch. Networks of timm
    stay with torch, and so does a ``live`` one, whose weights change. :class:`ConfigError` for other names, and for
    "openvino" where it cannot be.
    """
    if name not in ENGINES:
        raise ConfigError(f"{name!r} is no engine", f"engines are {', '.join(ENGINES)}")
    if name == "openvino":
        _refuse_impossible(device, live=live)
    if name == "torch" or live or (name == "auto" and not _suits(network, device, pixels)):
        return TorchEngine(network, device, precision, bands=bands, live=live)
    try:
        return OpenVinoEngine(network, precision, bands=bands)
    except Unconvertible as reason:
        if name == "openvino":
            raise ConfigError(f"OpenVINO cannot run this network: {reason}", "take --engine torch") from reason
        log.warning("OpenVINO cannot run this network, torch does: %s", reason)
        return TorchEngine(network, device, precision, bands=bands)


def _suits(network: nn.Module, device: torch.device, pixels: int | None) -> bool:
    return (
        device.type == "cpu"
        and platform.machine() in MEASURED
        and is_installed()
        and not isinstance(getattr(network, "backbone", None), TimmBackbone)
        and is_worth(network, pixels)
    )


def is_worth(network: nn.Module, pixels: int | None) -> bool:
    """Whether preparing a network takes less time than is saved on so many ``pixels`` (None: many)."""
    return pixels is None or pixels * sum(weight.numel() for weight in network.parameters()) >= WORTH


def is_installed() -> bool:
    """Whether OpenVINO is there; nothing is imported."""
    return find_spec("openvino") is not None


def _refuse_impossible(device: torch.device, *, live: bool) -> None:
    if live:
        raise ConfigError("a network in training is not converted to OpenVINO", "take the engine auto or torch")
    if device.type != "cpu":
        raise ConfigError(f"OpenVINO runs on the CPU, not on {device}", "take --device cpu, or --engine torch")
    if not is_installed():
        raise ConfigError("OpenVINO is not installed", "pip install openvino, or take --engine torch")
