"""Load checkpoints of OpenMMLab's mmsegmentation."""
