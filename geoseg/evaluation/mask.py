"""``evaluate_mask``: a mask against a reference raster or polygons. Loads no torch."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.data.encoding import Encoding, encoding, kind_of
from geoseg.data.labels import LabelReader
from geoseg.errors import ConfigError, DataError, SceneError
from geoseg.evaluation.evaluation import STRIP_ROWS, Evaluation, count
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend, numbered
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene


def evaluate_mask(
    mask: str | Path,
    reference: str | Path,
    *,
    column: str | None = None,
    polygon_class: str | None = None,
    background: str | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """A mask against a reference raster on the same grid, or against polygons in any CRS.

    The reference's classes are matched by name where it has a legend, by index or by colour otherwise. Polygons take
    their class from the attribute ``column``, or are all of ``polygon_class`` (the legend's last class if not given);
    pixels outside are of the class ``background``, or do not count. Raises :class:`GridMismatch` for another grid.
    """
    with Scene.open(mask) as scene:
        _require_mask(scene)
        legend = scene.legend or numbered(_values(scene))
        meaning = _meaning(Path(reference), legend, column=column, polygon_class=polygon_class, background=background)
        with closing(LabelReader(Path(reference), scene.grid, meaning)) as reader:
            counts = count(_mask_reader(scene), reader, len(legend), progress=progress, name=scene.name)
            _require_known(reader)
            if not counts.in_reference.any():
                hint = "name the right reference, or its background class"
                raise DataError(f"{reference} labels no pixel of {scene.name}", hint)
    return Evaluation(legend, {scene.name: counts})


def _meaning(
    reference: Path, legend: Legend, *, column: str | None, polygon_class: str | None, background: str | None
) -> Encoding:
    """How a reference writes the classes of ``legend``."""
    if kind_of(reference, 0, has_palette=False) == "polygon":
        return encoding(legend, "polygon", column=column, polygon_class=polygon_class, background=background)
    if column or polygon_class or background:
        raise ConfigError(
            f"{reference} is a raster, so it has no attributes", "column, class and background are for polygons"
        )
    with Scene.open(reference) as scene:
        if scene.legend is None:
            return encoding(legend, "colour" if len(scene.bands) >= 3 else "index")
        table = scene.legend.mapping_to(legend)
        return Encoding(
            "index", values={index: int(table[index]) for index in (*range(len(scene.legend)), IGNORE_INDEX)}
        )


def _mask_reader(scene: Scene) -> Callable[[Window], NDArray[np.uint8]]:
    def read(window: Window) -> NDArray[np.uint8]:
        raster = scene.read(window, nearest=True)
        return np.where(raster.valid, raster.values[0], IGNORE_INDEX).astype(np.uint8)

    return read


def _require_mask(scene: Scene) -> None:
    if len(scene.bands) != 1 or scene.dtype != np.uint8:
        bands = f"{len(scene.bands)} bands of {scene.dtype}"
        raise SceneError(f"{scene.path} is no mask: it has {bands}", "a mask has one band of uint8 class indices")


def _values(scene: Scene) -> Iterator[int]:
    for window in strips(scene.grid.height, scene.grid.width, STRIP_ROWS):
        raster = scene.read(window, nearest=True)
        found = np.unique(raster.values[0][raster.valid])
        yield from (int(value) for value in found if value != IGNORE_INDEX)


def _require_known(reader: LabelReader) -> None:
    if reader.unknown:
        raise DataError(
            f"{reader.label}: {reader.unknown_share():.2%} of the pixels are no class of the mask: {reader.unknown_text()}",
            "mask and reference must use the same classes",
        )
