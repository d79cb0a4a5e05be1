"""Describe any file that geoseg can read or write: a scene, mask, label raster, vector file, model or recipe."""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.file_info.info import FileInfo as FileInfo

_MODULES = {
    "FileInfo": "geoseg.file_info.info",
}

__all__ = [
    "FileInfo",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
