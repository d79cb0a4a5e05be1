"""Tests of launching training on devices and machines."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.fabric import Fabric
from torch import nn

from geoseg.config.recipe import TrainSection
from geoseg.errors import ConfigError, GeosegError
from geoseg.models.out_of_memory import explain_out_of_memory
from geoseg.training import distributed
from geoseg.training.determinism import set_determinism
from geoseg.training.distributed import (
    choose_fabric_precision,
    crops_per_process,
    freeze_unused_parameters,
    launch_fabric,
)
from geoseg.training.run_training import OUT_OF_MEMORY_HINT

CPU, GPU = torch.device("cpu"), torch.device("cuda")
counts = st.integers(1, 8)


def section(**changes) -> TrainSection:
    return TrainSection(**({"device": "cpu", "batch": 4} | changes))


@pytest.fixture
def not_launched(monkeypatch):
    """Fail if processes are started."""
    monkeypatch.setattr(Fabric, "launch", lambda _fabric: pytest.fail("processes were started"))


@given(counts, counts, counts)
def test_crops_of_all_processes_and_micro_batches_add_up_to_the_batch(each, processes, parts):
    train = section(batch=each * processes * parts, accumulate=parts)
    assert crops_per_process(train, processes) == each


@pytest.mark.parametrize(
    ("batch", "parts", "processes", "among", "multiple"),
    [
        (4, 1, 3, "3 processes", 3),
        (4, 3, 1, "3 micro-batches", 3),
        (6, 2, 2, "2 processes and 2 micro-batches", 4),
        (1, 1, 2, "2 processes", 2),
    ],
)
def test_batch_that_cannot_be_divided_is_an_error(not_launched, batch, parts, processes, among, multiple):
    with pytest.raises(ConfigError) as caught:
        launch_fabric(section(batch=batch, accumulate=parts), devices=processes)
    assert caught.value.message == f"a batch of {batch} crops cannot be divided among {among}"
    assert caught.value.hint == f"set train.batch to a multiple of {multiple}"


@pytest.mark.parametrize("requested", ["0", "many", -2])
def test_invalid_number_of_devices_is_an_error(not_launched, requested):
    with pytest.raises(ConfigError, match=f"cannot use {requested} devices: ") as caught:
        launch_fabric(section(), devices=requested)
    assert "--devices" in caught.value.hint


def test_one_process_by_default():
    fabric = launch_fabric(section())
    assert (fabric.world_size, fabric.global_rank, fabric.device) == (1, 0, CPU)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MASTER_ADDR": "here", "NODE_RANK": "0"}, ("auto", 3)),
        ({"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8", "RANK": "0"}, (4, 2)),
        ({"SLURM_NTASKS": "6", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "town"}, (3, 2)),
    ],
)
def test_processes_started_by_torchrun_or_slurm_are_counted(monkeypatch, environment, expected):
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert distributed._count_processes("auto", 3) == expected


def test_unknown_addresses_of_machines_are_an_error(monkeypatch):
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="the addresses of the 2 machines are unknown") as caught:
        distributed._count_processes(1, 2)
    assert "torchrun" in caught.value.hint


def test_devices_must_match_started_processes(monkeypatch):
    for name, value in {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "town"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="2 devices per machine are requested, but 1 processes") as caught:
        distributed._count_processes("2", 1)
    assert "srun --ntasks-per-node 2" in caught.value.hint


def test_too_many_gpus_are_an_error(not_launched, monkeypatch):
    monkeypatch.setattr(distributed, "choose_device", lambda _: GPU)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"^cannot use 4 devices: [^\n]*$"):
        launch_fabric(section(device="cuda"), devices=4)


@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [
        ("float32", CPU, "32-true"),
        ("float32", GPU, "32-true"),
        ("bfloat16", CPU, "bf16-mixed"),
        ("float16", GPU, "16-mixed"),
    ],
)
def test_precision_names_of_fabric(precision, device, expected):
    assert choose_fabric_precision(section(precision=precision), device) == expected


def test_float16_is_refused_on_cpus():
    with pytest.raises(ConfigError, match="training in float16 is not supported on CPUs") as caught:
        choose_fabric_precision(section(precision="float16"), CPU)
    assert "bfloat16" in caught.value.hint


class HalfUsed(nn.Module):
    """A network with a stage that no logit depends on."""

    def __init__(self, *, auxiliary: bool) -> None:
        super().__init__()
        self.first, self.norm, self.deeper = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)
        self.auxiliary = nn.Conv2d(4, 4, 1) if auxiliary else None

    def logits_with_auxiliary(self, images):
        features = self.norm(self.first(images))
        self.deeper(features)
        return features, None if self.auxiliary is None else self.auxiliary(features)


@pytest.mark.parametrize("auxiliary", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_unused_parameters_are_frozen_and_everything_else_is_unchanged(auxiliary, training):
    network = HalfUsed(auxiliary=auxiliary).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    freeze_unused_parameters(network, bands=3)
    frozen = {name for name, weights in network.named_parameters() if not weights.requires_grad}
    assert frozen == {"deeper.weight", "deeper.bias"}
    assert all(weights.grad is None for weights in network.parameters())
    assert network.training == training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("deterministic", [True, False])
def test_recipe_selects_deterministic_kernels(deterministic, monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        set_determinism(section(deterministic=deterministic))
        assert torch.are_deterministic_algorithms_enabled() == deterministic
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DataLoader worker (pid 123) is killed by signal: Killed."),
    ],
)
def test_out_of_memory_hint_names_recipe_keys(error):
    with (
        pytest.raises(GeosegError, match="out of memory while running the network") as caught,
        explain_out_of_memory(OUT_OF_MEMORY_HINT),
    ):
        raise error
    assert "train.batch" in caught.value.hint
    assert "train.accumulate" in caught.value.hint


def test_other_errors_of_torch_are_not_out_of_memory_errors():
    with pytest.raises(RuntimeError, match="shapes"), explain_out_of_memory(OUT_OF_MEMORY_HINT):
        raise RuntimeError("shapes do not match")
