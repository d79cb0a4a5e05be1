"""Tests of synchronized norms against the norms of torch on all images."""

import logging
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from geoseg.models.sync_batchnorm import SYNC_CLASSES, SyncBatchNorm2d, convert_to_sync_batchnorm

KINDS = {"torch": nn.BatchNorm2d, "timm": BatchNormAct2d}
CPU = torch.device("cpu")
PROCESSES = 2


def norm(case: dict[str, Any]) -> nn.BatchNorm2d:
    """The norm of a case, with weights unlike those of a new one."""
    made = KINDS[case["kind"]](case["channels"], momentum=case["momentum"], affine=case["affine"])
    made.load_state_dict({name: torch.from_numpy(value) for name, value in case["state"].items()})
    return made.train()


def computed(made: nn.BatchNorm2d, features: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs, gradients of a weighted sum of the outputs, and running statistics after two steps."""
    images = torch.from_numpy(features).requires_grad_()
    made(images.detach() / 2)
    outputs = made(images)
    (outputs * torch.from_numpy(weights)).sum().backward()
    gradients = {f"gradient of {name}": value.grad.numpy() for name, value in made.named_parameters()}
    statistics = {name: value.numpy() for name, value in made.named_buffers()}
    return {"outputs": outputs.detach().numpy(), "gradient": images.grad.numpy(), **gradients, **statistics}


class Processes:
    """Two processes that compute their shares of a case."""

    def __init__(self, folder) -> None:
        command = [sys.executable, __file__, f"file://{folder / 'meeting'}"]
        self.all = [
            subprocess.Popen([*command, str(rank)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for rank in range(PROCESSES)
        ]

    def computed(self, case, shares) -> list[dict[str, np.ndarray]]:
        for process, share in zip(self.all, shares, strict=True):
            pickle.dump((case, *share), process.stdin)
            process.stdin.flush()
        return [pickle.load(process.stdout) for process in self.all]

    def close(self) -> None:
        for process in self.all:
            process.kill()
            process.communicate()


def serve(meeting: str, rank: int) -> None:
    """What each of the processes does."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=PROCESSES)
    while True:
        case, features, weights = pickle.load(sys.stdin.buffer)
        pickle.dump(
            computed(convert_to_sync_batchnorm(nn.Sequential(norm(case)), CPU)[0], features, weights), sys.stdout.buffer
        )
        sys.stdout.buffer.flush()


@pytest.fixture(scope="module")
def processes(tmp_path_factory) -> Iterator[Processes]:
    both = Processes(tmp_path_factory.mktemp("processes"))
    yield both
    both.close()


cases = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(sorted(KINDS)),
        "channels": st.integers(1, 4),
        "momentum": st.sampled_from([0.1, 0.9, None]),
        "affine": st.booleans(),
        "images": st.tuples(*[st.integers(1, 4)] * PROCESSES),
        "rows": st.integers(1, 5),
        "offset": st.sampled_from([0.0, 100.0]),
        "seed": st.integers(0, 9),
    }
)


@given(case=cases)
@settings(max_examples=40)
def test_two_processes_equal_one_process_on_all_images(processes, case):
    """Outputs, gradients and running statistics; processes may have different numbers of images."""
    rng = np.random.default_rng(case["seed"])
    shape = (sum(case["images"]), case["channels"], case["rows"], 3)
    features = (rng.normal(size=shape) + case["offset"]).astype(np.float32)
    weights = rng.normal(size=shape).astype(np.float32)
    new = KINDS[case["kind"]](case["channels"], affine=case["affine"]).state_dict()
    case["state"] = {name: np.array(value.numpy() + rng.random(), value.numpy().dtype) for name, value in new.items()}
    places = [slice(0, case["images"][0]), slice(case["images"][0], None)]
    shares = processes.computed(case, [(features[place], weights[place]) for place in places])
    whole = computed(norm(case), features, weights)
    for name, expected in whole.items():
        if name in ("outputs", "gradient"):
            found = np.concatenate([share[name] for share in shares])
        elif name.startswith("gradient of"):
            found = sum(share[name] for share in shares)
        else:
            found = shares[0][name]
            assert all(np.array_equal(share[name], found) for share in shares), name
        assert found.dtype == expected.dtype
        assert np.allclose(found, expected, rtol=1e-4, atol=1e-4), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_single_process_equals_the_original_norm(kind, training):
    plain = KINDS[kind](3).train(training)
    shared = KINDS[kind](3).train(training)
    convert_to_sync_batchnorm(nn.Sequential(shared), CPU)
    images = torch.randn(2, 3, 4, 5)
    assert torch.equal(plain(images), shared(images))
    assert all(torch.equal(a, b) for a, b in zip(plain.buffers(), shared.buffers(), strict=True))


def test_all_norms_are_converted_and_keep_their_weights():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(BatchNormAct2d(4)))
    before = {name: value.data_ptr() for name, value in network.state_dict().items()}
    assert convert_to_sync_batchnorm(network, CPU) is network
    assert {name: value.data_ptr() for name, value in network.state_dict().items()} == before
    assert [type(module) for module in network.modules() if isinstance(module, nn.BatchNorm2d)] == [
        *SYNC_CLASSES.values()
    ]
    assert isinstance(network[1], SyncBatchNorm2d)


def test_unsupported_norm_is_reported(caplog):
    class Special(nn.BatchNorm2d):
        pass

    with caplog.at_level(logging.WARNING, "geoseg"):
        convert_to_sync_batchnorm(convert_to_sync_batchnorm(nn.Sequential(Special(3), nn.BatchNorm2d(3)), CPU), CPU)
    assert {record.getMessage() for record in caplog.records} == {
        "the norm 0 is not synchronized between processes: Special"
    }


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
