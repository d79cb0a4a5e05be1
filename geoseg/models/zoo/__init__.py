"""Published OpenMMLab checkpoints as networks of ours: ``load_checkpoint``. (Parameter names: ``models/zoo_names``.)"""

from geoseg.models.zoo.checkpoint import ZooCheckpoint, load_checkpoint

__all__ = ["ZooCheckpoint", "load_checkpoint"]
