"""Convert published checkpoints of other projects to bundles."""
