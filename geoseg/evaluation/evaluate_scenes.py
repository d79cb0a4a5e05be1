"""Evaluate a model on scenes with reference files."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from geoseg.bundle import Bundle
from geoseg.evaluation.accumulate_counts import CountOptions, ScenePair
from geoseg.evaluation.evaluate_masks import UNLABELLED_HINT
from geoseg.evaluation.model_runner import ModelRunner
from geoseg.evaluation.options import DEFAULTS, EvaluationOptions
from geoseg.evaluation.pairing import SceneFiles, match_files
from geoseg.evaluation.protocols import select_protocols
from geoseg.evaluation.reference import open_reference
from geoseg.evaluation.result import Evaluation, SceneCallback
from geoseg.evaluation.scene_loop import EvaluationScene, EvaluationTask, evaluate_task
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene


def evaluate_scenes(
    scene: str | Path,
    reference: str | Path,
    options: EvaluationOptions = DEFAULTS,
    *,
    model: str | Path | Bundle,
    progress: Progress = silent,
    on_scene: SceneCallback | None = None,
) -> Evaluation:
    """Evaluate a model on scenes with references; files are matched by name.

    Args:
        scene: Scene file, folder or pattern.
        reference: Raster or vector file, folder or pattern, as in
            :func:`~geoseg.evaluation.evaluate_masks.evaluate_mask`.
        options: What is counted, how references are read, and how the model predicts.
        model: Model file or loaded model.
        progress: Called with the number of scenes, and with the strips of each one.
        on_scene: Called after each scene, while its files are open.

    Raises:
        GridMismatch: Scene and reference have different grids, and ``options.resample`` is off.
        DataError: A reference is missing, has unknown values, or has no label at all.
    """
    files = match_files(scene, reference)
    runner = ModelRunner.load(model, options, progress, scenes=len(files))
    legend = runner.bundle.card.legend
    count_options = options.count_options(legend, select_protocols("", options.protocols, legend=legend))
    task = EvaluationTask(
        legend,
        count_options,
        scenes=[(each.name, partial(_open_scene, each, runner, count_options)) for each in files],
        about={**runner.about, "data": str(scene), "reference": str(reference), "resampled": options.resample},
        description="evaluating scenes",
        source=f"{scene} in {reference}",
        unlabelled_hint=UNLABELLED_HINT,
    )
    return evaluate_task(task, progress=progress, on_scene=on_scene)


@contextmanager
def _open_scene(paths: SceneFiles, runner: ModelRunner, count_options: CountOptions) -> Iterator[EvaluationScene]:
    legend = runner.bundle.card.legend
    with ExitStack() as files:
        scene = files.enter_context(Scene.open(paths.path))
        labels = files.enter_context(open_reference(paths.reference, scene.grid, legend, runner.options))
        mask, confidence = files.enter_context(runner.predict(scene, legend))
        pair = ScenePair(
            name=paths.name,
            shape=scene.grid.shape,
            classes=len(legend),
            predicted=mask,
            reference=labels.read,
            confidence=confidence,
            pixel_m=count_options.pixel_size_m(scene.grid, runner.options.gsd, scene.path),
        )
        yield EvaluationScene(pair, scene)
