"""Which arithmetic a device is fast in."""

from typing import Literal, get_args

import torch

from geoseg.errors import ConfigError

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
