"""``evaluate_scenes``: a model on scenes with references."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from geoseg.bundle import Bundle
from geoseg.evaluation.accumulate_counts import Judged, Wishes, count
from geoseg.evaluation.model_runner import Judge
from geoseg.evaluation.pairing import Pair, find_pairs
from geoseg.evaluation.protocols import protocols_of
from geoseg.evaluation.reference import ReferenceOptions, open_reference
from geoseg.evaluation.result import Evaluation, SceneTally, Seen, Watch, nobody
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene


def evaluate_scenes(
    scene: str | Path,
    reference: str | Path,
    *,
    model: str | Path | Bundle,
    column: str | None = None,
    polygon_class: str | None = None,
    background: str | None = None,
    resample: bool = False,
    ignore: Sequence[str] = (),
    protocols: Sequence[str] = (),
    boundary_m: float | None = None,
    objects: Sequence[str] = (),
    progress: Progress = silent,
    watch: Watch = nobody,
    **options: Any,
) -> Evaluation:
    """A model on scenes (a file, a folder, a pattern) with references, which go together by name.

    References are those of :func:`~geoseg.evaluation.evaluate_masks.evaluate_mask`; everything else is as in
    :func:`~geoseg.evaluation.evaluate_model.evaluate_model`.
    """
    pairs = find_pairs(scene, reference)
    judge = Judge.of(model, options, progress, scenes=len(pairs))
    legend = judge.bundle.card.legend
    wishes = Wishes.of(legend, protocols_of("", protocols, legend=legend), boundary_m, objects)
    how = ReferenceOptions(column, polygon_class, background, resample, tuple(ignore))
    tallies = []
    with progress(len(pairs), "evaluating scenes") as task:
        for pair in pairs:
            tallies.append(_judged_pair(pair, wishes, judge, how, watch))
            task.advance(note=pair.name)
    about = {**judge.about, "data": str(scene), "reference": str(reference), "resampled": resample}
    evaluation = Evaluation(legend, tuple(tallies), wishes, about)
    evaluation.require_labelled(f"{scene} in {reference}", "name the right reference, or its background class")
    return evaluation


def _judged_pair(pair: Pair, wishes: Wishes, judge: Judge, how: ReferenceOptions, watch: Watch) -> SceneTally:
    legend = judge.bundle.card.legend
    with ExitStack() as files:
        scene = files.enter_context(Scene.open(pair.judged))
        labels = files.enter_context(open_reference(pair.reference, scene.grid, legend, how))
        mask, confidence = files.enter_context(judge.predicted(scene, legend))
        judged = Judged(
            name=pair.name,
            shape=scene.grid.shape,
            classes=len(legend),
            predicted=mask,
            reference=labels.read,
            confidence=confidence,
            pixel_m=wishes.pixel_m(scene.grid, judge.gsd, scene.path),
        )
        tally = count(judged, wishes, progress=judge.progress)
        watch(Seen(judged, legend, tally, scene))
    return SceneTally(pair.name, tally)
