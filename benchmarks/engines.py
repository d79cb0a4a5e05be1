"""Compare inference engines on this CPU: eager torch, optimized torch and OpenVINO, with the same DeepLabV3+.

    python benchmarks/engines.py --depths 18 50 --rounds 7
    python benchmarks/engines.py --models runs/latest/best.safetensors --images ../shared/data/dubai_hitl

Prints Markdown: the preparation time, medians of interleaved rounds in milliseconds per image, the speed relative to
eager float32 (median of the ratios in each round), and for ``--models`` the fraction of pixels in real images with the
same class. Networks selected with ``--depths`` have random weights, for which this fraction is meaningless.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from geoseg.bundle import Bundle, load
from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.models.build import build_network
from geoseg.models.device import has_fast_bfloat16
from geoseg.models.engines.fuse_conv_bn import fuse_conv_bn
from geoseg.models.engines.openvino import OpenVinoEngine
from geoseg.models.engines.pytorch import TorchEngine

CPU = torch.device("cpu")
CLASSES = 6

Engine = Callable[[Tensor], Tensor]


class Subject(NamedTuple):
    """A network and its input."""

    name: str
    network: nn.Module
    images: list[Tensor]
    """Normalized images, each (1, band, row, col)."""
    trained: bool


def engines(network: nn.Module, bands: int) -> dict[str, Callable[[], Engine]]:
    """Return functions that prepare each engine, by name; the first engine is the baseline."""
    ways: dict[str, Callable[[], Engine]] = {
        "eager float32": lambda: TorchEngine(network, CPU, "float32", bands=bands, live=True),
        "eager bfloat16": lambda: TorchEngine(network, CPU, "bfloat16", bands=bands, live=True),
        "folded float32": lambda: TorchEngine(fuse_conv_bn(network, bands), CPU, "float32", bands=bands, live=True),
        "torch float32": lambda: TorchEngine(network, CPU, "float32", bands=bands),
        "torch bfloat16": lambda: TorchEngine(network, CPU, "bfloat16", bands=bands),
        "OpenVINO float32": lambda: OpenVinoEngine(network, "float32", bands=bands),
        "OpenVINO bfloat16": lambda: OpenVinoEngine(network, "bfloat16", bands=bands),
    }
    return {name: way for name, way in ways.items() if "bfloat16" not in name or has_fast_bfloat16(CPU)}


def rows(subject: Subject, rounds: int) -> Iterator[list[str]]:
    """Yield the rows of the table for a network."""
    seconds, ready = {}, {}
    for name, way in engines(subject.network, subject.images[0].shape[1]).items():
        start = time.perf_counter()
        ready[name] = way()
        seconds[name] = time.perf_counter() - start
        ready[name](subject.images[0])  # OpenVINO compiles kernels for an input size on its first use
    times, same = measured(ready, subject.images, rounds)
    first = times[next(iter(times))]
    for name, own in times.items():
        faster = statistics.median(a / b for a, b in zip(first, own, strict=True))
        share = f"{100 * same[name]:.3f} %" if subject.trained else ""
        yield [
            subject.name,
            name,
            f"{seconds[name]:.1f}",
            f"{1e3 * statistics.median(own):.0f}",
            f"{faster:.2f}",
            share,
        ]


@torch.inference_mode()
def measured(
    ready: dict[str, Engine], images: list[Tensor], rounds: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return seconds per image in each round, and the fraction of pixels with the same class as from the first engine."""
    times: dict[str, list[float]] = {name: [] for name in ready}
    same: dict[str, list[float]] = {name: [] for name in ready}
    for number in range(rounds):
        image = images[number % len(images)]
        for name, engine in ready.items():
            start = time.perf_counter()
            index = engine(image).argmax(1)
            times[name].append(time.perf_counter() - start)
            reference = index if name == next(iter(ready)) else reference
            same[name].append(float((index == reference).float().mean()))
    return times, {name: statistics.mean(shares) for name, shares in same.items()}


def random_subject(depth: int, size: int, stride: int) -> Subject:
    section = ModelSection(
        backbone=Component(name=f"resnet{depth}"),
        head=Component(name="deeplabv3plus"),
        output_stride=stride,
        auxiliary_weight=0,
    )
    network = build_network(section, bands=3, classes=CLASSES).eval()
    return Subject(f"R-{depth}, stride {stride}", network, [torch.randn(1, 3, size, size)], trained=False)


def trained_subject(path: str, folder: Path, size: int) -> Subject:
    bundle = load(path)
    files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in {".jpg", ".jpeg", ".tif"})
    images = [scaled(file, bundle, size) for file in files]
    whole = [image for image in images if image.shape[-2:] == (size, size)]
    model = bundle.card.model
    return Subject(f"{model.backbone.name}, stride {model.output_stride}, trained", bundle.network, whole, trained=True)


def scaled(file: Path, bundle: Bundle, size: int) -> Tensor:
    """Return the upper left corner of an image, normalized as in the model card."""
    pixels = torch.from_numpy(np.array(Image.open(file).convert("RGB"))[:size, :size]).permute(2, 0, 1)
    mean, std = (torch.tensor(each).reshape(-1, 1, 1) for each in (bundle.card.mean, bundle.card.std))
    return ((pixels - mean) / std)[None]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depths", type=int, nargs="*", default=[18, 50], help="depths of ResNets with random weights")
    parser.add_argument("--stride", type=int, default=8, help="their output stride")
    parser.add_argument("--models", nargs="*", default=[], help="bundles of three bands")
    parser.add_argument("--images", type=Path, help="a folder of images like those of the training")
    parser.add_argument("--size", type=int, default=512, help="side of the images in pixels")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "openvino"))
    print(f"{libraries}; {options.threads} threads, {platform.machine()}; images of {options.size} x {options.size}\n")
    heads = ["network", "engine", "prepared in s", "ms per image", "times as fast", "same class"]
    for cells in (heads, ["---"] * 2 + ["--:"] * (len(heads) - 2)):
        print(f"| {' | '.join(cells)} |", flush=True)
    subjects = [random_subject(depth, options.size, options.stride) for depth in options.depths]
    subjects += [trained_subject(path, options.images, options.size) for path in options.models]
    for subject in subjects:
        for row in rows(subject, options.rounds):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
