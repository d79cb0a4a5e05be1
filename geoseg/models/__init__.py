"""Networks: `network` (backbone to logits), `build`, `layers`, `backbones/`, `heads/`."""
