"""Inference engines: ``pytorch`` on every device, ``openvino`` for faster CPUs; ``select`` chooses between them."""
