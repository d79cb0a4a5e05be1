"""Load checkpoints from OpenMMLab's mmsegmentation."""
