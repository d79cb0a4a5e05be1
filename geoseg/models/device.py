"""Which device a name means, and what is said when its memory is spent."""

import contextlib
from collections.abc import Iterator
from typing import Literal, get_args

import torch

from geoseg.errors import ConfigError, GeosegError

NHWC_DEVICES = {"cuda"}
"""Devices that compute convolutions faster with channels last; for CPUs it depends on the network."""

MEMORY_WORDS = (
    "out of memory",
    "can't allocate memory",
    "dataloader worker",
    "bus error",
    "alloc_failed",
    "find an engine",
)
"""How torch says that memory is spent; a worker process is killed for want of it."""


def choose_device(name: str) -> torch.device:
    """The device of a name; "auto" is the first of cuda, mps, cpu that is there. :class:`ConfigError` if it is not."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, found in there.items() if found)
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"{name!r} is no device", f"devices here: auto, {_names(there)}") from None
    if not there.get(device.type) or (device.index or 0) >= _count(device.type):
        raise ConfigError(f"there is no device {name} here", f"devices here: auto, {_names(there)}")
    # With its number, as tensors name it: torch.device("cuda") is not equal to the device of a tensor that is there.
    return torch.empty(0, device=device).device


def memory_format(device: torch.device, *, channels_last: bool | None = None) -> torch.memory_format:
    """How images and weights of convolutions lie in memory: as told, or else as the device wants them."""
    wanted = device.type in NHWC_DEVICES if channels_last is None else channels_last
    return torch.channels_last if wanted else torch.contiguous_format


def _names(there: dict[str, bool]) -> str:
    return ", ".join(device for device, found in there.items() if found)


def _count(kind: str) -> int:
    return torch.cuda.device_count() if kind == "cuda" else 1


@contextlib.contextmanager
def explained_memory(hint: str) -> Iterator[None]:
    """Turns "out of memory", however numpy, torch and the devices say it, into a :class:`GeosegError` with ``hint``."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error).lower()
        if isinstance(error, RuntimeError) and not any(words in text for words in MEMORY_WORDS):
            raise
        raise GeosegError("the network needs more memory than there is", hint) from error


Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS = get_args(Precision)


def computes_bfloat16(device: torch.device) -> bool:
    """True if the device multiplies bfloat16 faster than float32: GPUs that say so, CPUs with AVX-512 or AMX for it.

    Other CPUs emulate bfloat16 and are slower in it; torch tells what a CPU has from 2.9 on, so older ones count as slow.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def chosen_precision(precision: Precision, device: torch.device) -> Literal["float32", "bfloat16"]:
    """The precision meant by a name: "auto" is bfloat16 where the device is fast in it, else float32.

    :class:`ConfigError` for another name.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"{precision!r} is no precision", f"precisions are {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    return "bfloat16" if computes_bfloat16(device) else "float32"
