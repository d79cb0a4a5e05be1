"""What a report shows of one run: its evaluation, pictures, curves, recipe and environment."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geoseg
from geoseg.bundle import ModelCard, read_card
from geoseg.config.load import load_recipe, recipe_from, to_yaml
from geoseg.config.recipe import Recipe
from geoseg.errors import ConfigError
from geoseg.evaluation.dataset import recipe_of
from geoseg.evaluation.report.gallery import Album
from geoseg.evaluation.result import Evaluation
from geoseg.progress import Progress, silent
from geoseg.training.loggers import METRICS, read

CURVES = ("loss", "mean_iou", "learning_rate")
"""Numbers of a run that are shown over its iterations."""
RECIPE = "recipe.yaml"
"""What a run's recipe is called in its folder."""


@dataclass(frozen=True)
class Reported:
    """One run, or one set of masks."""

    name: str
    """What it is called beside its numbers."""
    evaluation: Evaluation
    """What was counted."""
    album: Album
    """What is shown."""
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """(iteration, number) by name."""
    recipe: str = ""
    """As YAML; empty if there is none."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Versions, seed, date."""


def report_run(
    model: Path,
    *,
    recipe: str | None = None,
    overrides: Sequence[str] = (),
    split: str = "val",
    progress: Progress = silent,
    **wishes: Any,
) -> Reported:
    """A model (the best of a run) on the split of a recipe: its own, if no other is named.

    ``wishes`` are what :func:`~geoseg.evaluation.evaluate_model.evaluate_model` wants to know.
    """
    from geoseg.evaluation.evaluate_model import evaluate_model  # noqa: PLC0415 (brings torch along, which masks do without)

    card, album = read_card(model), Album()
    judged_on = _recipe(model, card, recipe, overrides)
    evaluation = evaluate_model(judged_on, model=model, split=split, progress=progress, watch=album, **wishes)
    return Reported(_name(model), evaluation, album, _curves(model), _learnt_by(card), environment(card))


def report_scenes(model: Path, scene: str, reference: str, *, progress: Progress = silent, **wishes: Any) -> Reported:
    """A model on scenes with references; ``wishes`` as of :func:`~geoseg.evaluation.evaluate_scenes.evaluate_scenes`."""
    from geoseg.evaluation.evaluate_scenes import evaluate_scenes  # noqa: PLC0415

    card, album = read_card(model), Album()
    evaluation = evaluate_scenes(scene, reference, model=model, progress=progress, watch=album, **wishes)
    return Reported(_name(model), evaluation, album, _curves(model), _learnt_by(card), environment(card))


def report_masks(mask: str, reference: str, *, progress: Progress = silent, **wishes: Any) -> Reported:
    """Masks against references; ``wishes`` as of :func:`~geoseg.evaluation.evaluate_masks.evaluate_mask`."""
    from geoseg.evaluation.evaluate_masks import evaluate_mask  # noqa: PLC0415

    album = Album()
    evaluation = evaluate_mask(mask, reference, progress=progress, watch=album, **wishes)
    return Reported(Path(mask).stem or mask, evaluation, album, environment=environment(None))


def environment(card: ModelCard | None) -> dict[str, str]:
    """Where a model came from, and what judged it."""
    made = {} if card is None else {f"trained: {name}": value for name, value in card.provenance.items()}
    here = {"geoseg": geoseg.__version__, "Python": platform.python_version(), "system": platform.platform(terse=True)}
    return {**made, **{f"judged: {name}": value for name, value in here.items()}}


def named_apart(reported: Sequence[Reported]) -> list[Reported]:
    """The same with names that differ: a number behind those that would not."""
    names = [each.name for each in reported]
    return [
        Reported(**{**vars(each), "name": f"{each.name} ({names[: n + 1].count(each.name)})"})
        if names.count(each.name) > 1
        else each
        for n, each in enumerate(reported)
    ]


def _recipe(model: Path, card: ModelCard, recipe: str | None, overrides: Sequence[str]) -> Recipe:
    """What a model is judged on: the recipe that is named, else its run's, else its card's."""
    if recipe is not None:
        return recipe_of(recipe, overrides)
    own = model.parent / RECIPE
    if own.is_file():
        return load_recipe(own, overrides)
    if not card.recipe:
        raise ConfigError(f"{model} does not say what it was trained on", "name a recipe: --recipe")
    if overrides:
        raise ConfigError(f"{model} is no run's, so its recipe cannot be changed", "name a recipe: --recipe")
    return recipe_from(card.recipe)


def _name(model: Path) -> str:
    """A run by its folder, any other model by its file."""
    return model.parent.name if model.stem == "best" and model.parent.name else model.stem


def _learnt_by(card: ModelCard) -> str:
    return to_yaml(recipe_from(card.recipe)) if card.recipe else ""


def _curves(model: Path) -> dict[str, list[tuple[float, float]]]:
    """What a run's log tells over its iterations."""
    rows = read(model.parent / "log" / METRICS)
    found = {name: [(float(row["iteration"]), float(row[name])) for row in rows if row.get(name)] for name in CURVES}
    return {name: points for name, points in found.items() if any(math.isfinite(y) for _, y in points)}
