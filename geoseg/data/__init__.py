"""Labelled scenes to crops: `dataset`, `labels`, `prepare`, `crop`, `loader`, `datasets/`, `samplers/`."""
