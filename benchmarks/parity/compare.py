"""Compare geoseg with mmsegmentation and write docs/parity.md; ``python benchmarks/parity`` runs this file.

python benchmarks/parity                    everything
python benchmarks/parity --only LoveDA      networks with this word in their description; prints the page to stdout
"""

import argparse
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import peer
from colours import compare_colours
from losses import compare_losses
from networks import Agreement, compare
from page import differing, page
from part import Part
from peer import Architecture
from scores import compare_scores
from sliding import compare_sliding
from training import compare_schedules, compare_steps

PAGE = Path(__file__).resolve().parents[2] / "docs" / "parity.md"


def compare_networks(only: str) -> dict[Architecture, tuple[int, Agreement]]:
    """Compare every architecture on mmsegmentation's pages, once."""
    files: dict[Architecture, list[Path]] = defaultdict(list)
    for path in peer.configurations():
        files[peer.architecture(path)].append(path)
    found = {}
    for seed, (architecture, paths) in enumerate(sorted(files.items())):
        words = " ".join(map(str, architecture))
        if only not in words:
            continue
        start = time.perf_counter()
        found[architecture] = (len(paths), compare(paths[0], seed=seed))
        print(f"{words}: {found[architecture][1]} in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return found


def compare_parts() -> Sequence[Part]:
    """Compare the parts around the networks."""
    return [
        *compare_losses(),
        *compare_scores(),
        *(compare_schedules(), compare_steps()),
        *compare_colours(),
        *compare_sliding(),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", default="", help="a word in the descriptions of the networks to compare, e.g. R-18-D8"
    )
    only = parser.parse_args().only
    warnings.simplefilter("ignore")  # mmsegmentation warns about odd sizes and its own deprecations
    parts, networks = compare_parts(), compare_networks(only)
    text = page(networks, parts)
    if only:
        print(text)
    else:
        PAGE.write_text(text, "utf-8")
    wrong = differing(networks, parts)
    for name in wrong:
        print(f"differs: {name}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
