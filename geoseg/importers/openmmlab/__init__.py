"""Load checkpoints from OpenMMLab's mmsegmentation."""

from geoseg.importers.openmmlab.load_checkpoint import OpenMMLabCheckpoint, load_checkpoint

__all__ = ["OpenMMLabCheckpoint", "load_checkpoint"]
