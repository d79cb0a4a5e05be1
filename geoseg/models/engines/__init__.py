"""Inference engines: ``pytorch`` for every device, and ``openvino``, which is faster on CPUs; ``select`` chooses one."""
