"""The result of a prediction: the mask, statistics, a summary for notebooks, and preview images."""

import base64
import io
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from geoseg._text import percent
from geoseg.errors import GeosegError, OutputError
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.plotting.images import blend, compose_panel, write_png
from geoseg.raster.display import choose_rgb_bands, render_rgb
from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene

PREVIEW_MASK_OPACITY = 0.55
"""Opacity of the mask when it is drawn over the scene in a preview."""

THUMBNAIL_PIXELS = 320
"""Length of the longer side of the thumbnail in notebooks, in pixels."""

OVERVIEW_PIXELS = 1024
"""Length of the longer side of the overview from which class shares are computed, in pixels."""


@dataclass(frozen=True, repr=False)
class Prediction:
    """The result of a prediction."""

    path: Path | None
    """The file of the mask; None if there is none."""
    shape: tuple[int, int]
    """(height, width) of the mask, which covers the scene or the requested area."""
    tiles: int
    """Number of predicted tiles, excluding tiles that were already finished when the prediction was resumed."""
    skipped: int
    """Number of tiles that were not passed to the network because they do not contain any valid, requested pixels."""
    seconds: float
    """Wall time, including loading the model."""
    device: str
    """Device, engine and precision that were used."""
    notes: tuple[str, ...]
    """Notes for the user about this scene with this model, one sentence each."""
    edges: tuple[list[int], list[int]]
    """Rows and columns of the mask at which tiles meet and seams could appear."""
    legend: Legend
    """Classes of the mask."""
    memory_mask: Raster | None = None
    """The mask, if it was predicted in memory; use :attr:`mask` instead."""

    @property
    def mask(self) -> Raster:
        """Class indices as one band, axes (band, row, col), on the mask's grid; not valid where nothing was predicted.

        If the mask was written to a file, it is read back from that file.

        Raises:
            OutputError: If the mask was passed to a caller-supplied writer and is therefore not available.
        """
        if self.memory_mask is not None:
            return self.memory_mask
        with Scene.open(self._require_path()) as scene:
            return scene.read(scene.grid.window, nearest=True)

    @cached_property
    def class_shares(self) -> dict[str, float]:
        """Fraction of the predicted pixels in each class, counted in an overview of the mask; largest first."""
        overview = self._overview(OVERVIEW_PIXELS)
        counts = np.bincount(overview.values[0][overview.valid], minlength=len(self.legend))[: len(self.legend)]
        shares = zip(self.legend.names, (counts / max(counts.sum(), 1)).tolist(), strict=True)
        return dict(sorted(shares, key=lambda item: -item[1]))

    def __repr__(self) -> str:
        lines = (f"  {name}: {value}" for name, value in self._facts().items())
        return "\n".join(["Prediction", *lines])

    def _repr_html_(self) -> str:
        """Return a table of the properties with a thumbnail of the mask, for notebooks."""
        rows = (f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in self._facts().items())
        return f"<table>{''.join(rows)}</table>{self._thumbnail()}"

    def _facts(self) -> dict[str, str]:
        height, width = self.shape
        facts = {
            "mask": "in memory" if self.path is None else str(self.path),
            "size": f"{height} rows x {width} columns",
            "classes": ", ".join(f"{name} {percent(share)}%" for name, share in self._shares_if_readable().items()),
            "tiles": f"{self.tiles} ({self.skipped} skipped)",
            "time": f"{self.seconds:.1f} s on {self.device}",
            "notes": "; ".join(self.notes),
        }
        return {name: value for name, value in facts.items() if value}

    def _thumbnail(self) -> str:
        """Return a small image of the mask as HTML; empty if it cannot be read."""
        try:
            overview = self._overview(THUMBNAIL_PIXELS)
        except GeosegError:
            return ""
        file = io.BytesIO()
        Image.fromarray(self.legend.draw(overview.fill(IGNORE_INDEX)[0])).save(file, "PNG")
        return f'<img src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}" alt="mask">'

    def _shares_if_readable(self) -> dict[str, float]:
        try:
            return self.class_shares
        except GeosegError:
            return {}

    def _overview(self, longest: int) -> Raster:
        if self.memory_mask is None:
            with Scene.open(self._require_path()) as scene:
                return scene.read_overview(longest)
        mask, step = self.memory_mask, max(-(-max(self.shape) // longest), 1)
        values, valid = mask.values[:, ::step, ::step], mask.valid[::step, ::step]
        return Raster(values, valid, mask.grid.with_shape(*valid.shape))

    def _require_path(self) -> Path:
        if self.path is None:
            raise OutputError("the mask was passed to a caller-supplied writer", "read it from there")
        return self.path


def write_preview(scene: Scene, window: Window, mask: str | Path, output: str | Path, *, longest: int = 1024) -> None:
    """Write a PNG that shows a window of a scene next to its mask.

    Args:
        scene: The scene.
        window: The window that the mask covers.
        mask: The file of the mask.
        output: The PNG to write.
        longest: Length of the longer side of each image in pixels.

    Raises:
        OutputError: If the PNG cannot be written.
    """
    with Scene.open(mask) as predicted:
        reduced, legend = predicted.read_overview(longest), predicted.legend
    raster = scene.read(window, shape=reduced.grid.shape)
    image = render_rgb(raster, choose_rgb_bands(scene.bands))
    assert legend is not None, f"{mask} is not a mask of geoseg"
    class_index = reduced.fill(IGNORE_INDEX)[0]
    drawn = blend(image, legend.draw(class_index), opacity=PREVIEW_MASK_OPACITY, valid=reduced.valid)
    write_png(output, compose_panel([(scene.name, image), ("mask", drawn)], legend=legend))
