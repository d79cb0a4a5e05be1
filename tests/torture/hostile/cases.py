"""A case: a call on a hostile input, before it has a working directory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torture.ordinary import EXACT

PREDICT_SECONDS = 30


@dataclass(frozen=True)
class Place:
    """Where inputs are written, and ordinary inputs to combine with hostile ones."""

    folder: Path
    """Folder of the hostile inputs of one kind."""
    executed: Path
    """Code in inputs creates a file in this folder."""
    model: Path
    scene: Path
    """Three bands, 96 x 96 pixels."""
    mask: Path
    """Five classes, 96 x 96 pixels."""
    archives: Path
    """Folder above the hostile inputs; archives try to write there."""


@dataclass(frozen=True)
class Case:
    """A call on a hostile input. ``OUT`` in the arguments stands for the path of the output."""

    label: str
    arguments: tuple[str, ...]
    output: str | None = None
    seconds: float = PREDICT_SECONDS
    must_fail: bool = False


def info(label: str, path: object, **options: Any) -> Case:
    """Return a call of ``geoseg info``."""
    return Case(f"info {label}", ("info", str(path)), **options)


def predict(label: str, scene: object, model: object, *more: str, output: str = "mask.tif", **options: Any) -> Case:
    """Return a call of ``geoseg predict``."""
    words = ("predict", str(scene), "-o", "OUT", "--model", str(model), *EXACT, *more)
    return Case(f"predict {label}", words, output, **options)


def polygonize(label: str, mask: object, *more: str, output: str = "out.gpkg", **options: Any) -> Case:
    """Return a call of ``geoseg polygonize``."""
    return Case(f"polygonize {label}", ("polygonize", str(mask), "-o", "OUT", *more), output, **options)


def evaluate(label: str, mask: object, reference: object, *more: str, **options: Any) -> Case:
    """Return a call of ``geoseg evaluate``."""
    return Case(f"evaluate {label}", ("evaluate", "--mask", str(mask), "--reference", str(reference), *more), **options)


def train(label: str, recipe: object, *more: str, **options: Any) -> Case:
    """Return a call of ``geoseg train``."""
    return Case(f"train {label}", ("train", str(recipe), "--runs", "runs", *more), **options)


def import_checkpoint(label: str, checkpoint: object, **options: Any) -> Case:
    """Return a call of ``geoseg import``."""
    return Case(f"import {label}", ("import", str(checkpoint), "-o", "OUT"), "model.safetensors", **options)
