"""Evaluate scenes one by one: the loop shared by all evaluations."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geoseg._text import merge_notes
from geoseg.errors import LayerError
from geoseg.evaluation.accumulate_counts import CountOptions, ScenePair, count_scene
from geoseg.evaluation.result import Evaluation, SceneCallback, SceneContext
from geoseg.legend import Legend
from geoseg.progress import Progress
from geoseg.raster.scene import Scene

if TYPE_CHECKING:
    from geoseg.vector.explain_miss import Miss

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationScene:
    """A scene with its prediction and reference while its files are open."""

    pair: ScenePair
    """Readers for the prediction and the reference."""
    image: Scene | None = None
    """The scene's image, if there is one."""
    bands: tuple[str, ...] | None = None
    """Names of the image's bands according to the dataset; None to use those in the file."""
    notes: tuple[str, ...] = ()
    """Notes about the reference file, which may be the same for several scenes."""
    find_miss: "Callable[[], Miss | None]" = lambda: None
    """Function that returns the likely reason why no reference polygon covers any pixel read so far; None if one does,
    or for rasters."""


@dataclass(frozen=True)
class EvaluationTask:
    """The scenes to evaluate and their common settings."""

    legend: Legend
    """Classes of the predictions and references."""
    options: CountOptions
    """What to count."""
    scenes: Sequence[tuple[str, Callable[[], AbstractContextManager[EvaluationScene]]]]
    """Name of each scene and a function that opens it. Label checks that need a full pass run when the scene is
    closed."""
    about: Mapping[str, Any]
    """Provenance for JSON."""
    description: str
    """Name of the task for progress bars."""
    source: str
    """Description of the scenes for error messages."""
    unlabelled_hint: str
    """Hint for the error raised if no pixel is labeled."""


def evaluate_task(task: EvaluationTask, *, progress: Progress, on_scene: SceneCallback | None = None) -> Evaluation:
    """Evaluate all scenes of a task.

    Args:
        task: The scenes and options.
        progress: Reports the number of finished scenes, and of finished strips in each scene.
        on_scene: Called after each scene, while its files are open.

    Raises:
        DataError: If no pixel of any scene is labeled.
        LayerError: If there are reference polygons but none of them intersects a scene.
    """
    scenes, misses = [], []
    notes: list[tuple[str, ...]] = []
    with progress(len(task.scenes), task.description) as bar, _log_at_end(notes):
        for name, open_scene in task.scenes:
            with open_scene() as scene:
                notes.append(scene.notes)
                counts = count_scene(scene.pair, task.options, progress=progress)
                if on_scene is not None:
                    on_scene(SceneContext(scene.pair, task.legend, counts, scene.image, scene.bands))
                if None not in misses:  # explaining a miss opens the file again
                    misses.append(scene.find_miss())
            scenes.append(counts)
            bar.advance(note=name)
    _require_touching_polygons(misses)
    evaluation = Evaluation(task.legend, tuple(scenes), task.options, task.about)
    evaluation.require_labelled(task.source, task.unlabelled_hint)
    return evaluation


@contextmanager
def _log_at_end(notes: Sequence[Sequence[str]]) -> Iterator[None]:
    """Log the notes about all scenes, each note once, also if a scene raises an error."""
    try:
        yield
    finally:
        for note in merge_notes(notes):
            logger.warning("%s", note)


def _require_touching_polygons(misses: "Sequence[Miss | None]") -> None:
    """Raise :class:`LayerError` if no reference polygon intersects a scene; only warn if the reference is empty."""
    if not misses or any(miss is None for miss in misses):
        return
    found = [miss for miss in misses if miss is not None]
    reason = next((miss for miss in found if not miss.is_empty), None)
    if reason is not None:
        raise LayerError(reason.message, reason.hint)
    logger.warning("%s", found[0].message)
