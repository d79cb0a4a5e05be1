"""Sliding-window prediction as in mmsegmentation: windows at a regular stride whose logits are averaged."""
