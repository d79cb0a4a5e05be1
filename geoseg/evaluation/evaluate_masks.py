"""``evaluate_mask``: masks against reference rasters or polygons. Loads no torch."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg._files import VECTOR_SUFFIXES
from geoseg.errors import SceneError
from geoseg.evaluation.accumulate_counts import STRIP_ROWS, Judged, Reader, Wishes, count
from geoseg.evaluation.confidence import open_confidence
from geoseg.evaluation.pairing import Pair, find_pairs
from geoseg.evaluation.protocols import protocols_of
from geoseg.evaluation.reference import ReferenceOptions, open_reference
from geoseg.evaluation.result import Evaluation, SceneTally, Seen, Watch, nobody
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
    resample: bool = False,
    ignore: Sequence[str] = (),
    confidence: str | Path | None = None,
    scene: str | Path | None = None,
    protocols: Sequence[str] = (),
    boundary_m: float | None = None,
    objects: Sequence[str] = (),
    gsd: float | None = None,
    progress: Progress = silent,
    watch: Watch = nobody,
) -> Evaluation:
    """Masks (a file, a folder, a pattern) against reference rasters on the same grid, or against polygons in any CRS.

    Files go together by name. The reference's classes are matched by name where it has a legend, by index or by colour
    otherwise. Polygons take their class from the attribute ``column``, or are all of ``polygon_class`` (the legend's last
    class if not given); pixels outside are of the class ``background``, or do not count. Another grid raises
    :class:`GridMismatch`, unless ``resample`` says to look up the reference at the centres of the mask's pixels. ``ignore``
    names numbers or colours of rasters that mean "not labelled".

    ``confidence`` names rasters of confidences or probabilities, ``scene`` what the masks were made of, for whoever
    draws them (``watch``); ``boundary_m`` is the tolerance of borders in metres (``gsd``: metres per pixel where a mask
    has no CRS), ``objects`` the classes whose objects are counted. ``protocols`` counts by others than ``scenes``, too.
    """
    pairs = find_pairs(mask, reference, confidence=confidence, image=scene)
    legend = _common_legend(pairs)
    wishes = Wishes.of(legend, protocols_of("", protocols, legend=legend), boundary_m, objects)
    options = ReferenceOptions(column, polygon_class, background, resample, tuple(ignore))
    tallies = []
    with progress(len(pairs), "evaluating masks") as task:
        for pair in pairs:
            tallies.append(_judged(pair, legend, wishes, options, gsd, progress=progress, watch=watch))
            task.advance(note=pair.name)
    about = {"masks": str(mask), "reference": str(reference), "resampled": resample}
    evaluation = Evaluation(legend, tuple(tallies), wishes, about)
    evaluation.require_labelled(f"{mask} in {reference}", "name the right reference, or its background class")
    return evaluation


def _judged(
    pair: Pair, legend: Legend, wishes: Wishes, options: ReferenceOptions, gsd: float | None,
    *, progress: Progress, watch: Watch,
) -> SceneTally:  # fmt: skip
    with ExitStack() as files:
        scene = files.enter_context(Scene.open(pair.judged))
        image = None if pair.image is None else files.enter_context(Scene.open(pair.image))
        labels = files.enter_context(open_reference(pair.reference, scene.grid, legend, options))
        sure = None
        if pair.confidence is not None:
            sure = files.enter_context(open_confidence(pair.confidence, scene.grid, legend))
        judged = Judged(
            name=pair.name,
            shape=scene.grid.shape,
            classes=len(legend),
            predicted=_mask_reader(scene, legend),
            reference=labels.read,
            confidence=sure,
            pixel_m=wishes.pixel_m(scene.grid, gsd, scene.path),
        )
        tally = count(judged, wishes, progress=progress)
        watch(Seen(judged, legend, tally, image))
    return SceneTally(pair.name, tally)


def _mask_reader(scene: Scene, legend: Legend) -> Reader:
    """Class indices of ``legend``, by name where the mask has a legend of its own."""
    table = None if scene.legend is None or scene.legend == legend else scene.legend.mapping_to(legend)

    def read(window: Window) -> NDArray[np.uint8]:
        raster = scene.read(window, nearest=True)
        class_index = np.where(raster.valid, raster.values[0], np.uint8(IGNORE_INDEX))
        return class_index if table is None else table[class_index]

    return read


def _common_legend(pairs: Sequence[Pair]) -> Legend:
    """The legend of the first mask that has one, else classes named after the values in all of them."""
    values = {0}
    for pair in pairs:
        if pair.judged.suffix.lower() in VECTOR_SUFFIXES:
            raise SceneError(
                f"{pair.judged} holds polygons, not a mask", "give rasters as masks, polygons as reference"
            )
        with Scene.open(pair.judged) as scene:
            _require_mask(scene)
            if scene.legend is not None:
                return scene.legend
            values |= set(_values(scene))
    return numbered(values)


def _require_mask(scene: Scene) -> None:
    if len(scene.bands) != 1 or scene.dtype != np.uint8:
        bands = f"{len(scene.bands)} bands of {scene.dtype}"
        raise SceneError(f"{scene.path} is no mask: it has {bands}", "a mask has one band of uint8 class indices")


def _values(scene: Scene) -> Iterator[int]:
    for window in strips(scene.grid.height, scene.grid.width, STRIP_ROWS):
        raster = scene.read(window, nearest=True)
        found = np.unique(raster.values[0][raster.valid])
        yield from (int(value) for value in found if value != IGNORE_INDEX)
