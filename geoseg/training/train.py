"""``train``: from a recipe to a bundle. Wires data, network, loss, devices and run, and does nothing else."""

import contextlib
import logging
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy

import geoseg
from geoseg._files import output_errors
from geoseg.bundle import Bundle, ModelCard, load
from geoseg.config.load import to_yaml
from geoseg.config.recipe import Recipe
from geoseg.data.crops.samplers import samplers
from geoseg.data.preparation.prepare import open_dataset, prepare
from geoseg.data.preparation.prepared_dataset import Prepared
from geoseg.errors import ConfigError
from geoseg.losses.build import build_loss
from geoseg.models.backbones.base import Scaling
from geoseg.models.build import backbone_file, build_network
from geoseg.models.device import choose_device, explained_memory, memory_format
from geoseg.models.heads import heads
from geoseg.models.network import SegmentationNetwork
from geoseg.models.sync_batchnorm import synchronise
from geoseg.progress import NOTICE, Progress, silent
from geoseg.training.best_checkpoint import KeepBest
from geoseg.training.checkpoint import Standing
from geoseg.training.class_weights import with_class_weights
from geoseg.training.crop_batches import TrainingCrops, require_colours
from geoseg.training.distributed import freeze_unused, launched, settle
from geoseg.training.interrupts import stopping
from geoseg.training.loggers import require_loggers
from geoseg.training.module import TrainingStep
from geoseg.training.normalization_stats import scaling, warn_of_other_units
from geoseg.training.optimizer import build_optimizer
from geoseg.training.run_folder import Run, open_run
from geoseg.training.trainer import Session
from geoseg.training.validation import PROTOCOLS, require_monitor
from geoseg.training.weight_average import AveragedNetwork

MEMORY_HINT = (
    "lower train.batch, train.crop or predict.batch, raise train.accumulate, or --set train.precision=bfloat16; "
    "train.workers: 0 if a worker was killed"
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """What a training run leaves behind."""

    run: Path
    """The run's folder: recipe, log, pictures, last checkpoint, best bundle."""
    path: Path
    """The best bundle's file."""
    bundle: Bundle
    """The best bundle, loaded on the CPU."""
    is_first: bool = True
    """True in the first of the processes that trained together, which speaks for all."""


def train(
    recipe: Recipe,
    *,
    runs: Path = Path("runs"),
    name: str | None = None,
    devices: int | str = 1,
    nodes: int = 1,
    resume: bool = False,
    fresh: bool = False,
    progress: Progress = silent,
) -> Training:
    """Trains what the recipe says and keeps the bundle with the best monitored score on the validation split.

    Scenes that are not prepared yet are prepared first. A run of the same ``name``, recipe and data that was
    interrupted goes on (``resume``: there must be one; ``fresh``: none does). ``devices`` per machine and ``nodes``
    as in :func:`geoseg.training.distributed.launched`. Raises :class:`DataError` for data that does not fit the recipe,
    :class:`GeosegError` when the loss is no number or the device runs out of memory, :class:`Stopped` after a signal.
    """
    _refuse_early(recipe)
    fabric = launched(recipe.train, devices=devices, nodes=nodes)
    settle(recipe.train)
    quietly = progress if fabric.is_global_zero else silent
    with fabric.rank_zero_first():
        prepared = prepare(recipe.data, recipe.name, progress=quietly)
    prepared.scenes("val")
    require_colours(recipe, prepared)
    network, scaled = _network(recipe, prepared)
    crops = TrainingCrops(recipe, prepared, rank=fabric.global_rank, processes=fabric.world_size)
    # Everything a recipe can be refused for comes before the run has a folder.
    run = _opened_run(fabric, runs, name or recipe.name or "run", recipe, prepared, resume=resume, fresh=fresh)
    with run, stopping() as stop, explained_memory(MEMORY_HINT):
        if fabric.is_global_zero:
            _begin(run, recipe)
        session = _session(fabric, recipe, prepared, run, network, scaled, crops)
        with contextlib.closing(session.log):
            session.train(stop, quietly)
        fabric.barrier()
    return Training(run.folder, session.keeper.path, load(session.keeper.path), is_first=fabric.is_global_zero)


def _refuse_early(recipe: Recipe) -> None:
    """What a recipe can be refused for without data, before hours of preparation."""
    train, head = recipe.train, recipe.model.head
    choose_device(train.device)
    backbone_file(recipe.model.backbone.name)
    heads.check(head.name, head.options, given=("in_channels", "strides", "classes", "align_corners"))
    samplers.check(train.sampler.name, train.sampler.options, given=("scenes", "size", "scale", "seed", "classes"))
    legend = open_dataset(recipe.data).legend
    build_loss(with_class_weights(recipe.loss, [1] * len(legend)), classes=len(legend))
    require_monitor(train.monitor, legend)
    require_loggers(train.loggers)


def _network(recipe: Recipe, prepared: Prepared) -> tuple[SegmentationNetwork, Scaling]:
    """The network as it begins, the same in every process, and how pixels are scaled for it."""
    torch.manual_seed(recipe.train.seed)
    network = build_network(recipe.model, bands=len(prepared.bands), classes=len(prepared.legend))
    together = recipe.train.batch // recipe.train.accumulate  # norms are shared between processes
    if together < network.smallest_batch:
        message = f"the head {recipe.model.head.name} does not train on {together} crop at a time"
        raise ConfigError(message, f"--set train.batch={network.smallest_batch * recipe.train.accumulate} or more")
    scaled = scaling(recipe.model, network, prepared)
    warn_of_other_units(scaled, prepared)
    return network, scaled


def _opened_run(
    fabric: Fabric, runs: Path, name: str, recipe: Recipe, prepared: Prepared, *, resume: bool, fresh: bool
) -> Run:
    """The run, the same in every process: the first one opens it, the others are told."""
    run: Run | None = None
    if fabric.is_global_zero:
        run = open_run(runs, name, recipe, prepared.digest, resume=resume, fresh=fresh)
    told: Any = fabric.broadcast((run.folder, run.checkpoint) if run else None)
    return run or Run(told[0], None, told[1])


def _begin(run: Run, recipe: Recipe) -> None:
    """Writes down what is to be done, and says how far it is."""
    path = run.folder / "recipe.yaml"
    with output_errors(path):
        path.write_text(to_yaml(recipe), "utf-8")
    if run.checkpoint is not None:
        done, wanted = run.checkpoint.standing.iteration, recipe.train.iterations
        logger.log(NOTICE, "Going on with %s after iteration %d of %d.", run.folder, done, wanted)


def _session(
    fabric: Fabric,
    recipe: Recipe,
    prepared: Prepared,
    run: Run,
    network: SegmentationNetwork,
    scaled: Scaling,
    crops: TrainingCrops,
) -> Session:
    """Everything in the state in which the run stands: as it begins, or as its checkpoint says."""
    train, held = recipe.train, run.checkpoint
    standing = held.standing if held else Standing()
    if held:
        network.load_state_dict(held.network)
    if isinstance(fabric.strategy, DDPStrategy):  # also on the one device that "auto" finds
        freeze_unused(network, bands=len(prepared.bands))
        synchronise(network, fabric.device)
    criterion = build_loss(
        with_class_weights(recipe.loss, prepared.class_pixels().tolist()), classes=len(prepared.legend)
    )
    step = TrainingStep(network, criterion, scaled, auxiliary_weight=recipe.model.auxiliary_weight)
    step.lay_out(memory_format(fabric.device, channels_last=train.channels_last))
    optimizer = build_optimizer(network.parameters(), train)
    average = AveragedNetwork(network, train.average) if train.average is not None else None
    card = _card(recipe, prepared, scaled)
    session = Session(
        fabric=fabric,
        recipe=recipe,
        prepared=prepared,
        run=run.folder,
        step=step,
        optimizer=optimizer,
        average=average,
        standing=standing,
        keeper=KeepBest(run.folder, card, train.monitor, standing, writes=fabric.is_global_zero),
        crops=crops,
    )
    if held:
        session.restore(held)
        run.checkpoint = None  # its memory is wanted
    return session


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
        protocol=PROTOCOLS[recipe.train.validation],
        recipe=recipe.model_dump(mode="json"),
        data={"digest": prepared.digest, **prepared.about},
        provenance=_provenance(recipe),
    )


def _provenance(recipe: Recipe) -> dict[str, Any]:
    return {
        "seed": str(recipe.train.seed),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "geoseg": geoseg.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
