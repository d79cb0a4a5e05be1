"""Which device a name means, and what is said when its memory is spent."""

import contextlib
from collections.abc import Iterator

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
