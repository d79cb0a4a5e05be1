"""Convert the scenes of a dataset to files that can be cropped quickly."""
