"""Python names and command-line spellings that differ between trees.

Each object is listed as ``module:name``, newest first; the first one that exists is used. After a rename, add the new
name in front.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

LOAD_RECIPE = ("geoseg.config.load:load_recipe",)
PREPARE = ("geoseg.data.preparation.prepare:prepare", "geoseg.data.prepare:prepare")
TRAINING_CROPS = ("geoseg.training.crop_batches:TrainingCrops", "geoseg.training.crops:TrainingCrops")
LOAD_BUNDLE = ("geoseg:load", "geoseg.bundle:load")
TEST_SIDES = (
    "geoseg.evaluation.submission.loveda:IMAGE_SIZE",
    "geoseg.evaluation.submission.check_loveda:IMAGE_SIZE",
    "geoseg.evaluation.submission:SIDE",
    "geoseg.evaluation.submission_png:SIDE",
)
"""All of these are changed, not only the first; places that a tree lacks are skipped."""
TEST_PHASES = ("geoseg.evaluation.submission.check_loveda:PHASES", "geoseg.evaluation.submission_check:PHASES")


def found(places: Sequence[str]) -> Any:
    """Look up an object by the first of its names that exists in the tree.

    Args:
        places: Names like ``module:name``, newest first.

    Returns:
        The object.

    Raises:
        ImportError: No name exists in the tree.
    """
    for module, name in (place.split(":") for place in places):
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"none of {', '.join(places)} exists: add the new name in {__file__}")


def import_command() -> str:
    """Return the name of the command that imports OpenMMLab checkpoints."""
    commands = found(("geoseg_cli.main:COMMANDS",))
    return "import" if "import" in commands else "import-zoo"


def openmmlab() -> str:
    """Return the name of OpenMMLab in recipes and protocols: ``openmmlab`` or ``zoo``, as in the recipe for Potsdam."""
    configs = Path(str(importlib.import_module("geoseg_configs").__file__)).parent
    recipe = yaml.safe_load((configs / "potsdam.yaml").read_text("utf-8"))
    return str(recipe["augment"]["photometric"])


def training_crops(recipe: str, overrides: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    """Yield the crops of a training run, batch by batch.

    Args:
        recipe: The recipe's file.
        overrides: Changes to it, like ``train.batch=4``.

    Yields:
        Arrays of each batch: image, target and validity.
    """
    loaded = found(LOAD_RECIPE)(recipe, list(overrides))
    prepared = found(PREPARE)(loaded.data, loaded.name)
    for batch in found(TRAINING_CROPS)(loaded, prepared).loader(0):
        yield {f"part{place}": part.numpy() for place, part in enumerate(batch)}


def logits(model: str) -> dict[str, np.ndarray]:
    """Return the logits of a bundle for images of noise.

    Args:
        model: Path of the bundle.
    """
    network = found(LOAD_BUNDLE)(model).network
    bands = next(iter(network.state_dict().values())).shape[1]
    images = torch.randn(2, bands, 72, 88, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        answer = network(images)
    return {"logits": answer.numpy()}


@contextmanager
def small_test_set(side: int, phases: Mapping[str, range]) -> Iterator[None]:
    """Replace the test set of LoveDA by a few small images in this process.

    Args:
        side: Height and width of an image.
        phases: Numbers of the images of each phase.

    Raises:
        ImportError: The size or the phases are not found.
    """
    changed = [place for place in TEST_SIDES if _change(place, side)]
    if not changed:
        raise ImportError(f"none of {', '.join(TEST_SIDES)} exists: add the new name in {__file__}")
    known = found(TEST_PHASES)
    before = dict(known)
    known.update(phases)
    try:
        yield
    finally:
        known.update(before)


def _change(place: str, value: Any) -> bool:
    module, name = place.split(":")
    try:
        owner = importlib.import_module(module)
    except ImportError:
        return False
    if not hasattr(owner, name):
        return False
    setattr(owner, name, value)
    return True
