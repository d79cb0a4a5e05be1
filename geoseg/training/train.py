"""Train a network from a recipe, which is checked before torch is imported and before any scenes are prepared."""

from collections.abc import Sequence
from pathlib import Path

from geoseg._text import did_you_mean
from geoseg.config.load import load_recipe
from geoseg.config.recipe import Recipe
from geoseg.data.crops.samplers import samplers
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.errors import ConfigError
from geoseg.legend import Legend
from geoseg.losses._check_losses import check_losses
from geoseg.models.find_backbone import find_backbone_module
from geoseg.models.hardware_options import check_device_name
from geoseg.models.heads import heads
from geoseg.progress import Progress, silent
from geoseg.training.class_weights import resolve_class_weights
from geoseg.training.loggers import require_loggers
from geoseg.training.run_name import check_run_name
from geoseg.training.training_result import TrainingResult

RGB = ("red", "green", "blue")
"""Bands assumed for the size of a network if the recipe names none."""


def train(
    recipe: Recipe | str | Path,
    *,
    overrides: Sequence[str] = (),
    runs: str | Path = "runs",
    name: str | None = None,
    devices: int | str = 1,
    nodes: int = 1,
    resume: bool = False,
    fresh: bool = False,
    progress: Progress = silent,
) -> TrainingResult:
    """Train a network from a recipe and keep the bundle with the best validation score.

    Scenes are prepared first if necessary. If a run with the same name, recipe and data was interrupted, it is resumed
    from its last checkpoint, with the same result as an uninterrupted run.

    Args:
        recipe: A recipe, the path of its YAML file, or the name of an included recipe.
        overrides: Assignments ``section.key=value`` that override values of a recipe loaded by path or name.
        runs: Folder that contains the run folders.
        name: Name of the run; by default, the name of the recipe.
        devices: Number of devices per machine, or ``auto`` for all.
        nodes: Number of machines.
        resume: Raise an error if there is no interrupted run to resume.
        fresh: Start a new run even if one was interrupted.
        progress: Reports progress; see :mod:`geoseg.progress`.

    Returns:
        The run folder and the best bundle.

    Raises:
        ConfigError: If the recipe or an option is invalid.
        DataError: If the data does not fit the recipe.
        GeosegError: If the loss is not finite, or the device runs out of memory.
        TrainingInterrupted: After SIGTERM or Ctrl-C; a checkpoint is saved first.

    Example:
        >>> result = train("sample", overrides=["train.iterations=100"])  # doctest: +SKIP
        >>> result.path  # doctest: +SKIP
        PosixPath('runs/sample/best.safetensors')
    """
    recipe = _load(recipe, overrides)
    check_run_name(Path(runs), name or recipe.name or "run")
    check_recipe(recipe)
    from geoseg.training.run_training import run_training  # imports torch and Lightning

    return run_training(
        recipe,
        Path(runs),
        name or recipe.name or "run",
        devices=devices,
        nodes=nodes,
        resume=resume,
        fresh=fresh,
        progress=progress,
    )


def _load(recipe: Recipe | str | Path, overrides: Sequence[str]) -> Recipe:
    if not isinstance(recipe, Recipe):
        return load_recipe(recipe, overrides)
    if overrides:
        raise ConfigError(
            "overrides apply to recipes loaded by path or name", "change the values of the recipe instead"
        )
    return recipe


def check_recipe(recipe: Recipe) -> None:
    """Check everything in a recipe that does not depend on pixels, before scenes are prepared, which can take hours.

    Everything that can be checked without torch is checked first.

    Raises:
        ConfigError: If a component, an option, the device or the monitored score is invalid.
        DataError: If the files of the dataset are missing.
    """
    train, head = recipe.train, recipe.model.head
    check_device_name(train.device)
    find_backbone_module(recipe.model.backbone.name)
    heads.check(head.name, head.options, given=("in_channels", "strides", "classes", "align_corners"))
    samplers.check(train.sampler.name, train.sampler.options, given=("scenes", "size", "scale", "seed", "classes"))
    legend = open_dataset(recipe.data).legend
    losses = resolve_class_weights(recipe.loss, [1] * len(legend))
    check_losses(losses, classes=len(legend))
    require_monitor(train.monitor, legend)
    require_loggers(train.loggers)
    from geoseg.losses.build import build_loss  # imports torch
    from geoseg.models.device import choose_device
    from geoseg.models.meta_network import require_memory

    choose_device(train.device)
    build_loss(losses, classes=len(legend))
    require_memory(recipe.model, bands=len(recipe.data.bands or RGB), classes=len(legend))


def require_monitor(monitor: str, legend: Legend) -> None:
    """Raise :class:`ConfigError` if validation does not compute a score with this name."""
    names = ["mean_iou", "mean_f1", "overall_accuracy", *(f"iou {name}" for name in legend.names)]
    if monitor not in names:
        raise ConfigError(f"train.monitor: unknown score {monitor!r}", did_you_mean(monitor, names))
