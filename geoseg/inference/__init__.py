"""Scene and bundle to mask: `choose`, `plan`, `reading`, `flow`, `predictor`, `blend`, `predict`."""
