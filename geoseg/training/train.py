"""Train a network from a recipe, which is checked before any data is prepared."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.fabric import Fabric

from geoseg._output_files import output_errors
from geoseg.bundle import Bundle, load
from geoseg.config.load import load_recipe, to_yaml
from geoseg.config.recipe import Recipe
from geoseg.data.crops.build_augmentation import require_color_bands
from geoseg.data.crops.samplers import samplers
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.data.preparation.prepare import prepare
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.errors import ConfigError
from geoseg.losses.build import build_loss
from geoseg.models.build import find_backbone_module
from geoseg.models.device import choose_device, explain_out_of_memory
from geoseg.models.heads import heads
from geoseg.progress import NOTICE, Progress, silent
from geoseg.training.class_weights import resolve_class_weights
from geoseg.training.crop_batches import TrainingCrops
from geoseg.training.determinism import set_determinism
from geoseg.training.distributed import launch_fabric
from geoseg.training.interrupts import catch_signals
from geoseg.training.loggers import require_loggers
from geoseg.training.module import build_module
from geoseg.training.run_folder import RunFolder, open_run_folder
from geoseg.training.trainer import Trainer
from geoseg.training.validation import require_monitor

OUT_OF_MEMORY_HINT = (
    "lower train.batch, train.crop or predict.batch, raise train.accumulate, or use --set train.precision=bfloat16; "
    "set train.workers to 0 if a worker was killed"
)

RECIPE_NAME = "recipe.yaml"
"""File name of the resolved recipe in a run folder."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training run."""

    run: Path
    """Folder of the run: recipe, logs, plots, last checkpoint, best bundle."""
    path: Path
    """Path of the best bundle."""
    bundle: Bundle
    """The best bundle, loaded on the CPU."""


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

    Scenes are prepared first if necessary. If a run of the same name, recipe and data was interrupted, it is resumed
    from its last checkpoint, with the same result as an uninterrupted run.

    Args:
        recipe: A recipe, the path of its YAML file, or the name of an included recipe.
        overrides: Assignments ``section.key=value`` that override values of a recipe loaded by path or name.
        runs: Folder that contains the run folders.
        name: Name of the run; by default, the name of the recipe.
        devices: Devices per machine, or ``auto`` for all.
        nodes: Number of machines.
        resume: Raise an error if there is no interrupted run to resume.
        fresh: Start a new run even if one was interrupted.
        progress: Reports the progress; see :mod:`geoseg.progress`.

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
    check_recipe(recipe)
    fabric = launch_fabric(recipe.train, devices=devices, nodes=nodes)
    set_determinism(recipe.train)
    progress = progress if fabric.is_global_zero else silent
    with fabric.rank_zero_first():
        prepared = prepare(recipe.data, recipe.name, progress=progress)
    prepared.scenes("val")
    require_color_bands(recipe.augment, prepared)
    module = build_module(recipe, prepared)
    crops = TrainingCrops(recipe, prepared, rank=fabric.global_rank, processes=fabric.world_size)
    # The recipe is checked completely before the run folder is created.
    run = _open_run(fabric, Path(runs), name or recipe.name or "run", recipe, prepared, resume=resume, fresh=fresh)
    with run, catch_signals() as stop, explain_out_of_memory(OUT_OF_MEMORY_HINT):
        if fabric.is_global_zero:
            _write_recipe(run, recipe)
        with Trainer(fabric, recipe, prepared, run, module, crops) as trainer:
            trainer.train(stop, progress)
        fabric.barrier()
    return TrainingResult(run.folder, trainer.saver.path, load(trainer.saver.path))


def _load(recipe: Recipe | str | Path, overrides: Sequence[str]) -> Recipe:
    if not isinstance(recipe, Recipe):
        return load_recipe(recipe, overrides)
    if overrides:
        raise ConfigError(
            "overrides apply to recipes loaded by path or name", "change the values of the recipe instead"
        )
    return recipe


def _open_run(
    fabric: Fabric, runs: Path, name: str, recipe: Recipe, prepared: PreparedDataset, *, resume: bool, fresh: bool
) -> RunFolder:
    """Open the run folder in the main process and broadcast it to the others."""
    run: RunFolder | None = None
    if fabric.is_global_zero:
        run = open_run_folder(runs, name, recipe, prepared.digest, resume=resume, fresh=fresh)
    shared: Any = fabric.broadcast((run.folder, run.checkpoint) if run else None)
    return run or RunFolder(shared[0], None, shared[1])


def _write_recipe(run: RunFolder, recipe: Recipe) -> None:
    path = run.folder / RECIPE_NAME
    with output_errors(path):
        path.write_text(to_yaml(recipe), "utf-8")
    if run.checkpoint is not None:
        done, total = run.checkpoint.state.iteration, recipe.train.iterations
        logger.log(NOTICE, "Resuming %s after iteration %d of %d.", run.folder, done, total)


def check_recipe(recipe: Recipe) -> None:
    """Check everything in a recipe that does not depend on pixels before scenes are prepared, which can take hours.

    Raises:
        ConfigError: If a component, an option, the device or the monitored score is invalid.
        DataError: If the files of the dataset are missing.
    """
    train, head = recipe.train, recipe.model.head
    choose_device(train.device)
    find_backbone_module(recipe.model.backbone.name)
    heads.check(head.name, head.options, given=("in_channels", "strides", "classes", "align_corners"))
    samplers.check(train.sampler.name, train.sampler.options, given=("scenes", "size", "scale", "seed", "classes"))
    legend = open_dataset(recipe.data).legend
    build_loss(resolve_class_weights(recipe.loss, [1] * len(legend)), classes=len(legend))
    require_monitor(train.monitor, legend)
    require_loggers(train.loggers)
