"""Run training with a checked recipe: start processes, prepare scenes, open the run folder and train."""

import logging
from pathlib import Path
from typing import Any

from lightning.fabric import Fabric

from geoseg._output_files import output_errors
from geoseg.bundle import load
from geoseg.config.load import to_yaml
from geoseg.config.recipe import Recipe
from geoseg.data.crops.build_augmentation import require_color_bands
from geoseg.data.preparation.prepare import prepare
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.models.out_of_memory import explain_out_of_memory
from geoseg.progress import NOTICE, Progress, silent
from geoseg.training.crop_batches import TrainingCrops
from geoseg.training.determinism import set_determinism
from geoseg.training.distributed import launch_fabric
from geoseg.training.interrupts import catch_signals
from geoseg.training.module import build_module
from geoseg.training.run_folder import RunFolder, open_run_folder
from geoseg.training.trainer import Trainer
from geoseg.training.training_result import RECIPE_NAME, TrainingResult

OUT_OF_MEMORY_HINT = (
    "lower train.batch, train.crop or predict.batch, raise train.accumulate, or --set train.precision=bfloat16; "
    "set train.workers to 0 if a worker was killed"
)

logger = logging.getLogger(__name__)


def run_training(
    recipe: Recipe,
    runs: Path,
    name: str,
    *,
    devices: int | str,
    nodes: int,
    resume: bool,
    fresh: bool,
    progress: Progress,
) -> TrainingResult:
    """Run training; for arguments and errors, see :func:`geoseg.training.train.train`."""
    fabric = launch_fabric(recipe.train, devices=devices, nodes=nodes)
    set_determinism(recipe.train)
    progress = progress if fabric.is_global_zero else silent
    with fabric.rank_zero_first():
        prepared = prepare(recipe.data, recipe.name, progress=progress)
    prepared.scenes("val")
    require_color_bands(recipe.augment, prepared)
    module = build_module(recipe, prepared)
    crops = TrainingCrops(recipe, prepared, rank=fabric.global_rank, processes=fabric.world_size)
    # All recipe checks are done before the run folder is created.
    run = _open_run(fabric, runs, name, recipe, prepared, resume=resume, fresh=fresh)
    with run, catch_signals() as stop, explain_out_of_memory(OUT_OF_MEMORY_HINT):
        if fabric.is_global_zero:
            _write_recipe(run, recipe)
        with Trainer(fabric, recipe, prepared, run, module, crops) as trainer:
            trainer.train(stop, progress)
        fabric.barrier()
    return TrainingResult(run.folder, trainer.saver.path, load(trainer.saver.path))


def _open_run(
    fabric: Fabric, runs: Path, name: str, recipe: Recipe, prepared: PreparedDataset, *, resume: bool, fresh: bool
) -> RunFolder:
    """Open the run folder in the main process and broadcast the result to the other processes."""
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
