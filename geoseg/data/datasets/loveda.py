"""LoveDA: 5987 images of 1024 x 1024 pixels of 0.3 m over three Chinese cities, seven classes, urban and rural.

From the archives as published (``Train.zip``, ``Val.zip``, ``Test.zip``), zipped or unpacked, or from the folders that
OpenMMLab's converter makes of them (``img_dir/train/0.png``), where the domain is told by the image's number.

Wang et al. 2021, "LoveDA: A remote sensing land-cover dataset for domain adaptive semantic segmentation"
(arXiv 2110.08733). Domain shift: learn from one domain, be judged on the other. Two protocols circulate, which differ in
the images of the other domain that may be looked at without their labels: those of its validation split (``official``)
or those of its training split (``train-target``, of ST-DASegNet).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from geoseg.data.dataset import UNLABELLED, Dataset, LabelledScene
from geoseg.data.datasets import datasets
from geoseg.data.datasets._archive_files import Files, Key, find, listed, pair
from geoseg.data.label_encoding import encoding
from geoseg.errors import ConfigError, DataError
from geoseg.legend import Legend
from geoseg.raster.archive import FileEntry, entries

Domain = Literal["urban", "rural"]
Choice = Literal["all", "urban", "rural", "urban-to-rural", "rural-to-urban"]
Protocol = Literal["official", "train-target"]
Baseline = Literal["source-only", "oracle"]

LEGEND = Legend.of(
    {
        "background": "#FFFFFF",
        "building": "#FF0000",
        "road": "#FFFF00",
        "water": "#0000FF",
        "barren": "#9F81B7",
        "forest": "#00FF00",
        "agricultural": "#FFC380",
    }
)
"""Label files hold the class index plus one; 0 is no data."""

IDS: Mapping[str, Mapping[Domain, range]] = {
    "train": {"rural": range(1366), "urban": range(1366, 2522)},
    "val": {"rural": range(2522, 3514), "urban": range(3514, 4191)},
    "test": {"rural": range(4191, 5167), "urban": range(5167, 5987)},
}
"""Numbers of the images of each split and domain."""

GSD = 0.3
LICENCE = "LoveDA: CC BY-NC-SA 4.0, no commercial use"

Scenes = Mapping[tuple[str, str], tuple[LabelledScene, ...]]
"""The published scenes, by split and domain."""


@datasets.register
def loveda(
    root: Path,
    domain: Choice = "all",
    protocol: Protocol = "official",
    validate_on: Literal["source", "target"] = "source",
    baseline: Baseline | None = None,
    *,
    complete: bool = True,
) -> Dataset:
    """LoveDA, one of its domains, or the shift between them; scenes are named ``train/rural/0``.

    A shift has the splits ``train`` (source, labelled), ``val``, ``unlabelled`` (target images; which ones says
    ``protocol``) and ``test``, the labelled validation images of the target, hidden from training. ``validate_on``
    says which domain's validation labels choose the best model; with ``target`` they are not secret any more.
    ``baseline`` gives the two numbers every adaptation is measured by: ``source-only`` without target images,
    ``oracle`` trained on the target's own labels. ``complete`` refuses archives that lack images.
    """
    scenes = _published(root, complete=complete)
    about = {"licence": LICENCE, "domain": domain}
    source, is_shift, target = domain.partition("-to-")
    if is_shift:
        splits = _shift(scenes, source, target, protocol, validate_on=validate_on, baseline=baseline)
        about["protocol"] = f"{protocol}, validated on {validate_on}" + (f", {baseline}" if baseline else "")
    elif baseline or (protocol, validate_on) != ("official", "source"):
        hint = "say data.domain=rural-to-urban, for instance"
        raise ConfigError("protocol, validate_on and baseline are for a shift of domain", hint)
    else:
        wanted = get_args(Domain) if domain == "all" else (domain,)
        splits = {split: [scene for each in wanted for scene in scenes[split, each]] for split in IDS}
    values = {name: [index + 1] for index, name in enumerate(LEGEND.names)}
    return Dataset(
        LEGEND,
        encoding(LEGEND, "index", values=values, ignore=[0]),
        {split: tuple(members) for split, members in splits.items() if members},
        bands=("red", "green", "blue"),
        hidden=frozenset({"test"} if is_shift else ()),
        about=about,
    )


def _shift(
    scenes: Scenes, source: str, target: str, protocol: Protocol, *, validate_on: str, baseline: Baseline | None
) -> dict[str, Sequence[LabelledScene]]:
    """The splits of a shift. Target images to adapt to carry no label, wherever one may be published."""
    judged = scenes["val", target]
    if baseline == "oracle":
        return {"train": scenes["train", target], "val": judged, "test": judged}
    splits: dict[str, Sequence[LabelledScene]] = {
        "train": scenes["train", source],
        "val": scenes["val", source if validate_on == "source" else target],
        "test": judged,
    }
    if baseline is None:
        to_adapt = scenes["val" if protocol == "official" else "train", target]
        splits[UNLABELLED] = [replace(s, name=f"{UNLABELLED}/{s.name}", label=None) for s in to_adapt]
    return splits


def _published(root: Path, *, complete: bool) -> Scenes:
    """All scenes below a root; :class:`DataError` if labels or, with ``complete``, images are missing."""
    files = entries(root)
    scenes = {}
    for split in IDS:
        images, labels = (_files(files, split, kind) for kind in ("images", "masks"))
        found = pair(images, labels, "/".join, gsd=GSD)
        for domain in get_args(Domain):
            members = tuple(
                replace(scene, name=f"{split}/{scene.name}", groups={"domain": domain})
                for key, scene in found.items()
                if key[0] == domain
            )
            scenes[split, domain] = members
            bare = [scene.name for scene in members if scene.label is None]
            if split != "test" and bare:
                raise DataError(f"{listed(bare)} has no label in masks_png", "unpack the whole archive")
            published = len(IDS[split][domain])
            if complete and len(members) < published and (split != "test" or members):
                raise DataError(
                    f"{published - len(members)} of the {published} {domain} images of {split.title()} are missing",
                    "put Train.zip and Val.zip into the folder, or go on without: --set data.complete=false",
                )
    if not scenes["train", "rural"] + scenes["train", "urban"]:
        raise DataError(f"{root} holds no images Train/*/images_png/*.png", "give the folder of Train.zip and Val.zip")
    return scenes


def _files(files: Sequence[FileEntry], split: str, kind: Literal["images", "masks"]) -> Files:
    """Files of a split by (domain, number): told by the folder, or by the number where folders were merged."""
    merged = find(files, rf"(?:.*/)?{'img' if kind == 'images' else 'ann'}_dir/{split}/(\d+)\.png")
    apart = find(files, rf"(?:.*/)?{split}/(rural|urban)/{kind}_png/(\d+)\.png")
    return {_with_domain(split, key): path for key, path in merged.items()} | apart


def _with_domain(split: str, key: Key) -> Key:
    number = int(key[0])
    for domain, ids in IDS[split].items():
        if number in ids:
            return domain, key[0]
    raise DataError(f"LoveDA's split {split} has no image {number}", "its domain cannot be told; keep published names")
