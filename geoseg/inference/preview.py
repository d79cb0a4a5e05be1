"""A picture of a prediction to look at before any GIS program is open: the scene, and the mask over it."""

from pathlib import Path

from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.plotting.images import blend, overview, panel, shown_bands, stretch, write_png
from geoseg.raster.scene import Scene

OPACITY = 0.55
"""Of the mask over the scene."""


def write_preview(scene: Scene, window: Window, mask: str | Path, output: str | Path, *, longest: int = 1024) -> None:
    """Draw a window of a scene beside its mask into a PNG, ``longest`` pixels the longer side of each.

    :class:`OutputError` if it cannot be written.
    """
    with Scene.open(mask) as predicted:
        reduced, legend = overview(predicted, longest), predicted.legend
    seen = scene.read(window, shape=reduced.grid.shape)
    image = stretch(seen, shown_bands(scene.bands))
    assert legend is not None, f"{mask} is no mask of geoseg's"
    class_index = reduced.fill(IGNORE_INDEX)[0]
    drawn = blend(image, legend.draw(class_index), opacity=OPACITY, valid=reduced.valid)
    write_png(output, panel([(scene.name, image), ("mask", drawn)], legend=legend))
