"""Checks of a checkpoint file that do not require torch."""

from pathlib import Path

from geoseg.errors import BundleError

MAGIC_BYTES = (b"PK", b"\x80")
"""First bytes of the zip files written by torch since version 1.6, and of the pickles written by earlier versions."""


def require_checkpoint(path: Path) -> None:
    """Raise :class:`BundleError` if a file does not exist or cannot be a PyTorch checkpoint."""
    if not path.is_file():
        raise BundleError(f"checkpoint not found: {path}", "specify the path of a .pth file")
    with path.open("rb") as file:
        if not file.read(2).startswith(MAGIC_BYTES):
            raise not_a_checkpoint(path)


def not_a_checkpoint(path: Path) -> BundleError:
    """Return the error for a file that torch cannot read."""
    return BundleError(f"{path} is not a PyTorch checkpoint, or it is corrupted", "download or copy it again")
