"""``train``: from a recipe to a bundle. Wires data, network, loss and trainer, and does nothing else."""

import logging
import platform
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from geoseg.augment import Augmentation
from geoseg.bundle import Bundle, ModelCard, load
from geoseg.config.load import to_yaml
from geoseg.config.recipe import Recipe, TrainSection
from geoseg.data.crop import Crop
from geoseg.data.loader import Crops, batches
from geoseg.data.prepare import open_dataset, prepare
from geoseg.data.prepared import Prepared
from geoseg.data.samplers import samplers
from geoseg.data.samplers.grid import GridSampler
from geoseg.errors import ConfigError
from geoseg.losses.build import build_loss
from geoseg.models.backbones.base import Scaling
from geoseg.models.build import backbone_file, build_network
from geoseg.models.device import choose_device, explained_memory
from geoseg.models.precision import chosen_precision
from geoseg.progress import Progress, silent
from geoseg.training.callbacks import KeepBest, ReportProgress
from geoseg.training.module import TrainingModule
from geoseg.training.run import new_run
from geoseg.training.scaling import scaling, warn_of_other_units

RGB = ("red", "green", "blue")

PROTOCOL = "scenes"
"""How validation counts: every labelled pixel of whole scenes once, with the context it will have in prediction."""

MEMORY_HINT = "lower train.batch, train.crop or predict.batch, or train.workers: 0 if a worker was killed"


@dataclass(frozen=True)
class Training:
    """What a run left behind."""

    run: Path
    """Its folder: the recipe as resolved, the log and the best bundle."""
    path: Path
    """The best bundle."""
    bundle: Bundle
    """The same, loaded."""


def train(
    recipe: Recipe, *, runs: Path = Path("runs"), name: str | None = None, progress: Progress = silent
) -> Training:
    """Trains what the recipe says and keeps the bundle with the best mean IoU on the validation split.

    Scenes that are not prepared yet are prepared first. Raises :class:`DataError` for data that does not fit the recipe,
    :class:`GeosegError` when the loss is no longer finite or the device runs out of memory.
    """
    _refuse_early(recipe)
    prepared = prepare(recipe.data, recipe.name, progress=progress)
    prepared.scenes("val")
    lightning.seed_everything(recipe.train.seed, workers=True, verbose=False)
    network = build_network(recipe.model, bands=len(prepared.bands), classes=len(prepared.legend))
    if recipe.train.batch < network.smallest_batch:
        message = f"the head {recipe.model.head.name} does not train on {recipe.train.batch} crop at a time"
        raise ConfigError(message, f"--set train.batch={network.smallest_batch} or more")
    scaled = scaling(recipe.model, network, prepared)
    warn_of_other_units(scaled, prepared)
    # Everything a recipe can be refused for comes before the run has a folder.
    network = network.to(memory_format=torch.channels_last)
    module = TrainingModule(recipe, network, scaled, classes=len(prepared.legend))
    training, validation = _training_batches(recipe, prepared), _validation_batches(recipe, prepared)
    run = new_run(runs, name or recipe.name or "run")
    (run / "recipe.yaml").write_text(to_yaml(recipe), "utf-8")
    keeper = KeepBest(run, _card(recipe, prepared, scaled))
    with (
        _removed_if_empty(run, keeper),
        progress(recipe.train.iterations, "training") as task,
        _quiet_lightning(),
        explained_memory(MEMORY_HINT),
        _interrupts_raised(),
    ):
        trainer = _trainer(recipe, run, [ReportProgress(task), keeper])
        trainer.fit(module, training, validation)
        if recipe.train.iterations % min(recipe.train.validate_every, recipe.train.iterations):
            trainer.validate(module, validation, verbose=False)
    return Training(run, keeper.path, load(keeper.path))


def _refuse_early(recipe: Recipe) -> None:
    """What a recipe can be refused for without data, before hours of preparation."""
    choose_device(recipe.train.device)
    backbone_file(recipe.model.backbone.name)
    build_loss(recipe.loss, classes=len(open_dataset(recipe.data).legend))


@contextmanager
def _removed_if_empty(run: Path, keeper: KeepBest) -> Iterator[None]:
    """A run that fails before it has a bundle leaves nothing behind."""
    try:
        yield
    except BaseException:
        if not keeper.path.exists():
            shutil.rmtree(run, ignore_errors=True)
        raise


def _trainer(recipe: Recipe, run: Path, callbacks: list[lightning.Callback]) -> lightning.Trainer:
    train = recipe.train
    return lightning.Trainer(
        accelerator=train.device,
        devices=1,
        precision=_lightning_precision(train),
        max_steps=train.iterations,
        val_check_interval=min(train.validate_every, train.iterations),
        check_val_every_n_epoch=None,
        gradient_clip_val=train.clip_gradient,
        callbacks=callbacks,
        logger=CSVLogger(run, name="", version="log"),
        log_every_n_steps=min(50, train.iterations),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
    )


def _lightning_precision(train: TrainSection) -> Literal["32-true", "bf16-mixed", "16-mixed"]:
    """Our names for arithmetic in Lightning's words."""
    if train.precision == "float16":
        return "16-mixed"
    precision = chosen_precision(train.precision, choose_device(train.device))
    return "32-true" if precision == "float32" else "bf16-mixed"


def _training_batches(recipe: Recipe, prepared: Prepared) -> DataLoader[Crop]:
    train, scenes = recipe.train, prepared.scenes("train")
    given = {"scenes": scenes, "size": train.crop, "scale": recipe.augment.scale, "seed": train.seed}
    given["classes"] = prepared.legend.names
    sampler = samplers.build(train.sampler.name, train.sampler.options, **given)
    smallest, largest = 0.0, 255.0
    if prepared.dtype != "uint8":
        smallest = min(band.minimum for band in prepared.statistics)
        largest = max(band.maximum for band in prepared.statistics)
    change = Augmentation(recipe.augment, smallest=smallest, largest=largest, is_rgb=prepared.bands == RGB)
    crops = Crops(scenes, sampler, train.iterations * train.batch, change=change, seed=train.seed)
    return batches(crops, batch=train.batch, workers=train.workers, pin_memory=torch.cuda.is_available())


def _validation_batches(recipe: Recipe, prepared: Prepared) -> DataLoader[Crop]:
    """Every pixel of every validation scene once, with the context it will have in prediction."""
    scenes = prepared.scenes("val")
    sampler = GridSampler(scenes, recipe.predict.tile, halo=recipe.predict.halo)
    return batches(Crops(scenes, sampler, len(sampler)), batch=recipe.predict.batch, workers=0)


def _card(recipe: Recipe, prepared: Prepared, scaled: Scaling) -> ModelCard:
    statistics = prepared.statistics
    return ModelCard(
        model=recipe.model,
        legend=prepared.legend,
        bands=prepared.bands,
        mean=scaled.mean,
        std=scaled.std,
        minimum=tuple(band.minimum for band in statistics),
        maximum=tuple(band.maximum for band in statistics),
        dtype=prepared.dtype,
        gsd=prepared.gsd,
        crop=recipe.train.crop,
        tile=recipe.predict.tile,
        halo=recipe.predict.halo,
        protocol=PROTOCOL,
        recipe=recipe.model_dump(mode="json"),
        data={"digest": prepared.digest, **prepared.about},
        provenance={
            "seed": str(recipe.train.seed),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "geoseg": version("geoseg"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Lightning's remarks about hardware and data loaders are not the user's business; its errors are."""
    talker = logging.getLogger("lightning.pytorch")
    level = talker.level
    talker.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning.*")
            yield
    finally:
        talker.setLevel(level)


@contextmanager
def _interrupts_raised() -> Iterator[None]:
    """Lightning answers Ctrl-C by leaving the process without a word; who called us shall hear of it."""
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
