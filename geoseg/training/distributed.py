"""Where a training runs: devices, machines, arithmetic. Lightning's Fabric does it; this says what is meant by what.

One rule holds for any number of devices: ``train.batch`` is the number of crops per optimiser step over *all* of them,
so neither learning rate nor schedule changes with the hardware. Every process takes every n-th crop of the batch.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
import torch.distributed as dist
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException

from geoseg.config.recipe import TrainSection
from geoseg.errors import ConfigError, GeosegError
from geoseg.models.device import choose_device, chosen_precision
from geoseg.models.network import SegmentationNetwork

FabricPrecision = Literal["32-true", "bf16-mixed", "16-mixed"]

MOMENT = 5.0
"""Seconds in which a process ends that has had the same error."""
GONE = ("connection closed", "connection reset", "nccl", "gloo")
"""How torch says that another process does not answer any more."""

logger = logging.getLogger(__name__)


def launched(train: TrainSection, *, devices: int | str = 1, nodes: int = 1) -> Fabric:
    """Fabric on the devices asked for, its processes running: from here on every line runs in each of them.

    ``devices`` counts devices per machine (``auto``: all there are). Under torchrun or SLURM the processes are there
    already, and they are counted instead. :class:`ConfigError` for devices that are not there, and for a batch that
    cannot be shared by them.
    """
    for name in ("lightning.fabric", "lightning.pytorch"):  # they tell of arithmetic nobody asked about
        logging.getLogger(name).setLevel(logging.WARNING)
    device = choose_device(train.device)
    devices, nodes = _counts(devices, nodes)
    several = devices != 1 or nodes > 1
    try:
        fabric = Fabric(
            accelerator=device.type,
            devices=devices if several else ([device.index or 0] if device.type == "cuda" else 1),
            num_nodes=nodes,
            strategy="ddp" if several and device.type != "mps" else "auto",
            precision=fabric_precision(train, device),
        )
    except (ValueError, RuntimeError, TypeError, MisconfigurationException) as error:
        said = " ".join(str(error).split())
        raise ConfigError(
            f"{devices} devices cannot be used: {said}", "give --devices a number that is there"
        ) from None
    _refuse_uneven(train, fabric.world_size)
    fabric.launch()
    if fabric.world_size > 1:
        _end_with(fabric.broadcast(os.getpid()))
    if not fabric.is_global_zero:
        logging.getLogger("geoseg").setLevel(logging.ERROR)  # the first process tells it all
    return fabric


def _counts(devices: int | str, nodes: int) -> tuple[int | str, int]:
    """Devices per machine and machines: of the processes that torchrun or SLURM started, else as asked for.

    :class:`ConfigError` if others were asked for, or if nothing says where the other machines are.
    """
    wanted = int(devices) if str(devices).isdecimal() else devices
    started = _started()
    if started is None:
        if nodes > 1 and not {"MASTER_ADDR", "NODE_RANK"} <= os.environ.keys():
            raise ConfigError(
                f"nothing says where the {nodes} machines are",
                "start it on each with torchrun or srun, or set MASTER_ADDR, MASTER_PORT and NODE_RANK",
            )
        return wanted, nodes
    if wanted not in (1, "auto", started[0]):
        raise ConfigError(
            f"{wanted} devices per machine are asked for, and {started[0]} processes were started on each",
            f"start {wanted}: torchrun --nproc-per-node {wanted}, srun --ntasks-per-node {wanted}",
        )
    return started


def _started() -> tuple[int, int] | None:
    """(processes per machine, machines) that torchrun or SLURM started; None if neither did."""
    if TorchElasticEnvironment.detect():
        here, everywhere = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        return here, everywhere // here
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return None


def _end_with(first: int) -> None:
    """A process that the first one (its process id) started ends when that does, in whatever way: none is left waiting."""

    def watch() -> None:
        while os.getppid() == first:
            time.sleep(0.5)
        os._exit(1)

    if os.getppid() == first:
        threading.Thread(target=watch, daemon=True).start()


@contextmanager
def one_voice() -> Iterator[None]:
    """Of an error that several processes have at once, only the first of them tells.

    The others wait a moment before they do. If the first one has the error too, they are ended in that time: by
    :func:`launched`, or by torchrun. That another process does not answer any more is said in one sentence.
    """
    try:
        yield
    except BaseException as error:
        if _rank():
            time.sleep(MOMENT)
        if isinstance(error, RuntimeError) and _rank_is_known() and any(words in str(error).lower() for words in GONE):
            raise GeosegError(
                "another of the processes that train together has ended",
                "see what it said; the same command goes on from the last checkpoint",
            ) from error
        raise


def _rank() -> int:
    """Which of the processes that train together this is; also before they know of each other."""
    if _rank_is_known():
        return dist.get_rank()
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
    return int(next((os.environ[name] for name in names if os.environ.get(name)), 0))


def _rank_is_known() -> bool:
    return dist.is_available() and dist.is_initialized()


def fabric_precision(train: TrainSection, device: torch.device) -> FabricPrecision:
    """Our names for arithmetic in Fabric's words."""
    if train.precision == "float16":
        if device.type == "cpu":
            raise ConfigError("CPUs do not train in float16", "--set train.precision=bfloat16")
        return "16-mixed"
    return "32-true" if chosen_precision(train.precision, device) == "float32" else "bf16-mixed"


def share_of(train: TrainSection, processes: int) -> int:
    """Crops that one process sees at once: the batch, divided by processes and by micro-batches."""
    return train.batch // (processes * train.accumulate)


def _refuse_uneven(train: TrainSection, processes: int) -> None:
    if train.batch % (processes * train.accumulate):
        counts = {"processes": processes, "parts": train.accumulate}
        among = " and ".join(f"{count} {what}" for what, count in counts.items() if count > 1)
        raise ConfigError(
            f"a batch of {train.batch} crops cannot be shared by {among}",
            f"make train.batch a multiple of {processes * train.accumulate}",
        )


def freeze_unused(network: SegmentationNetwork, *, bands: int) -> None:
    """Freezes parameters that no logit depends on, such as stages deeper than the head takes.

    They would never change anyhow, but processes that exchange gradients would wait for theirs.
    """
    was_training = network.training
    network.eval()  # statistics stay as they are
    for logits in network.logits_with_auxiliary(torch.zeros(1, bands, 64, 64)):
        if logits is not None:
            logits.sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.grad is not None)
    network.zero_grad(set_to_none=True)
    network.train(was_training)


def settle(train: TrainSection) -> None:
    """What holds for the whole process: with ``deterministic`` only such kernels as give the same result every time."""
    torch.backends.cudnn.benchmark = not train.deterministic
    if train.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it (CUDA toolkit documentation)
    torch.use_deterministic_algorithms(train.deterministic, warn_only=True)
