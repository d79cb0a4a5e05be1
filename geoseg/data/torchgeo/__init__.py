"""Helpers for the ``torchgeo`` dataset, which create datasets, find their class and band names, and read samples."""
