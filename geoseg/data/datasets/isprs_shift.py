"""Domain shift between Potsdam and Vaihingen: two cities, two cameras and two pixel sizes.

Both datasets have near-infrared, red and green bands. ``data.gsd`` sets a common pixel size, such as Vaihingen's
0.09 m. The archives of both cities may be anywhere under a common folder.
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from geoseg.data.dataset import UNLABELLED_SPLIT, Dataset, LabelledScene
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
    """Create the dataset for a domain shift from one city (the source) to the other (the target).

    The splits are ``train`` and ``val`` of the source, ``unlabelled`` (training images of the target) and ``test``
    (validation scenes of the target). The ``test`` split is hidden from training.

    Args:
        root: Folder that contains the archives of both cities.
        source: City with labels for training.
        labels: Label files to use: without the pixels along the borders of objects (``no_boundary``), or ``full``.
        baseline: Baseline for domain adaptation: ``source-only`` uses no target images; ``oracle`` trains on the
            target's labels.
        complete: Require all published scenes.

    Raises:
        DataError: If images or labels are missing.
    """
    cities = {
        "potsdam": potsdam(root, "irrg", labels, complete=complete),
        "vaihingen": vaihingen(root, labels, complete=complete),
    }
    named = {name: _add_city_name(city, name) for name, city in cities.items()}
    target = "vaihingen" if source == "potsdam" else "potsdam"
    training = named[target if baseline == "oracle" else source]
    splits = {"train": training["train"], "val": training["val"], "test": named[target]["val"]}
    if baseline is None:
        splits[UNLABELLED_SPLIT] = tuple(
            replace(scene, name=f"{UNLABELLED_SPLIT}/{scene.name}", label=None) for scene in named[target]["train"]
        )
    about = {"licence": isprs.LICENCE, "domain": f"{source}-to-{target}"}
    return replace(
        cities[source],
        splits=splits,
        hidden=frozenset({"test"}),
        about=about | ({"protocol": baseline} if baseline else {}),
        remarks=cities["potsdam"].remarks + cities["vaihingen"].remarks,
    )


def _add_city_name(city: Dataset, name: str) -> dict[str, tuple[LabelledScene, ...]]:
    """Return the splits of a city, with the city's name added to the names and groups of its scenes."""
    return {
        split: tuple(replace(scene, name=f"{name}/{scene.name}", groups={"domain": name}) for scene in scenes)
        for split, scenes in city.splits.items()
    }
