"""The memory of the machine, to reject input that needs more before anything is allocated."""

import os
import sys
from pathlib import Path

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files with the memory limit of a container, in versions 2 and 1 of Linux control groups."""


def physical_memory() -> int:
    """Return the size of the machine's or the container's memory in bytes, whether it is in use or not.

    If the operating system does not report it, the result is :data:`sys.maxsize`.
    """
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return sys.maxsize
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_container_limits()])


def _container_limits() -> list[int]:
    limits = []
    for path in map(Path, CGROUP_LIMITS):
        try:
            text = path.read_text("ascii").strip()
        except OSError:
            continue
        if text.isdigit() and int(text) > 0:  # "max" if there is no limit
            limits.append(int(text))
    return limits
