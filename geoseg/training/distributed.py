"""Launch training on one or more devices and machines with Lightning Fabric.

``train.batch`` is the number of crops per optimizer step across all devices, so the learning rate and its schedule do
not depend on the hardware. Each of n processes takes every n-th crop of the batch.
"""

import logging
import os
import threading
import time
from typing import Literal

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException

from geoseg.config.recipe import TrainSection
from geoseg.errors import ConfigError
from geoseg.models.device import choose_device, choose_precision
from geoseg.models.network import SegmentationNetwork

FabricPrecision = Literal["32-true", "bf16-mixed", "16-mixed"]

logger = logging.getLogger(__name__)


def launch_fabric(train: TrainSection, *, devices: int | str = 1, nodes: int = 1) -> Fabric:
    """Create a Fabric instance and launch its processes; all subsequent code runs in each of them.

    Under torchrun or SLURM, the processes already exist and determine the number of devices and machines.

    Args:
        train: Train section of the recipe.
        devices: Number of devices per machine, or ``auto`` for all.
        nodes: Number of machines.

    Raises:
        ConfigError: If the devices are not available, or the batch cannot be divided among them.
    """
    for name in ("lightning.fabric", "lightning.pytorch"):  # their INFO messages are only about the precision
        logging.getLogger(name).setLevel(logging.WARNING)
    device = choose_device(train.device)
    devices, nodes = _count_processes(devices, nodes)
    is_distributed = devices != 1 or nodes > 1
    try:
        fabric = Fabric(
            accelerator=device.type,
            devices=devices if is_distributed else ([device.index or 0] if device.type == "cuda" else 1),
            num_nodes=nodes,
            strategy="ddp" if is_distributed and device.type != "mps" else "auto",
            precision=choose_fabric_precision(train, device),
        )
    except (ValueError, RuntimeError, TypeError, MisconfigurationException) as error:
        message = " ".join(str(error).split())
        raise ConfigError(
            f"cannot use {devices} devices: {message}", "set --devices to the number of available devices"
        ) from error
    _refuse_uneven(train, fabric.world_size)
    fabric.launch()
    if fabric.world_size > 1:
        _exit_with_parent(fabric.broadcast(os.getpid()))
    if not fabric.is_global_zero:
        logging.getLogger("geoseg").setLevel(logging.ERROR)  # only the main process logs
    return fabric


def _count_processes(devices: int | str, nodes: int) -> tuple[int | str, int]:
    """Return the number of devices per machine and of machines, as set by torchrun or SLURM, or else as requested."""
    requested = int(devices) if str(devices).isdecimal() else devices
    started = _started()
    if started is None:
        if nodes > 1 and not {"MASTER_ADDR", "NODE_RANK"} <= os.environ.keys():
            raise ConfigError(
                f"the addresses of the {nodes} machines are unknown",
                "start the command on each machine with torchrun or srun, or set MASTER_ADDR, MASTER_PORT and NODE_RANK",
            )
        return requested, nodes
    if requested not in (1, "auto", started[0]):
        raise ConfigError(
            f"{requested} devices per machine are requested, but {started[0]} processes were started on each",
            f"start {requested}: torchrun --nproc-per-node {requested}, srun --ntasks-per-node {requested}",
        )
    return started


def _started() -> tuple[int, int] | None:
    """Return (processes per machine, machines) as started by torchrun or SLURM, or None if neither was used."""
    if TorchElasticEnvironment.detect():
        per_machine, total = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        return per_machine, total // per_machine
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return None


def _exit_with_parent(parent: int) -> None:
    """Exit this process when its parent (the main process) ends for any reason, so that no process is left waiting."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    if os.getppid() == parent:
        threading.Thread(target=watch, daemon=True).start()


def choose_fabric_precision(train: TrainSection, device: torch.device) -> FabricPrecision:
    """Return Fabric's name for the precision set in a recipe."""
    if train.precision == "float16":
        if device.type == "cpu":
            raise ConfigError("training in float16 is not supported on CPUs", "use --set train.precision=bfloat16")
        return "16-mixed"
    return "32-true" if choose_precision(train.precision, device) == "float32" else "bf16-mixed"


def crops_per_process(train: TrainSection, processes: int) -> int:
    """Return the number of crops per forward pass of a process: the batch size divided by processes and micro-batches."""
    return train.batch // (processes * train.accumulate)


def _refuse_uneven(train: TrainSection, processes: int) -> None:
    if train.batch % (processes * train.accumulate):
        counts = {"processes": processes, "micro-batches": train.accumulate}
        divisors = " and ".join(f"{count} {name}" for name, count in counts.items() if count > 1)
        raise ConfigError(
            f"a batch of {train.batch} crops cannot be divided among {divisors}",
            f"set train.batch to a multiple of {processes * train.accumulate}",
        )


def freeze_unused_parameters(network: SegmentationNetwork, *, bands: int) -> None:
    """Freeze parameters that do not affect the logits, such as those of backbone stages that the head does not use.

    They do not receive gradients, and distributed training would wait for those gradients.
    """
    was_training = network.training
    network.eval()  # running statistics do not change
    for logits in network.logits_with_auxiliary(torch.zeros(1, bands, 64, 64)):
        if logits is not None:
            logits.sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.grad is not None)
    network.zero_grad(set_to_none=True)
    network.train(was_training)
