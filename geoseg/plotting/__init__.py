"""Figures: composition of RGB images, and panels of a scene with its mask and reference."""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.plotting.images import compose_panel as compose_panel
    from geoseg.plotting.images import write_png as write_png
    from geoseg.plotting.panels import plot_scene as plot_scene

_MODULES = {
    "compose_panel": "geoseg.plotting.images",
    "plot_scene": "geoseg.plotting.panels",
    "write_png": "geoseg.plotting.images",
}

__all__ = [
    "compose_panel",
    "plot_scene",
    "write_png",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
