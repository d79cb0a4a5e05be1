"""Sample crops from prepared scenes, and batch them for training."""
