"""The few places where the command line does not reach, and the spellings that differ between trees.

Everything that names a module, a function or a value of geoseg which may be renamed stands here. Each place is written
as ``module:name``, the newest first; the first that is there is taken. After a renaming, add the new place in front.
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
PREPARE = ("geoseg.data.prepare:prepare",)
TRAINING_CROPS = ("geoseg.training.crops:TrainingCrops",)
LOAD_BUNDLE = ("geoseg:load", "geoseg.bundle:load")
TEST_SIDES = ("geoseg.evaluation.submission:SIDE", "geoseg.evaluation.submission_png:SIDE")
"""All of them are changed, not the first alone; those that a tree lacks are passed over."""
TEST_PHASES = ("geoseg.evaluation.submission_check:PHASES",)


def found(places: Sequence[str]) -> Any:
    """Look an object up under the first of its names that the tree knows.

    Args:
        places: Names like ``module:name``, the newest first.

    Returns:
        The object.

    Raises:
        ImportError: The tree knows none of them.
    """
    for module, name in (place.split(":") for place in places):
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"none of {', '.join(places)} is there: add the new name in {__file__}")


def import_command() -> str:
    """Tell how the command is called that reads checkpoints of OpenMMLab.

    Returns:
        Its name in this tree.
    """
    commands = found(("geoseg_cli.main:COMMANDS",))
    return "import" if "import" in commands else "import-zoo"


def openmmlab() -> str:
    """Tell the value by which recipes and ``--protocol`` mean what OpenMMLab does.

    Returns:
        ``openmmlab`` or ``zoo``, as the recipe for Potsdam that comes with this tree has it.
    """
    configs = Path(str(importlib.import_module("geoseg_configs").__file__)).parent
    recipe = yaml.safe_load((configs / "potsdam.yaml").read_text("utf-8"))
    return str(recipe["augment"]["photometric"])


def training_crops(recipe: str, overrides: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    """Cut the crops of a training, batch by batch, as its loader does.

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
    """Show a model images of noise.

    Args:
        model: The bundle's file.

    Returns:
        Its logits.
    """
    network = found(LOAD_BUNDLE)(model).network
    bands = next(iter(network.state_dict().values())).shape[1]
    images = torch.randn(2, bands, 72, 88, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        answer = network(images)
    return {"logits": answer.numpy()}


@contextmanager
def small_test_set(side: int, phases: Mapping[str, range]) -> Iterator[None]:
    """Let the test set of LoveDA be a few small images, in this process.

    Args:
        side: Height and width of an image.
        phases: Numbers of the images of each phase.

    Yields:
        Nothing.

    Raises:
        ImportError: The tree keeps neither the side nor the phases where they are looked for.
    """
    changed = [place for place in TEST_SIDES if _change(place, side)]
    if not changed:
        raise ImportError(f"none of {', '.join(TEST_SIDES)} is there: add the new name in {__file__}")
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
        there = importlib.import_module(module)
    except ImportError:
        return False
    if not hasattr(there, name):
        return False
    setattr(there, name, value)
    return True
