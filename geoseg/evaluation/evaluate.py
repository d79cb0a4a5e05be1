"""Masks against references: every labelled pixel is counted once, counts are added up, and only then become scores."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.bundle import Bundle, load
from geoseg.config.recipe import Recipe
from geoseg.data.dataset import LabelledScene
from geoseg.data.encoding import Encoding, encoding, kind_of
from geoseg.data.labels import LabelReader
from geoseg.data.prepare import open_dataset
from geoseg.errors import ConfigError, DataError, SceneError
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.inference.predict import predict
from geoseg.legend import Legend, numbered
from geoseg.metrics import ConfusionMatrix
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene
from geoseg.raster.sinks.memory import MemorySink

STRIP_ROWS = 1024
"""Rows that are compared at once."""

PROTOCOL = "scenes: every labelled pixel once, all classes, counts added up over scenes"
"""How the numbers were counted; it stands beside them wherever they are shown."""


@dataclass(frozen=True)
class Evaluation:
    """Counts per scene, with the classes they are about."""

    legend: Legend
    """Classes in the order of the counts' rows and columns."""
    scenes: dict[str, ConfusionMatrix]
    """Counts by name of the scene."""
    protocol: str = PROTOCOL
    """How pixels were counted."""

    @property
    def total(self) -> ConfusionMatrix:
        """The counts of all scenes added up."""
        return reduce(add, self.scenes.values())


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
            counts = _counted(_mask_reader(scene), reader, len(legend), progress, scene.name)
            _require_known(reader)
    return Evaluation(legend, {scene.name: counts})


def evaluate_model(
    recipe: Recipe, *, model: str | Path | Bundle, split: str = "val", device: str = "auto", progress: Progress = silent
) -> Evaluation:
    """A model on a split of a recipe's dataset: whole scenes are predicted and compared at their own resolution.

    The model's classes are matched with the dataset's by name; classes the dataset does not know count as missed.
    """
    bundle = model if isinstance(model, Bundle) else load(model)
    dataset = open_dataset(recipe.data)
    table = bundle.card.legend.mapping_to(dataset.legend)
    if (table == 255).all():
        names = ", ".join(bundle.card.legend.names)
        raise DataError(
            f"the model's classes ({names}) are none of the dataset's", "evaluate with the model's own recipe"
        )
    counts = {}
    for labelled in dataset.scenes(split):
        counts[labelled.name] = _predicted_and_counted(
            labelled, bundle, recipe, dataset.encoding, table, device, progress
        )
    return Evaluation(dataset.legend, counts)


def _predicted_and_counted(
    labelled: LabelledScene, bundle: Bundle, recipe: Recipe, meaning: Encoding, table: NDArray[np.uint8], device: str,
    progress: Progress,
) -> ConfusionMatrix:  # fmt: skip
    sink = MemorySink()
    predict(labelled.image, sink, model=bundle, device=device, bands=recipe.data.bands, progress=progress)
    mask = table[sink.mask]
    with Scene.open(labelled.image) as scene, closing(LabelReader(labelled.label, scene.grid, meaning)) as reader:
        return _counted(
            lambda window: mask[window.slices()], reader, int(table[table < 255].max()) + 1, progress, labelled.name
        )


def _counted(
    predicted: Callable[[Window], NDArray[np.uint8]], reader: LabelReader, classes: int, progress: Progress, name: str
) -> ConfusionMatrix:
    """Counts over a whole scene, strip by strip."""
    counts = ConfusionMatrix(classes)
    windows = list(strips(reader.grid.height, reader.grid.width, STRIP_ROWS))
    with progress(len(windows), f"comparing {name}") as task:
        for window in windows:
            counts.update(predicted(window), reader.read(window))
            task.advance()
    return counts


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
        return Encoding("index", values={index: int(table[index]) for index in (*range(len(scene.legend)), 255)})


def _mask_reader(scene: Scene) -> Callable[[Window], NDArray[np.uint8]]:
    def read(window: Window) -> NDArray[np.uint8]:
        raster = scene.read(window, nearest=True)
        return np.where(raster.valid, raster.values[0], 255).astype(np.uint8)

    return read


def _require_mask(scene: Scene) -> None:
    if len(scene.bands) != 1 or scene.dtype != np.uint8:
        bands = f"{len(scene.bands)} bands of {scene.dtype}"
        raise SceneError(f"{scene.path} is no mask: it has {bands}", "a mask has one band of uint8 class indices")


def _values(scene: Scene) -> Iterator[int]:
    for window in strips(scene.grid.height, scene.grid.width, STRIP_ROWS):
        raster = scene.read(window, nearest=True)
        found = np.unique(raster.values[0][raster.valid])
        yield from (int(value) for value in found if value != 255)


def _require_known(reader: LabelReader) -> None:
    if reader.unknown:
        raise DataError(
            f"{reader.label}: {reader.unknown_share():.2%} of the pixels are no class of the mask: {reader.unknown_text()}",
            "mask and reference must use the same classes",
        )
