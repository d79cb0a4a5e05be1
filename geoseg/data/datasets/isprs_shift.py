"""Potsdam to Vaihingen and back: the shift between two cities, two cameras and two pixel sizes.

Both are seen in near infrared, red and green. ``data.gsd`` says at which pixel size; 0.09 m is that of Vaihingen. The
archives of both cities lie somewhere below one folder.
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from geoseg.data.dataset import UNLABELLED, Dataset, LabelledScene
from geoseg.data.datasets import _isprs as isprs
from geoseg.data.datasets import datasets
from geoseg.data.datasets._isprs import LabelKind
from geoseg.data.datasets.potsdam import potsdam
from geoseg.data.datasets.vaihingen import vaihingen

LEGEND = isprs.LEGEND


@datasets.register
def isprs_shift(
    root: Path,
    source: Literal["potsdam", "vaihingen"] = "potsdam",
    labels: LabelKind = "no_boundary",
    baseline: Literal["source-only", "oracle"] | None = None,
    *,
    complete: bool = True,
) -> Dataset:
    """Splits ``train`` and ``val`` of the source, ``unlabelled`` (training images of the other city) and ``test``.

    ``test``, the other city's validation scenes, is hidden from training. ``baseline`` gives the two numbers every
    adaptation is measured by: ``source-only`` without target images, ``oracle`` trained on the target's own labels.
    """
    cities = {
        "potsdam": potsdam(root, "irrg", labels, complete=complete),
        "vaihingen": vaihingen(root, labels, complete=complete),
    }
    known = {name: _named(city, name) for name, city in cities.items()}
    target = "vaihingen" if source == "potsdam" else "potsdam"
    learnt = known[target if baseline == "oracle" else source]
    splits = {"train": learnt["train"], "val": learnt["val"], "test": known[target]["val"]}
    if baseline is None:
        splits[UNLABELLED] = tuple(
            replace(scene, name=f"{UNLABELLED}/{scene.name}", label=None) for scene in known[target]["train"]
        )
    about = {"licence": isprs.LICENCE, "domain": f"{source}-to-{target}"}
    return replace(
        cities[source],
        splits=splits,
        hidden=frozenset({"test"}),
        about=about | ({"protocol": baseline} if baseline else {}),
        remarks=cities["potsdam"].remarks + cities["vaihingen"].remarks,
    )


def _named(city: Dataset, name: str) -> dict[str, tuple[LabelledScene, ...]]:
    """The city's splits, with scenes named after the city too."""
    return {
        split: tuple(replace(scene, name=f"{name}/{scene.name}", groups={"domain": name}) for scene in scenes)
        for split, scenes in city.splits.items()
    }
