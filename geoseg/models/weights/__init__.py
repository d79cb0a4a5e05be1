"""Read pretrained weights and translate parameter names of other projects."""
