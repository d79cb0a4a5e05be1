"""Scene and bundle to mask: `choose`, `predictor`, `predict`."""
