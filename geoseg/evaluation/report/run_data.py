"""Collect what a report shows about one run: evaluation, images, training curves, recipe and environment."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import geoseg
from geoseg.bundle import read_card
from geoseg.config.load import parse_recipe, to_yaml
from geoseg.evaluation.options import DEFAULTS, EvaluationOptions
from geoseg.evaluation.report.gallery import Gallery
from geoseg.evaluation.resolve_recipe import resolve_recipe, training_recipe
from geoseg.evaluation.result import Evaluation
from geoseg.model_card import ModelCard
from geoseg.progress import Progress, silent
from geoseg.training.loggers import METRICS_NAME, read_metrics

CURVES = ("loss", "mean_iou", "learning_rate")
"""Logged values that are plotted over the iterations of a run."""


@dataclass(frozen=True)
class RunData:
    """One run, or one set of masks, in a report."""

    name: str
    """Name displayed with its scores."""
    evaluation: Evaluation
    """The counts and scores."""
    gallery: Gallery
    """The images of scenes and crops."""
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """Points (iteration, value), keyed by the name of the logged value."""
    recipe: str = ""
    """Training recipe as YAML; empty if unknown."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Versions, seed and date."""


def collect_run(
    model: Path,
    options: EvaluationOptions = DEFAULTS,
    *,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    split: str = "val",
    progress: Progress = silent,
) -> RunData:
    """Evaluate a model on a split of a recipe's dataset.

    Args:
        model: Model file.
        options: What is counted and how the model predicts.
        recipe: Name or path of a recipe, or a folder of prepared scenes; None for the recipe that the model was trained
            with.
        overrides: Changes to the recipe as ``section.key=value``.
        split: Name of the split.
        progress: Reports the number of finished scenes.
    """
    from geoseg.evaluation.evaluate_model import evaluate_model  # noqa: PLC0415 (loads torch, which is not needed for masks)

    card, gallery = read_card(model), Gallery()
    loaded = training_recipe(card, model, overrides) if recipe is None else resolve_recipe(recipe, overrides)
    evaluation = evaluate_model(loaded, options, model=model, split=split, progress=progress, on_scene=gallery)
    return _run_data(model, card, evaluation, gallery)


def collect_scenes(
    model: Path,
    scene: str | Path,
    reference: str | Path,
    options: EvaluationOptions = DEFAULTS,
    *,
    progress: Progress = silent,
) -> RunData:
    """Evaluate a model on scenes with references; see :func:`~geoseg.evaluation.evaluate_model.evaluate_scenes`."""
    from geoseg.evaluation.evaluate_model import evaluate_scenes  # noqa: PLC0415

    card, gallery = read_card(model), Gallery()
    evaluation = evaluate_scenes(scene, reference, options, model=model, progress=progress, on_scene=gallery)
    return _run_data(model, card, evaluation, gallery)


def collect_masks(
    mask: str | Path,
    reference: str | Path,
    options: EvaluationOptions = DEFAULTS,
    *,
    confidence: str | Path | None = None,
    scene: str | Path | None = None,
    progress: Progress = silent,
) -> RunData:
    """Evaluate masks against references; see :func:`~geoseg.evaluation.evaluate_masks.evaluate_mask`."""
    from geoseg.evaluation.evaluate_masks import evaluate_mask  # noqa: PLC0415

    gallery = Gallery()
    evaluation = evaluate_mask(
        mask, reference, options, confidence=confidence, scene=scene, progress=progress, on_scene=gallery
    )
    return RunData(Path(mask).stem or str(mask), evaluation, gallery, environment=collect_environment(None))


def collect_environment(card: ModelCard | None) -> dict[str, str]:
    """Return the provenance of a model, and the versions of the software that evaluated it."""
    trained = {} if card is None else {f"trained: {name}": value for name, value in card.provenance.items()}
    here = {"geoseg": geoseg.__version__, "Python": platform.python_version(), "system": platform.platform(terse=True)}
    return {**trained, **{f"judged: {name}": value for name, value in here.items()}}


def make_names_unique(runs: Sequence[RunData]) -> list[RunData]:
    """Append a number to every name that occurs more than once."""
    names = [run.name for run in runs]
    return [
        replace(run, name=f"{run.name} ({names[: n + 1].count(run.name)})") if names.count(run.name) > 1 else run
        for n, run in enumerate(runs)
    ]


def _run_data(model: Path, card: ModelCard, evaluation: Evaluation, gallery: Gallery) -> RunData:
    folder = model.parent.resolve().name  # the name of the run itself, not of the link runs/latest
    name = folder if model.stem == "best" and folder else model.stem
    recipe = to_yaml(parse_recipe(card.recipe)) if card.recipe else ""
    return RunData(name, evaluation, gallery, _read_curves(model), recipe, collect_environment(card))


def _read_curves(model: Path) -> dict[str, list[tuple[float, float]]]:
    """Read the values logged by the run that produced a model."""
    rows = read_metrics(model.parent / "log" / METRICS_NAME)
    curves = {name: [(float(row["iteration"]), float(row[name])) for row in rows if row.get(name)] for name in CURVES}
    return {name: points for name, points in curves.items() if any(math.isfinite(y) for _, y in points)}
