"""Compare training from scratch on the Dubai dataset (Humans in the Loop) with segmentation-models-pytorch (smp).

    python benchmarks/dubai.py FOLDER --minutes 8 --seeds 0 1 2   dubai.yaml and smp's DeepLabV3Plus, 60 minutes
    python benchmarks/dubai.py FOLDER --rare --iterations 400     methods for rare classes, one change at a time, 30 minutes

FOLDER contains `Tile 1` to `Tile 8`. The comparison first measures the speed of both libraries in alternation. Each
library then trains for the number of iterations that it completes in ``--minutes``, so that other programs on the
machine slow down both equally. smp's network is trained in a plain PyTorch loop: random crops, flips and rotations,
cross-entropy, AdamW with a cosine schedule that ends at 0, the same batch size, crop size and learning rate, and
bfloat16 if geoseg uses it. Both networks are validated the same number of times on whole tiles, and the best scores are
kept. Prints Markdown: IoU in percent, as means over the seeds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F

from geoseg.config.component_spec import WeightedComponent
from geoseg.config.load import load_recipe
from geoseg.config.recipe import AugmentSection, Recipe
from geoseg.data.preparation.prepare import prepare
from geoseg.legend import IGNORE_INDEX
from geoseg.losses.build import build_loss
from geoseg.models.build import build_network
from geoseg.models.device import memory_format
from geoseg.training.class_weights import resolve_class_weights
from geoseg.training.crop_batches import TrainingCrops
from geoseg.training.distributed import launch_fabric
from geoseg.training.module import TrainingModule, measure_normalization
from geoseg.training.optimizer_steps import build_optimizer, compute_learning_rate, iterate_steps
from geoseg.training.train import train
from geoseg.training.validation import Validator
from geoseg.training.weight_average import AveragedNetwork

VALIDATIONS = 4
CALIBRATION = 24
"""Number of timed iterations of each library."""
PLAIN = "loss=[{name: cross_entropy}]"
RARE = {
    "cross-entropy, random crops": (PLAIN, "train.sampler=random"),
    "balanced sampler": (PLAIN, "train.sampler=balanced"),
    "class weights `sqrt`": ("loss=[{name: cross_entropy, class_weights: sqrt}]", "train.sampler=random"),
    "OHEM": ("loss=[{name: ohem, kept: 16384, threshold: 0.7}]", "train.sampler=random"),
}
"""Overrides of the recipe for each method for rare classes."""


class Outcome(NamedTuple):
    """Result of a training run."""

    scores: dict[str, float]
    """Scores by name, as in ``metrics.csv``."""
    iterations: int
    minutes: float
    """Wall time, including validations."""


def with_steps(recipe: Recipe, iterations: int, **changes: Any) -> Recipe:
    """Return the recipe with a different number of iterations and other changes to its section ``train``."""
    every = max(iterations // VALIDATIONS, 1)
    iterations = every * VALIDATIONS if iterations >= VALIDATIONS else iterations
    steps = {"iterations": iterations, "validate_every": every, "checkpoint_every": 10**9}
    steps["warmup"] = min(recipe.train.warmup, iterations // 4)
    return recipe.model_copy(update={"train": recipe.train.model_copy(update=steps | changes)})


def geoseg_trained(recipe: Recipe, iterations: int, seed: int, folder: Path) -> Outcome:
    """Train the recipe with ``geoseg.train``."""
    started, recipe = time.perf_counter(), with_steps(recipe, iterations, seed=seed)
    training = train(recipe, runs=folder, fresh=True)
    return Outcome(dict(training.bundle.card.scores), recipe.train.iterations, (time.perf_counter() - started) / 60)


class PlainLoop:
    """Plain training loop for smp's network."""

    def __init__(self, recipe: Recipe, encoder: str, seed: int) -> None:
        still = AugmentSection(
            scale=(1, 1), vertical_flip=0.5, rotate90=0.5, brightness=0, contrast=0, saturation=0, hue=0
        )
        self.recipe = recipe.model_copy(update={"augment": still})
        sampler = type(recipe.train.sampler)(name="random")
        section = {"sampler": sampler, "average": None, "final_learning_rate": 1e-6, "seed": seed}
        self.recipe = self.recipe.model_copy(update={"train": recipe.train.model_copy(update=section)})
        self.prepared = prepare(recipe.data, recipe.name)
        self.fabric = launch_fabric(self.recipe.train)
        torch.manual_seed(seed)
        self.network = smp.DeepLabV3Plus(encoder, encoder_weights=None, classes=len(self.prepared.legend))
        scaled = measure_normalization(self.prepared)
        # Only used for normalization, and because validation requires it.
        loss = build_loss([WeightedComponent(name="cross_entropy")], classes=len(self.prepared.legend))
        self.scale = TrainingModule(self.network, loss, scaled, auxiliary_weight=0).to(self.fabric.device)

    def train(self) -> Iterator[int]:
        """Train; yield the number of each completed iteration."""
        section = self.recipe.train
        optimizer = torch.optim.AdamW(
            self.network.parameters(), section.learning_rate, weight_decay=section.weight_decay
        )
        batches = TrainingCrops(self.recipe, self.prepared).loader(0)
        for iteration, crops in enumerate(islice(batches, section.iterations)):
            image, target, valid = self.fabric.to_device(crops)
            self.network.train()
            for group in optimizer.param_groups:
                group["lr"] = compute_learning_rate(section, iteration)
            with self.fabric.autocast():
                logits = self.network(self.scale.normalize(image, valid))
            optimizer.zero_grad()
            F.cross_entropy(logits.float(), target.long(), ignore_index=IGNORE_INDEX).backward()
            optimizer.step()
            yield iteration + 1


def smp_trained(recipe: Recipe, iterations: int, seed: int, encoder: str) -> Outcome:
    """Train smp's DeepLabV3Plus in a plain loop."""
    started, loop = time.perf_counter(), PlainLoop(with_steps(recipe, iterations), encoder, seed)
    validator = Validator(loop.fabric, loop.recipe, loop.prepared)
    section, best = loop.recipe.train, {"mean_iou": -1.0}
    for done in loop.train():
        if done % section.validate_every == 0:
            scores = validator.run(loop.scale, loop.network).scores()
            best = max(best, scores, key=lambda each: each["mean_iou"])
            print(f"smp, iteration {done}: {scores['mean_iou']:.4f}", flush=True)
    return Outcome(best, section.iterations, (time.perf_counter() - started) / 60)


def geoseg_steps(recipe: Recipe) -> Iterator[int]:
    """Run the steps of ``geoseg.train`` without validation."""
    prepared = prepare(recipe.data, recipe.name)
    fabric, classes = launch_fabric(recipe.train), len(prepared.legend)
    network = build_network(recipe.model, bands=len(prepared.bands), classes=classes)
    loss = build_loss(resolve_class_weights(recipe.loss, prepared.class_pixels().tolist()), classes=classes)
    step = TrainingModule(
        network, loss, measure_normalization(prepared), auxiliary_weight=recipe.model.auxiliary_weight
    )
    step.set_memory_format(memory_format(fabric.device, channels_last=recipe.train.channels_last))
    wrapped, optimizer = fabric.setup(step, build_optimizer(network.parameters(), recipe.train))
    average = AveragedNetwork(network, recipe.train.average or 0.5)
    for done in iterate_steps(fabric, wrapped, optimizer, TrainingCrops(recipe, prepared).loader(0), recipe.train):
        average.update(network, done.iteration)
        yield done.iteration


def speeds(recipe: Recipe, encoder: str) -> tuple[float, float]:
    """Return the iterations per second of both libraries, based on the shortest of alternating steps (least disturbed)."""
    short = with_steps(recipe, CALIBRATION)
    sides = geoseg_steps(short), PlainLoop(short, encoder, seed=0).train()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(CALIBRATION):
        for side, taken in zip(sides, seconds, strict=True):
            started = time.perf_counter()
            next(side)
            taken.append(time.perf_counter() - started)
    ours, theirs = (1 / min(taken) for taken in seconds)
    return ours, theirs


def told(name: str, outcome: Outcome) -> Outcome:
    """Print an outcome immediately, because the table is printed last, and return it."""
    print(f"{name}: {outcome}", flush=True)
    return outcome


def row(name: str, outcomes: Sequence[Outcome], classes: Sequence[str]) -> str:
    """Return a row of the table."""
    scores = [
        statistics.mean(each.scores[key] for each in outcomes)
        for key in ("mean_iou", *(f"iou {name}" for name in classes))
    ]
    spread = " / ".join(f"{100 * each.scores['mean_iou']:.1f}" for each in outcomes)
    minutes = statistics.median(each.minutes for each in outcomes)
    cells = " | ".join(f"{100 * score:.1f}" for score in scores)
    return f"| {name} | {outcomes[0].iterations} | {minutes:.0f} | {cells} | {spread} |"


def contest(recipe: Recipe, options: argparse.Namespace, folder: Path) -> dict[str, list[Outcome]]:
    """Train with each library for the number of iterations that it completes in the given minutes."""
    ours, theirs = options.speeds or speeds(recipe, options.encoder)
    print(f"iterations per second: geoseg {ours:.2f}, smp {theirs:.2f}", flush=True)
    ours, theirs = (round(60 * options.minutes * speed) for speed in (ours, theirs))
    names = "geoseg, dubai.yaml", f"smp, {options.encoder}"
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    for seed in options.seeds:
        outcomes[names[0]].append(told("geoseg", geoseg_trained(recipe, ours, seed, folder)))
        outcomes[names[1]].append(told("smp", smp_trained(recipe, theirs, seed, options.encoder)))
    return outcomes


def rare(options: argparse.Namespace, load: Callable[..., Recipe], folder: Path) -> dict[str, list[Outcome]]:
    """Train with one change at a time, for the same number of iterations."""
    return {
        name: [told(name, geoseg_trained(load(*changes), options.iterations, seed, folder)) for seed in options.seeds]
        for name, changes in RARE.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=20, help="training time of each side")
    parser.add_argument("--rare", action="store_true", help="compare methods for rare classes instead")
    parser.add_argument("--iterations", type=int, default=600, help="iterations of each training with --rare")
    parser.add_argument(
        "--speeds", type=float, nargs=2, help="iterations per second of both, measured before on an idle machine"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--keep", type=Path, help="folder for prepared scenes and runs; by default they are deleted")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--encoder", default="resnet18", help="encoder of smp's network")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)

        def load(*changes: str) -> Recipe:
            fixed = (
                f"data.root={options.folder}",
                f"data.prepared={folder}/prepared",
                f"train.device={options.device}",
            )
            return load_recipe("dubai.yaml", [*fixed, *changes])

        recipe, runs = load(), folder / "runs"
        classes = prepare(recipe.data, recipe.name).legend.names
        outcomes = rare(options, load, runs) if options.rare else contest(recipe, options, runs)
        print(f"| | iterations | minutes | mean IoU | {' | '.join(classes)} | seeds |")
        print("|---|" + "--:|" * (len(classes) + 4))
        for name, each in outcomes.items():
            print(row(name, each, classes))


if __name__ == "__main__":
    main()
