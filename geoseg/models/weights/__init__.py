"""Read pretrained weights and translate parameter names from other projects."""
