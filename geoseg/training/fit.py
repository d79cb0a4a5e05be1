"""``train``: from a recipe to a bundle. Wires data, network, loss and trainer, and does nothing else."""

import json
import logging
import platform
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
from geoseg.data.prepare import prepare
from geoseg.data.prepared import Prepared
from geoseg.data.samplers import samplers
from geoseg.data.samplers.grid import GridSampler
from geoseg.errors import GeosegError
from geoseg.models.build import build_network
from geoseg.models.precision import chosen_precision
from geoseg.progress import Progress, silent
from geoseg.training.callbacks import KeepBest, ReportProgress
from geoseg.training.module import TrainingModule
from geoseg.training.run import new_run

RGB = {"red", "green", "blue"}


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
    prepared = prepare(recipe.data, recipe.name, progress=progress)
    prepared.scenes("val")
    lightning.seed_everything(recipe.train.seed, workers=True, verbose=False)
    network = build_network(recipe.model, bands=len(prepared.bands), classes=len(prepared.legend))
    run = new_run(runs, name or recipe.name or "run")
    (run / "recipe.yaml").write_text(to_yaml(recipe), "utf-8")
    keeper = KeepBest(run, _card(recipe, prepared))
    with progress(recipe.train.iterations, "training") as task, _quiet_lightning(), _memory_in_words():
        trainer = _trainer(recipe, run, [ReportProgress(task), keeper])
        module = TrainingModule(recipe, network.to(memory_format=torch.channels_last), prepared)
        with _interrupts_raised():
            trainer.fit(module, _training_batches(recipe, prepared), _validation_batches(recipe, prepared))
        if recipe.train.iterations % recipe.train.validate_every:
            trainer.validate(module, _validation_batches(recipe, prepared), verbose=False)
    return Training(run, keeper.path, load(keeper.path))


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
    device = torch.device("cuda" if train.device in ("auto", "cuda") and torch.cuda.is_available() else "cpu")
    return "32-true" if chosen_precision(train.precision, device) == "float32" else "bf16-mixed"


def _training_batches(recipe: Recipe, prepared: Prepared) -> DataLoader[Crop]:
    train, scenes = recipe.train, prepared.scenes("train")
    given = {"scenes": scenes, "size": train.crop, "scale": recipe.augment.scale, "seed": train.seed}
    sampler = samplers.build(train.sampler.name, train.sampler.options, **given)
    largest = 255.0 if prepared.dtype == "uint8" else max(band.maximum for band in prepared.statistics)
    change = Augmentation(recipe.augment, largest=largest, is_rgb=set(prepared.bands) == RGB)
    crops = Crops(scenes, sampler, train.iterations * train.batch, change=change, seed=train.seed)
    return batches(crops, batch=train.batch, workers=train.workers, pin_memory=torch.cuda.is_available())


def _validation_batches(recipe: Recipe, prepared: Prepared) -> DataLoader[Crop]:
    """Every pixel of every validation scene once, with the context it will have in prediction."""
    scenes = prepared.scenes("val")
    sampler = GridSampler(scenes, recipe.predict.tile, halo=recipe.predict.halo)
    return batches(Crops(scenes, sampler, len(sampler)), batch=recipe.predict.batch, workers=0)


def _card(recipe: Recipe, prepared: Prepared) -> ModelCard:
    statistics = prepared.statistics
    return ModelCard(
        model=recipe.model,
        legend=prepared.legend,
        bands=prepared.bands,
        mean=tuple(band.mean for band in statistics),
        std=tuple(band.std for band in statistics),
        minimum=tuple(band.minimum for band in statistics),
        maximum=tuple(band.maximum for band in statistics),
        dtype=prepared.dtype,
        gsd=prepared.gsd,
        crop=recipe.train.crop,
        tile=recipe.predict.tile,
        halo=recipe.predict.halo,
        provenance={
            "recipe": json.dumps(recipe.model_dump(mode="json")),
            "data": prepared.digest,
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
def _memory_in_words() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        hint = "lower train.batch, train.crop or predict.batch, or set train.precision: bfloat16"
        raise GeosegError("the device ran out of memory", hint) from None


@contextmanager
def _interrupts_raised() -> Iterator[None]:
    """Lightning answers Ctrl-C by leaving the process without a word; who called us shall hear of it."""
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
