"""Evaluate scenes one after another: the loop that all evaluations share."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from geoseg.evaluation.accumulate_counts import CountOptions, ScenePair, count_scene
from geoseg.evaluation.result import Evaluation, SceneCallback, SceneContext
from geoseg.legend import Legend
from geoseg.progress import Progress
from geoseg.raster.scene import Scene


@dataclass(frozen=True)
class EvaluationScene:
    """One scene with prediction and reference, while its files are open."""

    pair: ScenePair
    """Readers of prediction and reference."""
    image: Scene | None = None
    """The scene's image, if there is one."""
    bands: tuple[str, ...] | None = None
    """Names of the image's bands from the dataset; None for those in the file."""


@dataclass(frozen=True)
class EvaluationTask:
    """Scenes to evaluate, and what they have in common."""

    legend: Legend
    """Classes of predictions and references."""
    options: CountOptions
    """What is counted."""
    scenes: Sequence[tuple[str, Callable[[], AbstractContextManager[EvaluationScene]]]]
    """Name of each scene, and a function that opens it. Checks of labels that need a full pass run when it closes."""
    about: Mapping[str, Any]
    """Provenance for JSON."""
    description: str
    """Name of the task for progress bars."""
    source: str
    """The scenes in words, for error messages."""
    unlabelled_hint: str
    """What to do if no pixel is labeled."""


def evaluate_task(task: EvaluationTask, *, progress: Progress, on_scene: SceneCallback | None = None) -> Evaluation:
    """Evaluate all scenes of a task.

    Args:
        task: Scenes and options.
        progress: Called once with the number of scenes, and for each scene with its number of strips.
        on_scene: Called after each scene, while its files are open.

    Raises:
        DataError: If no pixel of any scene is labeled.
    """
    scenes = []
    with progress(len(task.scenes), task.description) as bar:
        for name, open_scene in task.scenes:
            with open_scene() as scene:
                counts = count_scene(scene.pair, task.options, progress=progress)
                if on_scene is not None:
                    on_scene(SceneContext(scene.pair, task.legend, counts, scene.image, scene.bands))
            scenes.append(counts)
            bar.advance(note=name)
    evaluation = Evaluation(task.legend, tuple(scenes), task.options, task.about)
    evaluation.require_labelled(task.source, task.unlabelled_hint)
    return evaluation
