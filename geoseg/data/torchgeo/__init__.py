"""Parts of the ``torchgeo`` dataset: creating datasets, their class and band names, and reading samples."""
