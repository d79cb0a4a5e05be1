"""Select the device, memory format and precision of a network."""

from typing import Literal

import torch

from geoseg.errors import ConfigError
from geoseg.models.hardware_options import PRECISIONS, Precision, check_device_name

CHANNELS_LAST_DEVICES = {"cuda"}
"""Device types on which convolutions are faster in channels-last memory format; on CPUs, this depends on the network."""


def choose_device(name: str) -> torch.device:
    """Return the device with this name.

    Args:
        name: A torch device such as ``cpu`` or ``cuda:1``, or ``auto`` for the first available of cuda, mps and cpu.

    Raises:
        ConfigError: If the name is invalid or the device is not available.
    """
    check_device_name(name)
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, is_available in available.items() if is_available)
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"invalid device {name!r}", f"available devices: auto, {_names(available)}") from error
    if not available.get(device.type) or (device.index or 0) >= _count(device.type):
        raise ConfigError(f"device {name} is not available", f"available devices: auto, {_names(available)}")
    # Include the index, as tensors do: torch.device("cuda") != torch.device("cuda:0").
    return torch.empty(0, device=device).device


def memory_format(device: torch.device, *, channels_last: bool | None = None) -> torch.memory_format:
    """Return the memory format for images and weights, as requested or, by default, the faster one for the device."""
    use_channels_last = device.type in CHANNELS_LAST_DEVICES if channels_last is None else channels_last
    return torch.channels_last if use_channels_last else torch.contiguous_format


def _names(available: dict[str, bool]) -> str:
    return ", ".join(device for device, is_available in available.items() if is_available)


def _count(kind: str) -> int:
    return torch.cuda.device_count() if kind == "cuda" else 1


def has_fast_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 numbers faster than float32 numbers.

    This is the case for GPUs with native support and for CPUs with AVX-512 BF16 or AMX. Other CPUs emulate bfloat16,
    which is slower. torch reports CPU capabilities since version 2.9; with older versions, the result is False.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def choose_precision(precision: Precision, device: torch.device) -> Literal["float32", "bfloat16"]:
    """Return the precision for a device; ``auto`` is bfloat16 on devices where it is faster, otherwise float32.

    Raises:
        ConfigError: If the name is invalid.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"invalid precision {precision!r}", f"valid precisions: {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    return "bfloat16" if has_fast_bfloat16(device) else "float32"
