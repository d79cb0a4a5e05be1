"""Weights of short trainings of every kind, of interrupted ones, and the crops that trainings see."""

import signal

from adapters import openmmlab, training_crops
from command import INPUTS, case, geoseg, killed, save_arrays

TINY = INPUTS / "tiny.yaml"
TOWN = f"data.root={INPUTS / 'prepared/town'}"
NARROW = "{name: %s, channels: 8}"

TRAININGS: dict[str, tuple[str, ...]] = {
    "tiny": (),
    "sgd-poly": ("train.optimizer=sgd", "train.schedule=poly", "train.power=0.8", "train.clip_gradient=0.5"),
    "adamw-cosine": ("train.optimizer=adamw", "train.schedule=cosine", "train.warmup=2", "train.accumulate=2"),
    "bfloat16": ("train.precision=bfloat16",),
    "channels-last": ("train.channels_last=true",),
    "workers": ("train.workers=2",),
    "losses": ("loss=[{name: cross_entropy, label_smoothing: 0.1}, {name: dice, weight: 0.5}, lovasz]",),
    "focal": ("loss=[{name: focal, gamma: 1.5}]",),
    "ohem": ("loss=[{name: ohem, kept: 500}]",),
    "rmi": ("loss=[{name: rmi, radius: 2}]",),
    "weights": ("loss=[{name: cross_entropy, class_weights: [1, 2, 3]}]", "train.seed=5"),
    "deeplabv3": ("model.backbone=resnet18b", f"model.head={NARROW % 'deeplabv3'}", "model.auxiliary_weight=0.4"),
    "deeplabv3plus": (
        *("model.backbone=resnet18", "model.head={name: deeplabv3plus, channels: 8, low_level_channels: 4}"),
        *("model.output_stride=8", "model.multi_grid=[1, 2]", "model.align_corners=true", "model.scaling=imagenet"),
    ),
    "patience": ("train.patience=1", "train.validate_every=2", "train.monitor=iou grass", "train.learning_rate=1"),
}
"""Changes to the tiny recipe by name."""

AUGMENT = ("augment.vertical_flip=0.5", "augment.rotate90=0.5")
FLAT = ("augment.brightness=0", "augment.contrast=0", "augment.saturation=0", "augment.hue=0", "augment.scale=[1, 1]")

SAMPLERS = {
    "random": ("train.sampler=random",),
    "random-image": ("train.sampler={name: random, pieces: image, largest_share: 0.5, attempts: 3}",),
    "random-isprs": ("train.sampler={name: random, pieces: isprs}",),
    "random-isaid": ("train.sampler={name: random, pieces: isaid}",),
    "balanced": ("train.sampler=balanced",),
    "balanced-warm": ("train.sampler={name: balanced, temperature: 0.05}",),
    "balanced-shares": ("train.sampler={name: balanced, shares: {grass: 0.7}}",),
    "grid": ("train.sampler={name: grid, halo: 4}",),
    "grid-plain": ("train.sampler={name: grid, rule: plain, stride: 20}",),
    "grid-isprs": ("train.sampler={name: grid, rule: isprs}",),
}
"""Samplers with their options."""


def settings(*changes: str) -> list[str]:
    """Spell changes of a recipe as options.

    Args:
        *changes: Texts like ``train.batch=2``.

    Returns:
        Words for the command line.
    """
    return [word for change in changes for word in ("--set", change)]


@case("train-sample")
def sample() -> None:
    """Train the usual network of the sample recipe for three iterations."""
    geoseg("train", INPUTS / "sample.yaml", "--name", "sample")


@case("train-kinds")
def kinds() -> None:
    """Train with every optimiser, schedule, arithmetic, loss and head."""
    for name, changes in TRAININGS.items():
        geoseg("train", TINY, "--name", name, *settings(TOWN, "train.iterations=4", "train.validate_every=4", *changes))


@case("train-openmmlab")
def as_openmmlab() -> None:
    """Train with the changes of colour and the validation of OpenMMLab."""
    changes = [f"augment.photometric={openmmlab()}", "train.iterations=3", "predict.tile=64", "predict.halo=8"]
    geoseg("train", TINY, "--name", "town", *settings(*changes))
    small = ["model.backbone=lcnet_050", f"model.head={NARROW % 'fcn'}", "model.auxiliary_weight=0", "train.crop=32"]
    small += [
        "train.batch=2",
        "train.workers=0",
        "train.device=cpu",
        "model.output_stride=16",
        "train.validate_every=3",
    ]
    for name in ("vaihingen", "potsdam"):
        rest = [f"data.root={INPUTS / 'prepared' / name}", "train.validation=isprs", "data.complete=false"]
        geoseg("train", name, "--name", name, *settings(*changes, *small, *rest))


@case("train-interrupted")
def interrupted() -> None:
    """Kill a run, stop it politely, and go on; the weights must be those of an undisturbed run."""
    geoseg("train", TINY, "--name", "undisturbed")
    for name, times, by in (
        ("killed", 3, signal.SIGKILL),
        ("stopped", 3, signal.SIGTERM),
        ("early", 1, signal.SIGKILL),
    ):
        killed("train", TINY, "--name", name, before="last.ckpt", times=times, by=by)
        geoseg("train", TINY, "--name", name)
    geoseg("train", TINY, "--name", "killed", "--resume", code=1)


@case("crops")
def crops() -> None:
    """Cut crops as the loader gives them: each sampler, unchanged and changed at random."""
    for name, sampler in SAMPLERS.items():
        for kind, changes in (("flat", FLAT), ("changed", AUGMENT)):
            save_crops(f"{name}-{kind}", *sampler, *changes)
    for share in ("brightness", "contrast", "saturation", "hue"):
        others = [change for change in FLAT if share not in change]
        save_crops(share, *others)
    save_crops("openmmlab", f"augment.photometric={openmmlab()}", *AUGMENT)
    save_crops("scale", "augment.scale=[0.25, 4]", *AUGMENT)


def save_crops(name: str, *changes: str) -> None:
    """Write the crops of two iterations on the painted town.

    Args:
        name: Folder for them.
        *changes: Changes of the tiny recipe.
    """
    batches = training_crops(str(TINY), [TOWN, "train.batch=8", "train.iterations=2", *changes])
    for number, arrays in enumerate(batches):
        save_arrays(f"{name}/{number}.npz", arrays)
