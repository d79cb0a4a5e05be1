"""Compare training speed with a bare PyTorch loop and mmsegmentation's runner, on synthetic Potsdam tiles.

    python benchmarks/parity benchmarks/training.py --rounds 3        7 minutes

All three train OpenMMLab's DeepLabV3+ with ResNet-18, output stride 8 and an auxiliary head with SGD, on batches of 4
crops. geoseg and mmsegmentation read, rescale, crop, flip and color-augment images in two worker processes, as in their
recipes; the bare loop uses the same normalized batch in every iteration. In each round, each of the three runs in its
own process. Prints, as Markdown, medians over the rounds: images per second after the first iterations, seconds from the
command to the end of the first iteration, and peak memory including the worker processes.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import archives

BATCH, WORKERS, CLASSES = 4, 2, 6
VALIDATION = "2_13"
"""A tile in the validation split."""
RECIPE = ("model.backbone=resnet18", f"train.batch={BATCH}", f"train.workers={WORKERS}", "train.device=cpu")


class Measured(NamedTuple):
    """Measurements of one run."""

    images_per_second: float
    """Images per second after the first two iterations."""
    first: float
    """Seconds from the command to the end of the first iteration."""
    memory: float
    """Peak memory in 10^9 bytes; shared pages are counted once."""


def geoseg(folder: Path, size: int, steps: int, ended: Callable[[], None]) -> None:
    """Run the command, modified only to report the end of each step."""
    from geoseg_cli.main import main

    from geoseg.training.step_statistics import StepStatistics

    add = StepStatistics.add

    def add_and_tell(watch: StepStatistics, step: Any) -> None:
        add(watch, step)
        ended()

    StepStatistics.add = add_and_tell  # type: ignore[method-assign]
    changes = [
        *RECIPE,
        f"data.root={folder / 'archive'}",
        f"data.prepared={folder / 'prepared'}",
        "data.complete=false",
    ]
    # Validate once at the end, on few pixels, because only the steps are timed.
    changes += [f"train.crop={size}", f"train.iterations={steps}", f"train.validate_every={steps}"]
    os.chdir(tempfile.mkdtemp(dir=folder))
    sys.argv = ["geoseg", "train", "potsdam.yaml", *(word for change in changes for word in ("--set", change))]
    main()


def bare(_folder: Path, size: int, steps: int, ended: Callable[[], None]) -> None:
    """Train the same network with the same loss in a minimal loop."""
    import torch
    import torch.nn.functional as F

    from geoseg.config.load import load_recipe
    from geoseg.models.build import build_network

    network = build_network(load_recipe("potsdam.yaml", RECIPE).model, bands=3, classes=CLASSES)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    images, target = torch.randn(BATCH, 3, size, size), torch.randint(0, CLASSES, (BATCH, size, size))
    for _ in range(steps):
        optimizer.zero_grad()
        logits, auxiliary = network.logits_with_auxiliary(images)
        (F.cross_entropy(logits, target) + 0.4 * F.cross_entropy(auxiliary, target)).backward()
        optimizer.step()
        ended()


def mmsegmentation(folder: Path, size: int, steps: int, ended: Callable[[], None]) -> None:
    """Train with mmsegmentation's runner and configuration, on the patches of the published converter."""
    import peer
    from mmengine.config import Config
    from mmengine.hooks import Hook
    from mmengine.runner import Runner

    file = peer.CONFIGURATIONS / "deeplabv3plus" / "deeplabv3plus_r18-d8_4xb4-80k_potsdam-512x512.py"
    text = Config.fromfile(file).pretty_text.replace("'SyncBN'", "'BN'")
    text = re.sub(r"\(\s*512,\s*512,?\s*\)", str((size, size)), text)  # crop sizes, not numbers of channels
    config = Config.fromstring(text, ".py")
    config.model.pretrained = None
    loader = config.train_dataloader
    loader.update(batch_size=BATCH, num_workers=WORKERS)
    loader.dataset.data_root = str(folder / "crops")
    loader.dataset.pipeline[1].pop("reduce_zero_label")  # the dataset also sets it, and warns about duplicates
    config.train_cfg = {"type": "IterBasedTrainLoop", "max_iters": steps, "val_interval": steps + 1}
    for key in ("val", "test"):
        for what in ("dataloader", "cfg", "evaluator"):
            config[f"{key}_{what}"] = None
    config.work_dir = tempfile.mkdtemp(dir=folder)

    class Tell(Hook):
        def after_train_iter(self, *_: Any, **__: Any) -> None:
            ended()

    runner = Runner.from_cfg(config)
    runner.register_hook(Tell(), priority="LOWEST")
    runner.train()


SIDES = {"geoseg": geoseg, "bare loop": bare, "mmsegmentation": mmsegmentation}


def made(root: Path, side: int) -> None:
    """Write the archive, the prepared scenes, and the patches of the published converter."""
    from geoseg.data.export.export_crops import tile
    from geoseg.data.preparation.prepare import prepare

    archive = archives.write_archives(root / "archive", side, (*archives.TILES, VALIDATION))
    data = archives.recipe(archive, root / "prepared").data
    prepared = prepare(data, "potsdam")
    tile([prepared.folder], root / "crops", layout="openmmlab")


def serve(side: str, folder: Path, size: int, steps: int, began: float) -> None:
    """Run one of the three in this process; print the end times of its steps, in seconds after the command, as JSON."""
    ends: list[float] = []
    try:
        SIDES[side](folder, size, steps, lambda: ends.append(time.time() - began))
    finally:  # commands end with SystemExit
        print(json.dumps(ends))


def run(side: str, folder: Path, size: int, steps: int) -> Measured:
    """Run one of the three in its own process, and monitor it."""
    command = [sys.executable, __file__, "--side", side, "--folder", folder, "--size", str(size), "--steps", str(steps)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*command, "--began", str(time.time())], **pipes)
    most, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            most[0] = max(most[0], memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, told = process.communicate()
    over.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{told}\n{side} failed")
    ends = json.loads(out.splitlines()[-1])
    return Measured(BATCH * (len(ends) - 2) / (ends[-1] - ends[1]), ends[0], most[0] / 1e9)


def memory(process: int) -> float:
    """Return the memory in bytes of a process and its descendants, based on Linux's proportional set sizes."""
    total = 0.0
    for each in family(process):
        try:
            rows = Path(f"/proc/{each}/smaps_rollup").read_text("ascii").splitlines()
        except OSError:
            continue  # the process has ended
        total += sum(1024 * int(row.split()[1]) for row in rows if row.startswith("Pss:"))
    return total


def family(process: int) -> Iterator[int]:
    """Yield the IDs of a process and its descendants."""
    yield process
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()
    except OSError:
        return
    for child in children:
        yield from family(int(child))


def compare(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the table, with one row for each of the three; ratios are medians of the ratios in each round."""
    found = defaultdict(list)
    for _ in range(options.rounds):
        for side in SIDES:
            found[side].append(run(side, folder, options.size, options.steps))
    yield "| | images/s | geoseg is | command to first iteration, s | peak memory, GB |\n|---|--:|--:|--:|--:|"
    for side, measured in found.items():
        speed, first, most = (statistics.median(each) for each in zip(*measured, strict=True))
        ratios = [ours[0] / theirs[0] for ours, theirs in zip(found["geoseg"], measured, strict=True)]
        yield f"| {side} | {speed:.2f} | {statistics.median(ratios):.2f} x | {first:.1f} | {most:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12, help="iterations in each round, on each side")
    parser.add_argument("--size", type=int, default=256, help="side of the crops in pixels")
    parser.add_argument("--scene", type=int, default=600, help="side of the scenes in pixels")
    for hidden in ("--side", "--folder", "--began"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(options.side, Path(options.folder), options.size, options.steps, float(options.began))
        return
    packages = ", ".join(f"{name} {version(name)}" for name in ("geoseg", "mmsegmentation", "torch"))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs ({platform.machine()}), {packages}\n")
    with tempfile.TemporaryDirectory() as folder:
        made(Path(folder), options.scene)
        print(*compare(Path(folder), options), sep="\n")


if __name__ == "__main__":
    main()
