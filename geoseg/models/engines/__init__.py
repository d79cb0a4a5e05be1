"""Ways to run a network: ``pytorch`` everywhere, ``openvino`` faster on CPUs; ``choose`` says which one and when."""
