"""Evaluate masks against reference rasters or polygons, without loading torch."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg._output_files import VECTOR_SUFFIXES
from geoseg.errors import SceneError
from geoseg.evaluation.accumulate_counts import STRIP_ROWS, CountOptions, ScenePair, WindowReader
from geoseg.evaluation.options import DEFAULTS, EvaluationOptions
from geoseg.evaluation.protocols import select_protocols
from geoseg.evaluation.reference import SceneFiles, match_files, open_reference
from geoseg.evaluation.result import Evaluation, SceneCallback
from geoseg.evaluation.scene_loop import EvaluationScene, EvaluationTask, evaluate_task
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend, make_numbered_legend
from geoseg.progress import Progress, silent
from geoseg.raster.read_confidence import open_confidence
from geoseg.raster.scene import Scene

UNLABELLED_HINT = "name the right reference, or its background class"


def evaluate_mask(
    mask: str | Path,
    reference: str | Path,
    options: EvaluationOptions = DEFAULTS,
    *,
    confidence: str | Path | None = None,
    scene: str | Path | None = None,
    progress: Progress = silent,
    on_scene: SceneCallback | None = None,
) -> Evaluation:
    """Evaluate masks against references; files are matched by name.

    Classes of a reference raster are matched by name if it has a legend, otherwise by color or index. Polygons may be
    in any CRS.

    Args:
        mask: Mask file, folder or pattern.
        reference: Raster or vector file, folder or pattern.
        options: What is counted, and how references are read; options of prediction have no effect.
        confidence: Rasters of confidence or class probabilities, for calibration.
        scene: Images that the masks were predicted from, for ``on_scene``.
        progress: Called with the number of masks, and with the strips of each one.
        on_scene: Called after each mask, while its files are open.

    Raises:
        GridMismatch: Mask and reference have different grids, and ``options.resample`` is off.
        DataError: A reference is missing, has unknown values, or has no label at all.
        SceneError: A file is not a mask.
    """
    files = match_files(mask, reference, confidence=confidence, image=scene)
    legend = _common_legend(files)
    count_options = options.count_options(legend, select_protocols("", options.protocols, legend=legend))
    task = EvaluationTask(
        legend,
        count_options,
        scenes=[(each.name, partial(_open_mask, each, legend, count_options, options)) for each in files],
        about={"masks": str(mask), "reference": str(reference), "resampled": options.resample},
        description="evaluating masks",
        source=f"{mask} in {reference}",
        unlabelled_hint=UNLABELLED_HINT,
    )
    return evaluate_task(task, progress=progress, on_scene=on_scene)


@contextmanager
def _open_mask(
    paths: SceneFiles, legend: Legend, count_options: CountOptions, options: EvaluationOptions
) -> Iterator[EvaluationScene]:
    with ExitStack() as files:
        mask = files.enter_context(Scene.open(paths.path))
        image = None if paths.image is None else files.enter_context(Scene.open(paths.image))
        labels = files.enter_context(open_reference(paths.reference, mask.grid, legend, options))
        confidence = None
        if paths.confidence is not None:
            confidence = files.enter_context(open_confidence(paths.confidence, mask.grid, legend)).read_levels
        pair = ScenePair(
            name=paths.name,
            shape=mask.grid.shape,
            classes=len(legend),
            predicted=_mask_reader(mask, legend),
            reference=labels.read,
            confidence=confidence,
            pixel_m=count_options.pixel_size_m(mask.grid, options.gsd, mask.path),
        )
        yield EvaluationScene(pair, image)


def _mask_reader(scene: Scene, legend: Legend) -> WindowReader:
    """Return a reader of class indices of ``legend``, matched by name if the mask has its own legend."""
    table = None if scene.legend is None or scene.legend == legend else scene.legend.mapping_to(legend)

    def read(window: Window) -> NDArray[np.uint8]:
        raster = scene.read(window, nearest=True)
        class_index = np.where(raster.valid, raster.values[0], np.uint8(IGNORE_INDEX))
        return class_index if table is None else table[class_index]

    return read


def _common_legend(files: Sequence[SceneFiles]) -> Legend:
    """Return the first legend in the masks, or classes named after all values that occur."""
    values = {0}
    for each in files:
        if each.path.suffix.lower() in VECTOR_SUFFIXES:
            raise SceneError(
                f"{each.path} is a vector file, not a mask",
                "masks must be rasters; only references may be vector files",
            )
        with Scene.open(each.path) as mask:
            _require_mask(mask)
            if mask.legend is not None:
                return mask.legend
            values |= set(_values(mask))
    return make_numbered_legend(values)


def _require_mask(scene: Scene) -> None:
    if len(scene.bands) != 1 or scene.dtype != np.uint8:
        bands = f"{len(scene.bands)} bands of {scene.dtype}"
        raise SceneError(f"{scene.path} is not a mask: it has {bands}", "a mask has one band of uint8 class indices")


def _values(scene: Scene) -> Iterator[int]:
    for window in strips(scene.grid.height, scene.grid.width, STRIP_ROWS):
        raster = scene.read(window, nearest=True)
        values = np.unique(raster.values[0][raster.valid])
        yield from (int(value) for value in values if value != IGNORE_INDEX)
