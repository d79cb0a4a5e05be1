"""Measure DeepLabV3+ from geoseg and other installed libraries on a GPU: images per second, memory, and efficiency.

    python benchmarks/gpu.py                                      R-18, R-50 and R-101, 16 images of 512 x 512
    python benchmarks/gpu.py --size 896 --batch 8 --depths 18 50  the crop size of iSAID
    python benchmarks/gpu.py --smoke                              a tiny run on any device, as a test

Requires geoseg (`pip install --no-deps -e .` is sufficient), torch, torchvision, timm, pydantic, pyyaml, jaxtyping and
safetensors, but no geospatial libraries. Networks, modes and passes are those in `network.py`. Efficiency is the
fraction of the peak performance. Prints Markdown.
"""

import argparse
import itertools
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from network import CHANNELS, MODES, PASSES, Runner, available, versions, work


class Peak(NamedTuple):
    """Peak performance of dense matrix products, in 10^12 floating-point operations per second."""

    tf32: float
    """TensorFloat-32 as used in convolutions, with a 10-bit mantissa."""
    bfloat16: float
    """bfloat16 with float32 accumulation."""


PEAKS = {
    "H200": Peak(495, 989),
    "H100 PCIe": Peak(378, 756),
    "H100": Peak(495, 989),
    "A100": Peak(156, 312),
    "L40S": Peak(183, 362),
}
"""Peak performance by part of the device name (the first match counts), from NVIDIA's data sheets, without sparsity."""


class Speed(NamedTuple):
    """Speed and memory of a pass."""

    images_per_second: float
    """Median over the repetitions."""
    memory: float
    """Peak allocated memory in 10^9 bytes; 0 if the device does not report it."""


def main() -> None:
    options = arguments()
    warnings.simplefilter("ignore")
    # Sizes are constant, so the search for the fastest algorithm pays off.
    torch.backends.cudnn.benchmark = True
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    print(f"{name}, {os.cpu_count()} cores; {', '.join(versions())}; {options.batch} images of {options.size}²\n")
    peak = Peak(*options.peak) if options.peak else next((each for key, each in PEAKS.items() if key in name), None)
    heads = ["backbone", "library", "mode", "pass", "images/s", "GB", "TFLOP/s", "share of peak"]
    for cells in (heads, ["---"] * 4 + ["--:"] * 4):
        print(f"| {' | '.join(cells)} |", flush=True)
    for depth in options.depths:
        for row in rows(depth, peak, device, options):
            print(f"| {' | '.join(row)} |", flush=True)


def rows(depth: int, peak: Peak | None, device: str, options: argparse.Namespace) -> Iterator[list[str]]:
    """Yield the rows of the table for a backbone."""
    for (name, library), mode in itertools.product(available().items(), options.modes):
        network = library.build(depth)
        gflop = work(network, options.size)
        runner = Runner(network, MODES[mode], size=options.size, batch=options.batch, device=device)
        for what in PASSES:
            speed = measured(runner, what, options)
            tflops = PASSES[what] * gflop * speed.images_per_second / 1e3
            best = peak and (peak.bfloat16 if MODES[mode].bfloat16 else peak.tf32)
            share = f"{tflops / best:.0%}" if best else "-"
            memory = f"{speed.memory:.2f}" if speed.memory else "-"
            yield [f"R-{depth}", name, mode, what, f"{speed.images_per_second:.1f}", memory, f"{tflops:.2f}", share]


def measured(runner: Runner, what: str, options: argparse.Namespace) -> Speed:
    """Measure a pass, after three warm-up passes that compile and select algorithms."""
    one_pass = getattr(runner, what)
    for _ in range(3):
        one_pass()
    on_gpu = runner.device == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds = [timed(one_pass, options.passes, on_gpu=on_gpu) for _ in range(options.repeats)]
    memory = torch.cuda.max_memory_allocated() / 1e9 if on_gpu else 0
    return Speed(len(runner.images) / statistics.median(seconds), memory)


def timed(work: Callable[[], None], times: int, *, on_gpu: bool) -> float:
    """Return the seconds per pass, measured until the device has finished all passes."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    if on_gpu:
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / times


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="side of the images in pixels")
    parser.add_argument("--batch", type=int, default=16, help="images per pass")
    parser.add_argument("--depths", type=int, nargs="+", default=list(CHANNELS), choices=CHANNELS)
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--passes", type=int, default=10, help="passes per measurement")
    parser.add_argument("--repeats", type=int, default=5, help="measurements; the median is reported")
    parser.add_argument("--peak", type=float, nargs=2, metavar=("TF32", "BFLOAT16"), help="peak performance in TFLOP/s")
    parser.add_argument("--smoke", action="store_true", help="R-18 on tiny images, once")
    options = parser.parse_args()
    if options.smoke:
        tiny = {"size": 64, "batch": 2, "depths": [18], "passes": 1, "repeats": 1, "modes": list(MODES)[:4]}
        options = argparse.Namespace(**{**vars(options), **tiny})
    return options


if __name__ == "__main__":
    main()
