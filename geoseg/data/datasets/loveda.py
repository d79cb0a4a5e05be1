"""LoveDA: 5,987 urban and rural images of three Chinese cities (1024 x 1024 pixels, 0.3 m GSD), with seven classes.

Images and labels are read from the published archives (``Train.zip``, ``Val.zip``, ``Test.zip``), zipped or extracted,
or from the folders written by OpenMMLab's converter (``img_dir/train/0.png``), where the number of an image determines
its domain.

Source: Wang et al. 2021, "LoveDA: A remote sensing land-cover dataset for domain adaptive semantic segmentation"
(arXiv 2110.08733). For a domain shift, a network is trained on one domain and evaluated on the other. There are two
protocols, which differ in the target images that they use as unlabeled data: those of the validation split
(``official``) or those of the training split (``train-target``, as in ST-DASegNet).
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from geoseg._output_files import output_errors, temporary_path
from geoseg._text import join_names
from geoseg.data.dataset import UNLABELLED_SPLIT, Dataset, LabelledScene
from geoseg.data.datasets import datasets
from geoseg.data.datasets._benchmark_files import MAX_NAMES, FilesByKey, SceneKey, find_files, pair_scenes
from geoseg.data.label_encoding import build_encoding
from geoseg.data.torchgeo.dataset_factory import DatasetFactory
from geoseg.errors import ConfigError, DataError
from geoseg.legend import Legend
from geoseg.raster.archive import FileEntry, list_files

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
"""Classes in index order. Label files contain the class index plus one; 0 means no data."""

IDS: Mapping[str, Mapping[Domain, range]] = {
    "train": {"rural": range(1366), "urban": range(1366, 2522)},
    "val": {"rural": range(2522, 3514), "urban": range(3514, 4191)},
    "test": {"rural": range(4191, 5167), "urban": range(5167, 5987)},
}
"""Image numbers of each split and domain."""

GSD = 0.3
RECORD_URL = "https://zenodo.org/records/5706578"
LICENCE = "LoveDA: CC BY-NC-SA 4.0, no commercial use"

Scenes = Mapping[tuple[str, str], tuple[LabelledScene, ...]]
"""The published scenes, keyed by (split, domain)."""


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
    """Create the LoveDA dataset, one of its domains, or the shift between them.

    Scenes have names such as ``train/rural/0``.

    A shift has the splits ``train`` (source, labeled), ``val``, ``unlabelled`` (target images) and ``test`` (the
    labeled validation images of the target domain). The ``test`` split is hidden from training.

    Args:
        root: Folder that contains the archives, zipped or extracted.
        domain: ``all``, one domain, or a shift from one domain to the other.
        protocol: Protocol that determines which target images a shift uses as unlabeled data.
        validate_on: Domain of the validation images used to select the best model for a shift; with ``target``, the
            labels of the test split influence training.
        baseline: Baseline for domain adaptation: ``source-only`` uses no target images; ``oracle`` trains on the
            target's labels.
        complete: Require all published images.

    Raises:
        ConfigError: If an option that requires a shift is given without one.
        DataError: If images or labels are missing.
    """
    scenes = _published(root, complete=complete)
    about = {"licence": LICENCE, "domain": domain}
    source, is_shift, target = domain.partition("-to-")
    if is_shift:
        splits = _shift(scenes, source, target, protocol, validate_on=validate_on, baseline=baseline)
        about["protocol"] = f"{protocol}, validated on {validate_on}" + (f", {baseline}" if baseline else "")
    elif baseline or (protocol, validate_on) != ("official", "source"):
        hint = "set a shift, for instance --set data.domain=rural-to-urban"
        raise ConfigError("protocol, validate_on and baseline require a domain shift", hint)
    else:
        wanted = get_args(Domain) if domain == "all" else (domain,)
        splits = {split: [scene for each in wanted for scene in scenes[split, each]] for split in IDS}
    values = {name: [index + 1] for index, name in enumerate(LEGEND.names)}
    return Dataset(
        LEGEND,
        build_encoding(LEGEND, "index", values=values, ignore=[0]),
        {split: tuple(members) for split, members in splits.items() if members},
        bands=("red", "green", "blue"),
        hidden=frozenset({"test"} if is_shift else ()),
        about=about,
    )


def _shift(
    scenes: Scenes, source: str, target: str, protocol: Protocol, *, validate_on: str, baseline: Baseline | None
) -> dict[str, Sequence[LabelledScene]]:
    """Return the splits of a shift. The target images to adapt to have no labels, even if labels are published."""
    test = scenes["val", target]
    if baseline == "oracle":
        return {"train": scenes["train", target], "val": test, "test": test}
    splits: dict[str, Sequence[LabelledScene]] = {
        "train": scenes["train", source],
        "val": scenes["val", source if validate_on == "source" else target],
        "test": test,
    }
    if baseline is None:
        to_adapt = scenes["val" if protocol == "official" else "train", target]
        splits[UNLABELLED_SPLIT] = [replace(s, name=f"{UNLABELLED_SPLIT}/{s.name}", label=None) for s in to_adapt]
    return splits


def _published(root: Path, *, complete: bool) -> Scenes:
    """Return all published scenes in a folder, keyed by (split, domain)."""
    files = list_files(root)
    scenes = {}
    for split in IDS:
        images, labels = (_files(files, split, kind) for kind in ("images", "masks"))
        paired = pair_scenes(images, labels, "/".join, gsd=GSD)
        for domain in get_args(Domain):
            members = tuple(
                replace(scene, name=f"{split}/{scene.name}", groups={"domain": domain})
                for key, scene in paired.items()
                if key[0] == domain
            )
            scenes[split, domain] = members
            unlabelled = [scene.name for scene in members if scene.label is None]
            if split != "test" and unlabelled:
                message = f"{join_names(unlabelled, limit=MAX_NAMES)} has no label in masks_png"
                raise DataError(message, "extract the whole archive")
            published = len(IDS[split][domain])
            if complete and len(members) < published and (split != "test" or members):
                raise DataError(
                    f"{published - len(members)} of the {published} {domain} images of {split.title()} are missing",
                    "put Train.zip and Val.zip into the folder, or continue without the missing images: "
                    "--set data.complete=false",
                )
    if not scenes["train", "rural"] + scenes["train", "urban"]:
        raise DataError(
            f"{root} contains no images Train/*/images_png/*.png", "set the folder that contains Train.zip and Val.zip"
        )
    return scenes


def _files(files: Sequence[FileEntry], split: str, kind: Literal["images", "masks"]) -> FilesByKey:
    """Return the files of a split, keyed by (domain, number). In merged folders, the number determines the domain."""
    merged = find_files(files, rf"(?:.*/)?{'img' if kind == 'images' else 'ann'}_dir/{split}/(\d+)\.png")
    separate = find_files(files, rf"(?:.*/)?{split}/(rural|urban)/{kind}_png/(\d+)\.png")
    return {_add_domain(split, key): path for key, path in merged.items()} | separate


def _add_domain(split: str, key: SceneKey) -> SceneKey:
    number = int(key[0])
    for domain, ids in IDS[split].items():
        if number in ids:
            return domain, key[0]
    raise DataError(f"LoveDA's split {split} has no image {number}", "its domain is unknown; keep the published names")


def download_loveda(root: Path) -> None:
    """Download LoveDA's three archives with torchgeo, and verify their checksums.

    Existing archives are not downloaded again. An archive appears under its final name only once it is complete.

    Args:
        root: Folder for the archives; created if missing.

    Raises:
        DataError: If an archive cannot be downloaded; the hint gives the URL.
        OutputError: If the folder cannot be written.
    """
    part = temporary_path(root / "loveda")
    with output_errors(root):
        root.mkdir(parents=True, exist_ok=True)
    try:
        for split in ("train", "val", "test"):
            archive = f"{split.title()}.zip"
            if not (root / archive).exists():
                _download_archive(part, split)
                (part / archive).replace(root / archive)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _download_archive(folder: Path, split: str) -> None:
    try:
        DatasetFactory("LoveDA", folder).with_split(split).create(download=True)
    except DataError as error:
        hint = f"download Train.zip, Val.zip and Test.zip from {RECORD_URL} into the folder, without unpacking them"
        raise DataError(error.message, hint) from error
