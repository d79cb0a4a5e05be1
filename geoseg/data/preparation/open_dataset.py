"""Open the dataset declared by a recipe's data section, or a prepared folder used as a dataset."""

from pathlib import Path
from typing import Any

from geoseg.config.recipe import DataSection
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.datasets import datasets
from geoseg.data.label_encoding import build_encoding
from geoseg.data.preparation.prepared_dataset import MANIFEST_NAME, PreparedDataset
from geoseg.errors import ConfigError, DataError
from geoseg.legend import IGNORE_INDEX

KEYS_WITHOUT_EFFECT = {"root", "prepared", "unknown_share"}
"""Keys of the data section that do not affect the prepared files."""


def open_dataset(section: DataSection) -> Dataset:
    """Return the dataset declared by a data section.

    If ``section.root`` is a prepared folder, the dataset consists of its files.

    Raises:
        ConfigError: If ``section.root`` is missing or an option is invalid.
        DataError: If files are missing or do not match the declaration.
    """
    if section.root is None:
        raise ConfigError("data.root is missing", "specify the folder that contains your data: --set data.root=FOLDER")
    if is_prepared(section.root):
        return _as_dataset(load_prepared(section, section.root))
    return datasets.build(section.dataset, section.options, root=section.root)


def is_prepared(root: Path | None) -> bool:
    """Return True if ``root`` is a prepared folder."""
    return root is not None and (root / MANIFEST_NAME).is_file()


def load_prepared(section: DataSection, folder: Path) -> PreparedDataset:
    """Read a prepared folder and check that it matches the declaration in a data section.

    Raises:
        DataError: If the folder was prepared from a different declaration or by a different version of geoseg.
    """
    prepared = PreparedDataset.load(folder)
    if prepared is None:
        raise DataError(f"{folder} was prepared by a different version of geoseg", "prepare it again from the archives")
    expected = declaration(section)
    for key in sorted({*expected, *prepared.declaration}):
        actual = prepared.declaration.get(key)
        if expected.get(key) != actual or (key == "legend" and list(actual or ()) != list(expected[key] or ())):
            raise DataError(
                f"{folder} was prepared with data.{key} {actual!r}, but the recipe has {expected.get(key)!r}",
                f"use --set data.{key}=..., or prepare the scenes again",
            )
    return prepared


def declaration(section: DataSection) -> dict[str, Any]:
    """Return the keys and values of a data section that determine the prepared files, as JSON values."""
    return section.model_dump(mode="json", exclude=KEYS_WITHOUT_EFFECT)


def _as_dataset(prepared: PreparedDataset) -> Dataset:
    splits: dict[str, list[LabelledScene]] = {}
    for scene in prepared.all_scenes:
        label = scene.mask_path if scene.labelled else None
        member = LabelledScene(scene.name, scene.image_path, label, scene.groups, scene.gsd)
        splits.setdefault(scene.split, []).append(member)
    return Dataset(
        prepared.legend,
        build_encoding(prepared.legend, "index", ignore=[IGNORE_INDEX]),
        {split: tuple(members) for split, members in splits.items()},
        bands=prepared.bands,
        about=prepared.about,
    )
