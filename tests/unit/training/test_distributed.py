"""Devices: what a recipe's batch means on any number of them, and sentences for what cannot be."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.fabric import Fabric
from torch import nn

from geoseg.config.recipe import TrainSection
from geoseg.errors import ConfigError, GeosegError
from geoseg.models.device import explained_memory
from geoseg.training import distributed as devices
from geoseg.training.distributed import fabric_precision, freeze_unused, launched, one_voice, settle, share_of
from geoseg.training.train import MEMORY_HINT

CPU, GPU = torch.device("cpu"), torch.device("cuda")
counts = st.integers(1, 8)


def section(**changes) -> TrainSection:
    return TrainSection(**({"device": "cpu", "batch": 4} | changes))


@pytest.fixture
def not_launched(monkeypatch):
    """No process is started, whatever is asked for."""
    monkeypatch.setattr(Fabric, "launch", lambda _fabric: pytest.fail("processes were started"))


@given(counts, counts, counts)
def test_shares_of_all_processes_and_parts_make_the_batch(each, processes, parts):
    train = section(batch=each * processes * parts, accumulate=parts)
    assert share_of(train, processes) == each


@pytest.mark.parametrize(
    ("batch", "parts", "processes", "among", "multiple"),
    [
        (4, 1, 3, "3 processes", 3),
        (4, 3, 1, "3 parts", 3),
        (6, 2, 2, "2 processes and 2 parts", 4),
        (1, 1, 2, "2 processes", 2),
    ],
)
def test_a_batch_that_cannot_be_shared_is_one_sentence(not_launched, batch, parts, processes, among, multiple):
    with pytest.raises(ConfigError) as caught:
        launched(section(batch=batch, accumulate=parts), devices=processes)
    assert caught.value.message == f"a batch of {batch} crops cannot be shared by {among}"
    assert caught.value.hint == f"make train.batch a multiple of {multiple}"


@pytest.mark.parametrize("wanted", ["0", "many", -2])
def test_a_number_of_devices_that_is_none_is_one_sentence(not_launched, wanted):
    with pytest.raises(ConfigError, match="devices cannot be used") as caught:
        launched(section(), devices=wanted)
    assert "--devices" in caught.value.hint


def test_one_process_needs_no_others():
    fabric = launched(section())
    assert (fabric.world_size, fabric.global_rank, fabric.device) == (1, 0, CPU)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MASTER_ADDR": "here", "NODE_RANK": "0"}, ("auto", 3)),
        ({"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8", "RANK": "0"}, (4, 2)),
        ({"SLURM_NTASKS": "6", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "town"}, (3, 2)),
    ],
)
def test_processes_that_are_there_already_are_counted(monkeypatch, environment, expected):
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert devices._counts("auto", 3) == expected


def test_machines_that_nothing_tells_about_are_refused(monkeypatch):
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="where the 2 machines are") as caught:
        devices._counts(1, 2)
    assert "torchrun" in caught.value.hint


def test_other_devices_than_were_started_are_refused(monkeypatch):
    for name, value in {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "town"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="2 devices per machine are asked for, and 1 processes") as caught:
        devices._counts("2", 1)
    assert "srun --ntasks-per-node 2" in caught.value.hint


def test_more_gpus_than_there_are_is_one_sentence(not_launched, monkeypatch):
    monkeypatch.setattr(devices, "choose_device", lambda _: GPU)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"^4 devices cannot be used: [^\n]*$"):
        launched(section(device="cuda"), devices=4)


@pytest.mark.parametrize("said", ["Connection closed by peer [127.0.0.1]:1", "NCCL error: remote process exited"])
def test_that_another_process_is_gone_is_one_sentence(monkeypatch, said):
    monkeypatch.setattr(devices.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(devices.dist, "get_rank", lambda: 0)
    with pytest.raises(GeosegError, match="another of the processes") as caught, one_voice():
        raise RuntimeError(said)
    assert "same command" in caught.value.hint


def test_other_errors_stay_what_they_are(monkeypatch):
    monkeypatch.setattr(devices.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(devices.dist, "get_rank", lambda: 0)
    with pytest.raises(RuntimeError, match="a fault"), one_voice():
        raise RuntimeError("a fault")


@pytest.mark.parametrize(("rank", "waits"), [("0", []), ("1", [devices.MOMENT]), ("", [])])
def test_of_several_processes_with_an_error_the_first_tells_at_once(monkeypatch, rank, waits):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    waited = []
    monkeypatch.setattr(devices, "time", SimpleNamespace(sleep=waited.append))
    with pytest.raises(GeosegError, match="same in all"), one_voice():
        raise GeosegError("same in all")
    assert waited == waits


@pytest.mark.parametrize(
    ("wanted", "device", "expected"),
    [
        ("float32", CPU, "32-true"),
        ("float32", GPU, "32-true"),
        ("bfloat16", CPU, "bf16-mixed"),
        ("float16", GPU, "16-mixed"),
    ],
)
def test_arithmetic_in_fabrics_words(wanted, device, expected):
    assert fabric_precision(section(precision=wanted), device) == expected


def test_cpus_do_not_train_in_float16():
    with pytest.raises(ConfigError, match="CPUs do not train in float16") as caught:
        fabric_precision(section(precision="float16"), CPU)
    assert "bfloat16" in caught.value.hint


class HalfUsed(nn.Module):
    """A network that computes a stage no logit depends on."""

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
def test_what_no_logit_depends_on_is_frozen_and_all_else_is_as_before(auxiliary, training):
    network = HalfUsed(auxiliary=auxiliary).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    freeze_unused(network, bands=3)
    frozen = {name for name, weights in network.named_parameters() if not weights.requires_grad}
    assert frozen == {"deeper.weight", "deeper.bias"}
    assert all(weights.grad is None for weights in network.parameters())
    assert network.training == training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("deterministic", [True, False])
def test_deterministic_kernels_are_used_where_the_recipe_wants_them(deterministic, monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        settle(section(deterministic=deterministic))
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
def test_want_of_memory_is_one_sentence_with_what_to_lower(error):
    with pytest.raises(GeosegError, match="needs more memory than there is") as caught, explained_memory(MEMORY_HINT):
        raise error
    assert "train.batch" in caught.value.hint
    assert "train.accumulate" in caught.value.hint


def test_other_errors_of_torch_are_not_about_memory():
    with pytest.raises(RuntimeError, match="shapes"), explained_memory(MEMORY_HINT):
        raise RuntimeError("shapes do not match")
