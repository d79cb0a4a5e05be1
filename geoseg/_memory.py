"""The memory of the machine, to reject input that needs more before anything is allocated."""

import os


def physical_memory() -> int:
    """Return the size of the machine's memory in bytes, whether it is in use or not."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
