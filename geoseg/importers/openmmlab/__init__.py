"""Published OpenMMLab checkpoints as networks of ours: ``load_checkpoint``. (Parameter names: ``models/zoo_names``.)"""

from geoseg.importers.openmmlab.load_checkpoint import ZooCheckpoint, load_checkpoint

__all__ = ["ZooCheckpoint", "load_checkpoint"]
