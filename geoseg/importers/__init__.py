"""Convert published checkpoints from other projects to bundles."""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.importers.import_checkpoint import ImportedModel as ImportedModel

_MODULES = {
    "ImportedModel": "geoseg.importers.import_checkpoint",
}

__all__ = [
    "ImportedModel",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
