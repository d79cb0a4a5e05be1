"""Load checkpoints from OpenMMLab's mmsegmentation."""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.importers.openmmlab.load_checkpoint import OpenMMLabCheckpoint as OpenMMLabCheckpoint
    from geoseg.importers.openmmlab.load_checkpoint import load_checkpoint as load_checkpoint

_MODULES = {
    "OpenMMLabCheckpoint": "geoseg.importers.openmmlab.load_checkpoint",
    "load_checkpoint": "geoseg.importers.openmmlab.load_checkpoint",
}

__all__ = [
    "OpenMMLabCheckpoint",
    "load_checkpoint",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
