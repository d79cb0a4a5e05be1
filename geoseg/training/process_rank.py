"""The rank of this process in distributed training, and errors that several processes raise; does not import torch."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from geoseg.errors import GeosegError

DISTRIBUTED = "torch.distributed"

OTHER_PROCESS_DELAY_SECONDS = 5.0
"""Seconds that other processes wait before they raise an error, so that the main process can report it first."""
LOST_PEER_MESSAGES = ("connection closed", "connection reset", "nccl", "gloo")
"""Parts of torch's error messages for a lost connection to another process."""


@contextmanager
def report_once() -> Iterator[None]:
    """Report an error that is raised by several processes only once, from the main process.

    Other processes wait before raising it. If the main process also raises it, they are terminated in the meantime by
    :func:`launch_fabric` or torchrun. A lost connection to another process becomes a :class:`GeosegError`.
    """
    try:
        yield
    except BaseException as error:
        if _rank():
            time.sleep(OTHER_PROCESS_DELAY_SECONDS)
        if (
            isinstance(error, RuntimeError)
            and _is_initialized()
            and any(text in str(error).lower() for text in LOST_PEER_MESSAGES)
        ):
            raise GeosegError(
                "another process of the distributed training run has ended",
                "check its error message; run the same command again to resume from the last checkpoint",
            ) from error
        raise


def is_main_process() -> bool:
    """Return whether this is the main process; always True if training is not distributed."""
    return not _is_initialized() or _rank() == 0


def _rank() -> int:
    """Return the rank of this process, even before the process group is initialized."""
    if _is_initialized():
        return int(sys.modules[DISTRIBUTED].get_rank())
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
    return int(next((os.environ[name] for name in names if os.environ.get(name)), 0))


def _is_initialized() -> bool:
    module = sys.modules.get(DISTRIBUTED)  # if it has not been imported, there is no process group
    return module is not None and module.is_available() and module.is_initialized()
