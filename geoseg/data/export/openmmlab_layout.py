"""Write crops in the layout of OpenMMLab's converters: ``img_dir/SPLIT/NAME.png`` and ``ann_dir/SPLIT/NAME.png``.

The names contain the position of a crop, and the labels have the values that OpenMMLab's configurations expect.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geoseg._output_files import output_errors
from geoseg.data.export.crop_sources import CropSource, WindowPixels
from geoseg.errors import DataError
from geoseg.grid.grid import Grid
from geoseg.grid.patch_positions import PatchRule, patch_windows
from geoseg.grid.window import Window
from geoseg.raster.writers.crop_files import write_crop_png


@dataclass(frozen=True)
class OpenmmlabLayout:
    """Windows, names and label values used by the converter for a benchmark."""

    rule: PatchRule | None
    """Rule that places the windows; None for whole images."""
    image_name: Callable[[str, Window], str]
    """Function that returns the name of an image file, given the name of the scene and the window."""
    label_name: Callable[[str], str]
    """Function that returns the name of a label file, given the name of the image file."""
    first_class: int
    """Label value of class 0. If it is 1, unlabeled pixels are 0; otherwise, they are 255."""

    def windows(self, grid: Grid) -> Iterator[Window]:
        """Return the windows of a scene."""
        return iter([grid.window]) if self.rule is None else patch_windows(grid.height, grid.width, self.rule)

    def write(self, folder: Path, source: CropSource, window: Window, pixels: WindowPixels) -> None:
        """Write the image and label of one window.

        Args:
            folder: Folder of all crops.
            source: The scene.
            window: Window of the scene.
            pixels: Pixels of the window.

        Raises:
            SceneError: If the image cannot be written as PNG.
            OutputError: If a file cannot be written.
        """
        name = self.image_name(source.name, window)
        images, labels = folder / "img_dir" / source.split, folder / "ann_dir" / source.split
        with output_errors(images):
            images.mkdir(parents=True, exist_ok=True)
        write_crop_png(images / name, pixels.values)
        if pixels.target is not None:
            with output_errors(labels):
                labels.mkdir(parents=True, exist_ok=True)
            values = pixels.target + np.uint8(
                self.first_class
            )  # 255 + 1 overflows to 0, the value of unlabeled pixels in the files
            write_crop_png(labels / self.label_name(name), values[None])


def _by_corners(scene: str, window: Window) -> str:
    return f"{scene}_{window.col}_{window.row}_{window.col_stop}_{window.row_stop}.png"


def _by_rows(scene: str, window: Window) -> str:
    return f"{scene}_{window.row}_{window.row_stop}_{window.col}_{window.col_stop}.png"


OPENMMLAB_LAYOUTS = {
    "potsdam": OpenmmlabLayout("isprs", _by_corners, str, 1),
    "vaihingen": OpenmmlabLayout("isprs", _by_corners, str, 1),
    "isaid": OpenmmlabLayout("isaid", _by_rows, lambda name: f"{Path(name).stem}_instance_color_RGB.png", 0),
    "loveda": OpenmmlabLayout(None, lambda scene, _: f"{scene.rpartition('/')[2]}.png", str, 1),
}
"""Mapping from dataset names to layouts."""


def select_layout(sources: Sequence[CropSource]) -> OpenmmlabLayout:
    """Return the layout of the benchmark that all sources belong to.

    Raises:
        DataError: If the sources are not prepared scenes of a single benchmark with such a layout.
    """
    names = {source.dataset for source in sources}
    if len(names) != 1 or not names <= set(OPENMMLAB_LAYOUTS):
        raise DataError(
            "the openmmlab layout requires scenes that were prepared from a single benchmark",
            f"use the folder that geoseg prepare wrote for one of: {', '.join(OPENMMLAB_LAYOUTS)}",
        )
    return OPENMMLAB_LAYOUTS[names.pop()]
