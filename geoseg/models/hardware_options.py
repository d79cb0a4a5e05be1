"""Names of devices, precisions and engines that can be checked without importing torch."""

import re
from typing import Literal, get_args

from geoseg.errors import ConfigError

Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS = get_args(Precision)

EngineName = Literal["auto", "torch", "openvino"]
ENGINES = get_args(EngineName)

DEVICE_PATTERN = re.compile(r"auto|(cpu|cuda|mps)(:\d+)?")


def check_device_name(name: str) -> None:
    """Raise :class:`ConfigError` for an invalid device name; torch checks later whether the device is available."""
    if not DEVICE_PATTERN.fullmatch(name):
        raise ConfigError(f"invalid device {name!r}", "use auto, cpu, cuda, cuda:N or mps")
