"""Training from scratch on real imagery, Dubai by Humans in the Loop: geoseg beside segmentation-models-pytorch.

    python benchmarks/dubai.py FOLDER --minutes 20             the recipe dubai.yaml against smp's DeepLabV3Plus
    python benchmarks/dubai.py FOLDER --rare --iterations 600  what helps rare classes, one change at a time

FOLDER holds `Tile 1` to `Tile 8`. For the contest the speed of both is measured first, in turns, and each then trains as
many iterations as it does in that many minutes; other work on the machine so costs time, but no fairness. smp's network
is trained as its users do it: a plain PyTorch loop, random crops mirrored and turned, cross-entropy, AdamW with cosine
down to nothing, the same batch, crop and learning rate, and bfloat16 wherever geoseg has it. Both are validated at the
same points of their way, on whole tiles, and keep their best. Prints Markdown: IoU in percent, means over the seeds.
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

from geoseg.config.component import WeightedPart
from geoseg.config.load import load_recipe
from geoseg.config.recipe import AugmentSection, Recipe
from geoseg.data.preparation.prepare import prepare
from geoseg.legend import IGNORE_INDEX
from geoseg.losses.build import build_loss
from geoseg.models.build import build_network
from geoseg.models.device import memory_format
from geoseg.training.class_weights import with_class_weights
from geoseg.training.crop_batches import TrainingCrops
from geoseg.training.distributed import launched
from geoseg.training.loop import steps
from geoseg.training.module import TrainingStep
from geoseg.training.normalization_stats import measured
from geoseg.training.optimizer import build_optimizer, learning_rate
from geoseg.training.train import train
from geoseg.training.validation import Validator
from geoseg.training.weight_average import AveragedNetwork

VALIDATIONS = 4
CALIBRATION = 24
"""Iterations of each side whose speed is measured."""
PLAIN = "loss=[{name: cross_entropy}]"
RARE = {
    "cross-entropy, random crops": (PLAIN, "train.sampler=random"),
    "balanced sampler": (PLAIN, "train.sampler=balanced"),
    "class weights `sqrt`": ("loss=[{name: cross_entropy, class_weights: sqrt}]", "train.sampler=random"),
    "OHEM": ("loss=[{name: ohem, kept: 16384, threshold: 0.7}]", "train.sampler=random"),
}
"""What is done for rare classes, and the recipe's changes for it."""


class Outcome(NamedTuple):
    """What one training came to."""

    scores: dict[str, float]
    """By name, as in ``metrics.csv``."""
    iterations: int
    minutes: float
    """By the clock, validations included."""


def with_steps(recipe: Recipe, iterations: int, **changes: Any) -> Recipe:
    """The recipe for so many iterations and with other changes of its section ``train``."""
    every = max(iterations // VALIDATIONS, 1)
    iterations = every * VALIDATIONS if iterations >= VALIDATIONS else iterations
    steps = {"iterations": iterations, "validate_every": every, "checkpoint_every": 10**9}
    steps["warmup"] = min(recipe.train.warmup, iterations // 4)
    return recipe.model_copy(update={"train": recipe.train.model_copy(update=steps | changes)})


def geoseg_trained(recipe: Recipe, iterations: int, seed: int, folder: Path) -> Outcome:
    """The recipe through ``geoseg.train``."""
    started, recipe = time.perf_counter(), with_steps(recipe, iterations, seed=seed)
    training = train(recipe, runs=folder, fresh=True)
    return Outcome(dict(training.bundle.card.scores), recipe.train.iterations, (time.perf_counter() - started) / 60)


class PlainLoop:
    """smp's network, and all that a plain loop needs."""

    def __init__(self, recipe: Recipe, encoder: str, seed: int) -> None:
        still = AugmentSection(
            scale=(1, 1), vertical_flip=0.5, rotate90=0.5, brightness=0, contrast=0, saturation=0, hue=0
        )
        self.recipe = recipe.model_copy(update={"augment": still})
        sampler = type(recipe.train.sampler)(name="random")
        section = {"sampler": sampler, "average": None, "final_learning_rate": 1e-6, "seed": seed}
        self.recipe = self.recipe.model_copy(update={"train": recipe.train.model_copy(update=section)})
        self.prepared = prepare(recipe.data, recipe.name)
        self.fabric = launched(self.recipe.train)
        torch.manual_seed(seed)
        self.network = smp.DeepLabV3Plus(encoder, encoder_weights=None, classes=len(self.prepared.legend))
        scaled = measured(self.prepared)
        # Only for its scaling of pixels, and because validation asks for it.
        loss = build_loss([WeightedPart(name="cross_entropy")], classes=len(self.prepared.legend))
        self.scale = TrainingStep(self.network, loss, scaled, auxiliary_weight=0).to(self.fabric.device)

    def train(self) -> Iterator[int]:
        """Trains, and tells every iteration that is done."""
        section = self.recipe.train
        optimizer = torch.optim.AdamW(
            self.network.parameters(), section.learning_rate, weight_decay=section.weight_decay
        )
        batches = TrainingCrops(self.recipe, self.prepared).loader(0)
        for iteration, crops in enumerate(islice(batches, section.iterations)):
            image, target, valid = self.fabric.to_device(crops)
            self.network.train()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(section, iteration)
            with self.fabric.autocast():
                logits = self.network(self.scale.normalised(image, valid))
            optimizer.zero_grad()
            F.cross_entropy(logits.float(), target.long(), ignore_index=IGNORE_INDEX).backward()
            optimizer.step()
            yield iteration + 1


def smp_trained(recipe: Recipe, iterations: int, seed: int, encoder: str) -> Outcome:
    """The DeepLabV3Plus of smp in a plain loop."""
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
    """What ``geoseg.train`` does between validations."""
    prepared = prepare(recipe.data, recipe.name)
    fabric, classes = launched(recipe.train), len(prepared.legend)
    network = build_network(recipe.model, bands=len(prepared.bands), classes=classes)
    loss = build_loss(with_class_weights(recipe.loss, prepared.class_pixels().tolist()), classes=classes)
    step = TrainingStep(network, loss, measured(prepared), auxiliary_weight=recipe.model.auxiliary_weight)
    step.lay_out(memory_format(fabric.device, channels_last=recipe.train.channels_last))
    wrapped, optimizer = fabric.setup(step, build_optimizer(network.parameters(), recipe.train))
    average = AveragedNetwork(network, recipe.train.average or 0.5)
    for done in steps(fabric, wrapped, optimizer, TrainingCrops(recipe, prepared).loader(0), recipe.train):
        average.update(network, done.iteration)
        yield done.iteration


def speeds(recipe: Recipe, encoder: str) -> tuple[float, float]:
    """Iterations per second of both, taking turns: their shortest steps, because what disturbs only ever slows down."""
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
    """The outcome, said at once: the table comes late."""
    print(f"{name}: {outcome}", flush=True)
    return outcome


def row(name: str, outcomes: Sequence[Outcome], classes: Sequence[str]) -> str:
    """A row of the table."""
    scores = [
        statistics.mean(each.scores[key] for each in outcomes)
        for key in ("mean_iou", *(f"iou {name}" for name in classes))
    ]
    spread = " / ".join(f"{100 * each.scores['mean_iou']:.1f}" for each in outcomes)
    minutes = statistics.median(each.minutes for each in outcomes)
    cells = " | ".join(f"{100 * score:.1f}" for score in scores)
    return f"| {name} | {outcomes[0].iterations} | {minutes:.0f} | {cells} | {spread} |"


def contest(recipe: Recipe, options: argparse.Namespace, folder: Path) -> dict[str, list[Outcome]]:
    """Both, as many iterations as each does in the minutes."""
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
    """One change at a time, the same number of iterations for all."""
    return {
        name: [told(name, geoseg_trained(load(*changes), options.iterations, seed, folder)) for seed in options.seeds]
        for name, changes in RARE.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=20, help="training time of each side in the contest")
    parser.add_argument("--rare", action="store_true", help="compare what is done for rare classes instead")
    parser.add_argument("--iterations", type=int, default=600, help="of each training with --rare")
    parser.add_argument(
        "--speeds", type=float, nargs=2, help="iterations per second of both, measured before on a quiet machine"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--keep", type=Path, help="folder for prepared scenes and runs, which are thrown away without it"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--encoder", default="resnet18", help="of smp's network")
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
