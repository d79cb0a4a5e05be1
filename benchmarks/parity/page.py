"""The page that says what came out: docs/parity.md."""

import datetime as dt
import os
import platform
import textwrap
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from networks import SIZES, Agreement
from part import Part
from peer import Architecture

TOLERANCE = 1e-4
"""Largest difference that counts as none. Runs with another number of threads differ by up to 2e-5."""

VERSIONS = ("torch", "mmsegmentation", "mmengine", "mmcv-lite", "opencv-python-headless", "numpy")

INTRODUCTION = """\
# Parity with mmsegmentation

Made by `python benchmarks/parity`, which runs mmsegmentation 1.2.2 and geoseg in the same process, hence on the same
kernels of the same torch, and compares what they compute from the same weights. It exits with 1 if anything differs by
more than {tolerance}.

**Result.** {result}

{run}

## Networks

All {files} configurations on the zoo's pages of DeepLabV3 and DeepLabV3+ (the files that mmsegmentation brings along) are
built; they describe {count} different networks, if the data set, the number of its classes and `align_corners` count as
differences. For each:

1. mmsegmentation builds the network; its weights and the statistics of its norms are drawn at random. Published
   checkpoints are not downloaded: weights change no rule of the computation.
2. A checkpoint is written as mmsegmentation's training writes it, with the configuration as text in it, and geoseg
   reads that file alone (`geoseg.importers.openmmlab.load_checkpoint`, which is what `geoseg import-zoo` calls).
3. Evaluation mode: logits of noise of {sizes} pixels, at the size of the image.
4. Training mode: two images of 65 x 65 pixels, auxiliary head and dropout (from the same seed) included; OHEM where the
   configuration has it. Loss, gradients of all parameters, and the running statistics of the norms afterwards.

`alike` counts the configurations of the network. Differences are the largest: of logits absolute (their standard
deviation is {spread}), of the loss relative, of gradients relative to the largest of the same parameter, of
statistics absolute.

"""

AROUND = """
## Losses, scores, learning rate, training, colours, prediction

Logits, targets and masks are noise. One difference is meant: given a threshold, mmsegmentation's OHEM leaves out the easiest
pixel of a batch that has fewer labelled pixels than it would keep; geoseg does not. Colours are compared on images as wide
as OpenCV's vector instructions like it (a multiple of 64 pixels); the last pixels of other rows it rounds differently.

Prediction is compared from the image's file to the mask: `geoseg predict --mode slide` and `--tta ms+flip` beside
mmsegmentation's own loading, resizing, flipping, `slide_inference` and `SegTTAModel`, with the network of Potsdam on an R-18
and images that are smaller than a window, as large, and no multiple of the stride. `whole images` is what `--tta ms+flip`
gives a tile; without halo and as large as a square image, that is how the zoo tests its networks for remote sensing.

"""

CAVEATS = """
## Noted on the way

* `metafile.yaml` of DeepLabV3+ names one configuration that does not exist (`ddeeplabv3plus_r101-d16-mg124_…`, a letter
  doubled), and for two rows of Pascal Context it says R-101 beside a configuration with R-50. Both networks are above.
* mmcv's compiled operators are stand-ins here; DeepLab uses none. Norms synchronised over several GPUs are replaced by
  those of a single device, whose parameters and arithmetic are the same. A configuration in float16 (`amp`) trains
  the same network as the one in float32.
"""

Networks = Mapping[Architecture, tuple[int, Agreement]]
"""By architecture: configurations that describe it, and what came out."""


def page(networks: Networks, parts: Sequence[Part]) -> str:
    """The whole page."""
    spreads = [agreement.spread for _, agreement in networks.values()]
    introduction = INTRODUCTION.format(
        tolerance=TOLERANCE,
        result=result(networks, parts),
        run=run(),
        files=sum(count for count, _ in networks.values()),
        count=len(networks),
        sizes=" and ".join(map(by, SIZES)),
        spread=f"{min(spreads):.1f} to {max(spreads):.1f}",
    )
    return introduction + network_table(networks) + AROUND + part_table(parts) + CAVEATS


def result(networks: Networks, parts: Sequence[Part]) -> str:
    """The tables in a sentence or two."""
    found = [agreement for _, agreement in networks.values()]
    equal = sum(agreement.bit_equal for agreement in found)
    names = sum(agreement.legend for agreement in found)
    text = (
        f"{equal} of {len(found)} networks have the same logits to the last bit; the largest difference of logits is "
        f"{number(max(max(each.logits) for each in found))}, of losses {number(max(each.loss for each in found))}, of "
        f"gradients {number(max(each.gradient for each in found))}. Numbers of parameters are equal in "
        f"{sum(each.parameters[0] == each.parameters[1] for each in found)}, class names were read from {names} files. "
        f"Around the networks the largest difference is {number(max(p.difference for p in parts if not p.expected))}."
    )
    return textwrap.fill(text, 120, initial_indent=" " * len("**Result.** ")).strip()


def differing(networks: Networks, parts: Sequence[Part]) -> list[str]:
    """Names of what differs by more than the tolerance."""
    worst = {
        " ".join(map(str, name)): max(*each.logits, each.loss, each.gradient, each.statistics)
        for name, (_, each) in networks.items()
    }
    worst |= {part.name: part.difference for part in parts if not part.expected}
    odd = [" ".join(map(str, name)) for name, (_, each) in networks.items() if len(set(each.parameters)) > 1]
    return odd + [name for name, difference in worst.items() if not difference <= TOLERANCE]


def network_table(networks: Networks) -> str:
    sizes = [f"logits {by(size)}" for size in SIZES]
    heads = ["head", "backbone", "data set", "classes", "align_corners", "alike", "parameters", *sizes, "bit-equal"]
    rows = [network_row(*item) for item in networks.items()]
    return table([*heads, "same class", "loss", "gradients", "statistics"], rows, words=3)


def network_row(name: Architecture, found: tuple[int, Agreement]) -> list[str]:
    alike, each = found
    return [
        *(name.head, name.backbone, name.dataset, str(name.classes), str(name.align_corners), str(alike)),
        " / ".join(f"{count / 1e6:.3f} M" for count in sorted(set(each.parameters))),
        *map(number, each.logits),
        "yes" if each.bit_equal else "no",
        f"{each.same_class:.4%}".replace(".0000", ""),
        *(number(each.loss), number(each.gradient), number(each.statistics)),
    ]


def part_table(parts: Sequence[Part]) -> str:
    rows = [
        [part.name, part.cases, part.unit, number(part.difference) + (" (meant)" if part.expected else "")]
        for part in parts
    ]
    return table(["compared", "on", "difference of", "largest difference"], rows, words=3)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int) -> str:
    """A Markdown table whose first columns are words and whose others are numbers."""
    rules = ["---"] * words + ["--:"] * (len(heads) - words)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, rules, *rows))


def number(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


def by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def run() -> str:
    """When, with what and on what."""
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    date = dt.datetime.now(tz=dt.UTC).date()
    return textwrap.fill(f"Run on {date} with {versions}, on {os.cpu_count()} cores ({machine()}).", 120)


def machine() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
