"""Classes of evaluated masks: the legend in a file, or the values that occur in masks and references without a legend."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from geoseg._output_files import VECTOR_SUFFIXES
from geoseg.data.label_encoding import LabelEncoding
from geoseg.errors import SceneError
from geoseg.evaluation.reference import SceneFiles
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.progress import NOTICE
from geoseg.raster.class_values import (
    ClassValues,
    IgnoredValues,
    count_values,
    integer_nodata,
    require_class_values,
)
from geoseg.raster.scene import Scene

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MaskClasses:
    """Classes of the masks of one evaluation."""

    legend: Legend
    """The classes."""
    values: Mapping[int, int]
    """Class index by pixel value, of files without a legend."""
    ignored: IgnoredValues
    """What the user says about values without a class."""

    def encoding(self, mask: Scene) -> LabelEncoding:
        """Return how a mask without a legend encodes the classes: a declared nodata is none unless the user says so."""
        nodata = None if self.ignored.keeps_nodata else integer_nodata(mask)
        values = {value: index for value, index in self.values.items() if value != nodata}
        return LabelEncoding("index", values=values | dict.fromkeys(self.ignored.values, IGNORE_INDEX))


def read_mask_classes(files: Sequence[SceneFiles], ignored: IgnoredValues) -> MaskClasses:
    """Return the first legend in the masks, or classes named after all values of masks and reference rasters.

    Args:
        files: Masks and their references.
        ignored: What the user says about values without a class.

    Raises:
        SceneError: A file is not a mask.
    """
    values: set[int] = set()
    for each in files:
        if each.path.suffix.lower() in VECTOR_SUFFIXES:
            raise SceneError(
                f"{each.path} is a vector file, not a mask", "masks are rasters, references may be vectors"
            )
        with Scene.open(each.path) as mask:
            require_class_values(mask)
            if mask.legend is not None:
                return MaskClasses(mask.legend, {index: index for index in range(len(mask.legend))}, ignored)
            values |= set(count_values(mask, ignored))
    for path in {each.reference for each in files}:
        values |= _reference_values(path, ignored)
    classes = ClassValues.of(values)
    if IGNORE_INDEX in values:
        logger.log(
            NOTICE,
            "%s has no legend, so its values are its classes, and 255 is one of them; --ignore 255 if it means no class",
            files[0].path,
        )
    return MaskClasses(classes.legend, classes.indices, ignored)


def _reference_values(path: Path, ignored: IgnoredValues) -> set[int]:
    """Return the class values of a reference raster that encodes classes by value and has no legend."""
    if path.suffix.lower() in VECTOR_SUFFIXES:
        return set()
    with Scene.open(path) as scene:
        if scene.legend is not None or len(scene.bands) != 1 or scene.dtype.kind not in "iub":
            return set()
        return set(count_values(scene, ignored))
