"""Evaluate masks against reference rasters or polygons, without loading torch.

The classes come from the first legend found. If there is none, every value in the masks and references is a class.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg._output_files import VECTOR_SUFFIXES
from geoseg.data.label_encoding import LabelEncoding
from geoseg.data.label_reader import LabelReader
from geoseg.errors import SceneError
from geoseg.evaluation.accumulate_counts import CountOptions, ScenePair, WindowReader
from geoseg.evaluation.options import DEFAULTS, EvaluationOptions
from geoseg.evaluation.protocols import select_protocols
from geoseg.evaluation.reference import SceneFiles, match_files, open_reference, require_known_values
from geoseg.evaluation.result import Evaluation, SceneCallback
from geoseg.evaluation.scene_loop import EvaluationScene, EvaluationTask, evaluate_task
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.progress import NOTICE, Progress, silent
from geoseg.raster.class_values import (
    ClassValues,
    IgnoredValues,
    count_values,
    integer_nodata,
    require_class_values,
)
from geoseg.raster.read_confidence import open_confidence
from geoseg.raster.scene import Scene

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CommonClasses:
    """Classes shared by all masks of an evaluation."""

    legend: Legend
    """The classes."""
    values: Mapping[int, int]
    """Mapping from pixel values to class indices, for files without a legend."""
    ignored: IgnoredValues
    """Values that have no class, as specified by the user."""

    def encoding(self, mask: Scene) -> LabelEncoding:
        """Return the encoding of a mask without a legend; a declared nodata value is a class only if requested."""
        nodata = None if self.ignored.keeps_nodata else integer_nodata(mask)
        values = {value: index for value, index in self.values.items() if value != nodata}
        return LabelEncoding("index", values=values | dict.fromkeys(self.ignored.values, IGNORE_INDEX))


def read_mask_classes(files: Sequence[SceneFiles], ignored: IgnoredValues) -> CommonClasses:
    """Return the first legend in the masks, or classes named after the values in masks and reference rasters.

    Args:
        files: The masks and their references.
        ignored: Values that have no class, as specified by the user.

    Raises:
        SceneError: If a file is not a mask.
    """
    values: set[int] = set()
    for each in files:
        if each.path.suffix.lower() in VECTOR_SUFFIXES:
            raise SceneError(
                f"{each.path} is a vector file, not a mask",
                "masks must be rasters; only references may be vector files",
            )
        with Scene.open(each.path) as mask:
            require_class_values(mask)
            if mask.legend is not None:
                return CommonClasses(mask.legend, {index: index for index in range(len(mask.legend))}, ignored)
            values |= set(count_values(mask, ignored))
    for path in {each.reference for each in files}:
        values |= _reference_values(path, ignored)
    classes = ClassValues.of(values)
    if IGNORE_INDEX in values:
        logger.log(
            NOTICE,
            "%s has no legend, so its values are used as classes, including 255; use --ignore 255 if it means no class",
            files[0].path,
        )
    return CommonClasses(classes.legend, classes.indices, ignored)


def _reference_values(path: Path, ignored: IgnoredValues) -> set[int]:
    """Return the class values in a reference raster if it encodes classes by value and has no legend."""
    if path.suffix.lower() in VECTOR_SUFFIXES:
        return set()
    with Scene.open(path) as scene:
        if scene.legend is not None or len(scene.bands) != 1 or scene.dtype.kind not in "iub":
            return set()
        return set(count_values(scene, ignored))


UNLABELLED_HINT = "specify the correct reference, or its background class"


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
        options: What is counted and how references are read; prediction options have no effect.
        confidence: Confidence or probability rasters, used for calibration.
        scene: Images that the masks were predicted from, passed to ``on_scene``.
        progress: Reports the number of finished masks, and of finished strips in each mask.
        on_scene: Called after each mask, while its files are open.

    Raises:
        GridMismatch: If a mask and its reference have different grids and ``options.resample`` is off.
        DataError: If a reference is missing, has unknown values, or has no labels at all.
        SceneError: If a file is not a mask.
    """
    files = match_files(mask, reference, confidence=confidence, image=scene)
    classes = read_mask_classes(
        files, IgnoredValues.parse(options.ignore, skip_others=_has_other_values(files, options))
    )
    legend = classes.legend
    count_options = options.count_options(legend, select_protocols("", options.protocols, legend=legend))
    task = EvaluationTask(
        legend,
        count_options,
        scenes=[(each.name, partial(_open_mask, each, classes, count_options, options)) for each in files],
        about={"masks": str(mask), "reference": str(reference), "resampled": options.resample},
        description="evaluating masks",
        source=f"{mask} in {reference}",
        unlabelled_hint=UNLABELLED_HINT,
    )
    return evaluate_task(task, progress=progress, on_scene=on_scene)


@contextmanager
def _open_mask(
    paths: SceneFiles, classes: CommonClasses, count_options: CountOptions, options: EvaluationOptions
) -> Iterator[EvaluationScene]:
    legend = classes.legend
    with ExitStack() as files:
        mask = files.enter_context(Scene.open(paths.path))
        image = None if paths.image is None else files.enter_context(Scene.open(paths.image))
        labels = files.enter_context(open_reference(paths.reference, mask.grid, legend, options, classes.values))
        confidence = None
        if paths.confidence is not None:
            confidence = files.enter_context(open_confidence(paths.confidence, mask.grid, legend)).read_levels
        pair = ScenePair(
            name=paths.name,
            shape=mask.grid.shape,
            classes=len(legend),
            predicted=files.enter_context(_open_mask_values(mask, classes)),
            reference=labels.read,
            confidence=confidence,
            pixel_m=count_options.pixel_size_m(mask.grid, options.gsd, mask.path),
        )
        yield EvaluationScene(pair, image, notes=labels.notes, find_miss=labels.find_miss)


@contextmanager
def _open_mask_values(mask: Scene, classes: CommonClasses) -> Iterator[WindowReader]:
    """Open a mask as class indices of the legend. Classes are matched by name if the mask has a legend, otherwise by
    value.

    Raises:
        SceneError: If the mask has several bands or does not contain integers.
        DataError: If a mask without a legend has values that are not classes; raised when the context closes.
    """
    require_class_values(mask)
    if mask.legend is not None:
        yield _reader_by_name(mask, mask.legend, classes)
        return
    with closing(LabelReader(Path(mask.path), mask.grid, classes.encoding(mask))) as reader:
        yield reader.read
        require_known_values(reader, "the first mask's legend")


def _has_other_values(files: Sequence[SceneFiles], options: EvaluationOptions) -> bool:
    """Report whether ``ignore`` may contain attribute values or colors besides pixel values."""
    rasters = [each.reference for each in files if each.reference.suffix.lower() not in VECTOR_SUFFIXES]
    return bool(rasters) or options.column is not None


def _reader_by_name(scene: Scene, own: Legend, classes: CommonClasses) -> WindowReader:
    table = np.arange(IGNORE_INDEX + 1, dtype=np.uint8) if own == classes.legend else own.mapping_to(classes.legend)
    table[[value for value in classes.ignored.values if 0 <= value <= IGNORE_INDEX]] = IGNORE_INDEX

    def read(window: Window) -> NDArray[np.uint8]:
        raster = scene.read(window, nearest=True)
        class_index: NDArray[np.uint8] = table[np.where(raster.valid, raster.values[0], np.uint8(IGNORE_INDEX))]
        return class_index

    return read
