"""Measure ``geoseg prepare`` on synthetic Potsdam archives: time per step, and the effect of a second process.

    python benchmarks/prepare.py --rounds 3        3 minutes (--side)

Prints, as Markdown, medians of interleaved rounds. The command selects one or two processes based on the number of
pixels; the benchmark forces each in turn. Memory is that of the largest process, including shared libraries.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

ARCHIVES = Path(__file__).with_name("archives.py")
"""Script to run in a separate process, so that this process stays small: the peak memory of a child process starts at
that of its parent."""
COMMAND = """
import sys
from geoseg.data.preparation import conversion_pool
from geoseg_cli.main import main
conversion_pool.MIN_PIXELS_FOR_PROCESSES = float(sys.argv.pop(1))
main()
"""
FROM_PIXELS = {1: "inf", 2: "0"}
"""Minimum number of pixels for a second process, by the number of processes to force."""


class Run(NamedTuple):
    """Measurements of one conversion of the archives."""

    wall: float
    """Seconds from the start to the end of the command."""
    cpu: float
    """CPU seconds of all its processes."""
    peak: float
    """Peak memory of the largest process in MB."""
    decode: float
    """Fraction of the conversion time spent reading and decoding images and labels."""
    encode: float
    """Fraction of the conversion time spent encoding and writing."""


def prepared(archive: Path, output: Path, processes: int, *, compress: bool) -> Run:
    """Run the command once, into a new folder."""
    shutil.rmtree(output, ignore_errors=True)
    words = ["prepare", "potsdam", archive, "-o", output, "--set", "data.complete=false"]
    words += ["--compress"] if compress else []
    start = time.perf_counter()
    command = [sys.executable, "-c", COMMAND, FROM_PIXELS[processes], *words]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)  # reports this child and its children only
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    assert not child.returncode
    seconds = [json.loads(path.read_text("utf-8"))["seconds"] for path in (output / "records").glob("*.json")]
    decode, encode, whole = (sum(each[what] for each in seconds) for what in ("decode", "encode", "all"))
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000, decode / whole, encode / whole)


def compare(archive: Path, output: Path, rounds: int) -> list[str]:
    """Return the lines of the table, with one row per number of processes, for uncompressed and compressed files."""
    found = defaultdict(list)
    for _ in range(rounds):
        for compress in (False, True):
            for processes in FROM_PIXELS:
                found[compress, processes].append(prepared(archive, output, processes, compress=compress))
    lines = ["| prepared | processes | seconds | CPU seconds | decoding | encoding | peak of a process, MB |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|")
    for (compress, processes), runs in found.items():
        run = Run(*(statistics.median(column) for column in zip(*runs, strict=True)))
        name = "compressed" if compress else "uncompressed"
        numbers = f"{run.wall:.1f} | {run.cpu:.1f} | {run.decode:.0%} | {run.encode:.0%} | {run.peak:.0f}"
        lines.append(f"| {name} | {processes} | {numbers} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=6000, help="side of the four tiles in pixels")
    options = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs ({platform.machine()}), geoseg {version('geoseg')}")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "archives")
        subprocess.run([sys.executable, ARCHIVES, archive, "--side", str(options.side)], check=True)
        print(f"{4 * options.side**2 / 1e6:.0f} megapixels in 4 tiles\n")
        print(*compare(archive, Path(folder, "prepared"), options.rounds), sep="\n")


if __name__ == "__main__":
    main()
