"""Sliding-window prediction as in mmsegmentation: the logits of windows at a regular stride are averaged."""
