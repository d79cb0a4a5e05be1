"""Compare DeepLabV3+ with mmsegmentation and segmentation-models-pytorch (smp), on noise images.

    python benchmarks/parity benchmarks/network.py --size 192 --batch 2 --rounds 5      8 minutes; less with --no-compile

(`benchmarks/parity` creates an environment with mmsegmentation; without it, mmsegmentation is skipped.) Prints Markdown:
milliseconds per image for a forward pass in evaluation mode and for a training step (forward, cross-entropy, backward,
SGD), as medians of interleaved rounds. The networks have 6 classes and output stride 8, and no auxiliary heads, which
smp does not have. The ratio to geoseg is in parentheses: the median of the ratios in each round.

By default, the benchmark uses one thread and measures CPU time, which is hardly affected by other programs on the
machine; on an idle machine, it equals wall time.
"""

import argparse
import contextlib
import itertools
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.models.build import build_network

CLASSES = 6
CHANNELS = {18: 128, 50: 512, 101: 512}
"""Number of channels of the head, by depth of the ResNet, as in OpenMMLab's configurations."""
PASSES = {"forward": 1, "training": 3}
"""Methods of :class:`Runner` and their work in forward passes; training adds the gradients of weights and of features."""


class Mode(NamedTuple):
    """Memory format, floating-point type and compilation of a network."""

    channels_last: bool = False
    bfloat16: bool = False
    compiled: bool = False


MODES = {
    "eager": Mode(),
    "channels-last": Mode(channels_last=True),
    "bfloat16": Mode(bfloat16=True),
    "both": Mode(channels_last=True, bfloat16=True),
    "both, compiled": Mode(channels_last=True, bfloat16=True, compiled=True),
}
"""Modes by name; ``both`` is channels-last and bfloat16."""


def geoseg(depth: int) -> nn.Module:
    backbone, head = Component(name=f"resnet{depth}"), Component(name="deeplabv3plus")
    return build_network(ModelSection(backbone=backbone, head=head, auxiliary_weight=0), bands=3, classes=CLASSES)


def mmsegmentation(depth: int) -> nn.Module:
    peer = import_module("peer")
    name = f"deeplabv3plus/deeplabv3plus_r{depth}-d8_4xb4-80k_potsdam-512x512.py"
    network: nn.Module = peer.Logits(peer.build(peer.CONFIGURATIONS / name, auxiliary=False))
    return network


def smp(depth: int) -> nn.Module:
    library = import_module("segmentation_models_pytorch")
    network: nn.Module = library.DeepLabV3Plus(
        f"resnet{depth}",
        encoder_weights=None,
        encoder_output_stride=8,
        decoder_channels=CHANNELS[depth],
        decoder_aspp_dropout=0.1,
        classes=CLASSES,
    )
    return network


class Library(NamedTuple):
    """A library to compare."""

    build: Callable[[int], nn.Module]
    """Function that builds the network for a depth of the ResNet."""
    module: str
    """Module that must be installed."""


LIBRARIES = {
    "geoseg": Library(geoseg, "geoseg"),
    "mmsegmentation": Library(mmsegmentation, "mmseg"),
    "smp": Library(smp, "segmentation_models_pytorch"),
}


def available() -> dict[str, Library]:
    """Return the installed libraries."""
    return {name: library for name, library in LIBRARIES.items() if find_spec(library.module)}


class Runner:
    """A network in one mode, with a batch of noise images."""

    def __init__(self, network: nn.Module, mode: Mode, *, size: int, batch: int, device: str = "cpu") -> None:
        self.device, self.mode = device, mode
        layout = torch.channels_last if mode.channels_last else torch.contiguous_format
        self.images = torch.randn(batch, 3, size, size, device=device).contiguous(memory_format=layout)
        self.target = torch.randint(CLASSES, (batch, size, size), device=device)
        network = network.to(device=device, memory_format=layout)
        self.optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
        self.network: Any = torch.compile(network) if mode.compiled else network

    def logits(self) -> Tensor:
        """Return logits (batch, class, row, col) in float32."""
        with torch.autocast(self.device, torch.bfloat16) if self.mode.bfloat16 else contextlib.nullcontext():
            result: Tensor = self.network(self.images)
        return result.float()

    def forward(self) -> None:
        """Run a forward pass in evaluation mode."""
        self.network.eval()
        with torch.inference_mode():
            self.logits()

    def training(self) -> None:
        """Run a training step."""
        self.network.train()
        self.optimizer.zero_grad()
        F.cross_entropy(self.logits(), self.target).backward()
        self.optimizer.step()


Times = dict[tuple[str, str, str], list[float]]
"""Seconds per image in each round, by library, mode and pass."""


def seconds(work: Callable[[], None]) -> float:
    """Measure a call in seconds: in CPU time if there is a single thread, or else in wall time."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    work()
    return clock() - start


def measure(runners: dict[tuple[str, str], Runner], rounds: int) -> Times:
    """Measure the passes of all runners in interleaved rounds, with alternating order, after a warm-up round."""
    times: Times = {(*key, what): [] for key in runners for what in PASSES}
    for number in range(rounds + 1):
        for key, runner in list(runners.items())[:: 1 if number % 2 else -1]:
            for what in PASSES:
                taken = seconds(getattr(runner, what)) / len(runner.images)
                if number:
                    times[(*key, what)].append(taken)
    return times


def work(network: nn.Module, size: int) -> float:
    """Return the floating-point operations, in 10^9, of a forward pass on one image; a multiply-add counts as two."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network.eval()(torch.zeros(1, 3, size, size))
    return counter.get_total_flops() / 1e9


def rows(depth: int, modes: list[str], options: argparse.Namespace) -> Iterator[list[str]]:
    """Yield the rows of the table for a backbone."""
    there = available()
    costs = {name: cost(library.build(depth), options.size) for name, library in there.items()}
    runners = {
        (name, mode): Runner(there[name].build(depth), MODES[mode], size=options.size, batch=options.batch)
        for name, mode in itertools.product(there, modes)
    }
    times = measure(runners, options.rounds)
    for what, name in itertools.product(PASSES, there):
        parameters, gflop = costs[name]
        speed = PASSES[what] * gflop / statistics.median(times[name, modes[0], what])
        cells = [cell(times, name, mode, what) for mode in modes]
        yield [f"R-{depth}", what, name, f"{parameters:.1f} M", f"{gflop:.1f}", *cells, f"{speed:.0f}"]


def cell(times: Times, name: str, mode: str, what: str) -> str:
    """Return the milliseconds per image and, for other libraries, the ratio to geoseg."""
    own = times[name, mode, what]
    peers = f" ({quotient(own, times['geoseg', mode, what]):.2f})" if name != "geoseg" else ""
    return f"{1e3 * statistics.median(own):.0f}{peers}"


def quotient(these: list[float], those: list[float]) -> float:
    return statistics.median(this / that for this, that in zip(these, those, strict=True))


def cost(network: nn.Module, size: int) -> tuple[float, float]:
    """Return the number of parameters in millions, and the result of :func:`work`."""
    return sum(each.numel() for each in network.parameters()) / 1e6, work(network, size)


def versions() -> Iterator[str]:
    """Yield the names and versions of the compared libraries."""
    for name in ("torch", "mmsegmentation", "segmentation_models_pytorch"):
        with contextlib.suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=192, help="side of the images in pixels")
    parser.add_argument("--batch", type=int, default=2, help="images per pass")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--depths", type=int, nargs="+", default=[18, 50], choices=CHANNELS)
    parser.add_argument("--no-compile", action="store_true", help="skip torch.compile, which takes minutes")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")  # mmsegmentation warns about odd sizes and its own deprecations
    machine = f"{options.threads} of {os.cpu_count()} cores"
    print(f"{', '.join(versions())}; {machine}; {options.batch} images of {options.size} x {options.size}\n")
    modes = [name for name, mode in MODES.items() if not (mode.compiled and options.no_compile)]
    heads = ["backbone", "pass", "library", "parameters", "GFLOP", *modes, "GFLOP/s"]
    for cells in (heads, ["---"] * 3 + ["--:"] * (len(heads) - 3)):
        print(f"| {' | '.join(cells)} |", flush=True)
    for depth in options.depths:
        for row in rows(depth, modes, options):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
