"""Write the page of results: docs/parity.md."""

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
"""Largest accepted difference. Runs with different numbers of threads differ by up to 2e-5."""

VERSIONS = ("torch", "mmsegmentation", "mmengine", "mmcv-lite", "opencv-python-headless", "numpy")

INTRODUCTION = """\
# Parity with mmsegmentation

Numerical differences between geoseg and mmsegmentation for networks, losses, scores, training and prediction.

```
python benchmarks/parity
```

This command generates this page in 5 minutes. It runs mmsegmentation 1.2.2 and geoseg in the same process, with the
same torch kernels, and compares their results for the same weights. It exits with code 1 if a difference exceeds
{tolerance}.

**Result.** {result}

{run}

## Networks

The benchmark builds all {files} configurations on mmsegmentation's DeepLabV3 and DeepLabV3+ pages (the files in its
package). They define {count} different networks, counting differences in the dataset, the number of classes and
`align_corners`. For each network:

1. mmsegmentation builds the network with random weights and random batch norm statistics. Published checkpoints are
   not downloaded, because the computation does not depend on the values of the weights.
2. A checkpoint is written as in mmsegmentation's training, including the configuration as text. geoseg reads only that
   file (with `geoseg.importers.openmmlab.load_checkpoint`, as `geoseg import` does).
3. Evaluation mode: compare the logits for noise images of {sizes} pixels, at the size of the image.
4. Training mode: compare the loss, the gradients of all parameters, and the running batch norm statistics after a step
   with two images of 65 x 65 pixels, with the auxiliary head and dropout (from the same seed), and with OHEM if the
   configuration uses it.

Columns of the table:

* `alike`: number of configurations with the same network
* `logits`: largest absolute difference (the standard deviation of logits is {spread})
* `loss`: relative difference
* `gradients`: largest difference relative to the largest gradient of the same parameter
* `statistics`: largest absolute difference

"""

AROUND = """
## Losses, scores, learning rate, training, colors, prediction

* Logits, targets and masks are random.
* One difference is expected: with a threshold, mmsegmentation's OHEM drops the easiest pixel of a batch that has fewer
  labeled pixels than the number to keep. geoseg keeps that pixel.
* Colors are compared on images whose width is a multiple of 64 pixels, which suits OpenCV's vector instructions. For
  other widths, OpenCV rounds the last pixels of a row differently.
* Prediction is compared from the image file to the mask: `geoseg predict --mode slide` and `--tta ms+flip` against
  mmsegmentation's loading, resizing, flipping, `slide_inference` and `SegTTAModel`. The network is the Potsdam network
  with R-18. The images are smaller than a window, the size of a window, and not a multiple of the stride.
* `whole images` is the result of `--tta ms+flip` for a tile. Without a halo and with a tile of the size of a square
  image, this is how OpenMMLab tests its remote sensing networks.

"""

CAVEATS = """
## Limitations and notes

* `metafile.yaml` of DeepLabV3+ lists one configuration that does not exist (`ddeeplabv3plus_r101-d16-mg124_…`, with a
  doubled letter), and for two Pascal Context rows, it states R-101 for a configuration with R-50. The tables above
  contain both networks.
* mmcv's compiled operators are replaced by stubs; DeepLab does not use them. Batch norms that are synchronized across
  GPUs are replaced by single-device ones with the same parameters and arithmetic. A float16 (`amp`) configuration
  trains the same network as its float32 counterpart.
"""

Networks = Mapping[Architecture, tuple[int, Agreement]]
"""Number of configurations and result of the comparison, by architecture."""


def page(networks: Networks, parts: Sequence[Part]) -> str:
    """Return the page as Markdown."""
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
    """Return a summary of the tables."""
    found = [agreement for _, agreement in networks.values()]
    equal = sum(agreement.bit_equal for agreement in found)
    names = sum(agreement.legend for agreement in found)
    text = (
        f"{equal} of {len(found)} networks have bit-identical logits. The largest difference is "
        f"{number(max(max(each.logits) for each in found))} for logits, {number(max(each.loss for each in found))} for "
        f"losses, and {number(max(each.gradient for each in found))} for gradients. The number of parameters is the same in "
        f"{sum(each.parameters[0] == each.parameters[1] for each in found)} networks; class names were read from {names} "
        "files. The largest difference in the second table is "
        f"{number(max(p.difference for p in parts if not p.expected))}, not counting expected differences."
    )
    return textwrap.fill(text, 120, initial_indent=" " * len("**Result.** ")).strip()


def differing(networks: Networks, parts: Sequence[Part]) -> list[str]:
    """Return the names of networks and parts that differ by more than the tolerance."""
    worst = {
        " ".join(map(str, name)): max(*each.logits, each.loss, each.gradient, each.statistics)
        for name, (_, each) in networks.items()
    }
    worst |= {part.name: part.difference for part in parts if not part.expected}
    odd = [" ".join(map(str, name)) for name, (_, each) in networks.items() if len(set(each.parameters)) > 1]
    return odd + [name for name, difference in worst.items() if not difference <= TOLERANCE]


def network_table(networks: Networks) -> str:
    sizes = [f"logits {by(size)}" for size in SIZES]
    heads = ["head", "backbone", "dataset", "classes", "align_corners", "alike", "parameters", *sizes, "bit-equal"]
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
        [part.name, part.cases, part.unit, number(part.difference) + (" (expected)" if part.expected else "")]
        for part in parts
    ]
    return table(["compared", "on", "difference of", "largest difference"], rows, words=3)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int) -> str:
    """Return a Markdown table in which the first ``words`` columns are text and the others are numbers."""
    rules = ["---"] * words + ["--:"] * (len(heads) - words)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, rules, *rows))


def number(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


def by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def run() -> str:
    """Return a sentence with the date, the versions and the machine of the run."""
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    date = dt.datetime.now(tz=dt.UTC).date()
    return textwrap.fill(f"Run on {date} with {versions}, on {os.cpu_count()} cores ({machine()}).", 120)


def machine() -> str:
    """Return the name of the processor, or its architecture if the name is unknown."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
