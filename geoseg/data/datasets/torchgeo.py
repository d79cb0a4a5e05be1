"""Any torchgeo dataset with images and masks, selected by class name.

A scene is one sample or, for a dataset indexed by coordinates, one file in its index. torchgeo decodes the samples, so
every layout that it supports can be used for training; it also extracts archives into the folder that contains them.
The value of a split specifies the arguments of the class: a value for ``split``, a mapping of other arguments, or a
list of these. A split ``{share: 0.1}`` or ``{names: ["M-33-*"]}`` is taken from ``train``.
"""

import hashlib
import inspect
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.datasets import datasets
from geoseg.data.label_encoding import build_encoding
from geoseg.data.memory_scenes import DTYPES, ArrayStorage, narrowest_dtype
from geoseg.data.torchgeo.class_names import OVERRIDES, Classes, DatasetOverrides, Values, band_names, read_classes
from geoseg.data.torchgeo.dataset_factory import DatasetFactory, find_class, open_cached
from geoseg.data.torchgeo.source import SampleReader, TorchgeoSource, list_sample_files
from geoseg.errors import ConfigError, DataError, GeosegError
from geoseg.legend import IGNORE_INDEX

DEFAULT_SPLITS = {"train": "train", "val": "val", "test": "test"}
"""Default splits for a torchgeo class with a ``split`` argument."""
SUBSET_KEYS = {"share", "names"}
"""Keys of a split that is taken from ``train``."""


@datasets.register
def torchgeo(
    root: Path,
    name: str,
    splits: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    legend: Classes | None = None,
    values: Values | None = None,
    ignore: Sequence[int] = (),
    mask: str = "mask",
    mask_layer: int | None = None,
    nodata: float | None = None,
    dtype: Literal["auto", "uint8", "uint16", "float32"] = "auto",
    *,
    download: bool = False,
) -> Dataset:
    """Create a dataset from the class ``torchgeo.datasets.NAME`` and a folder.

    Args:
        root: Folder that contains the files of the dataset.
        name: Name of the class.
        splits: Arguments of the class for each split; by default, torchgeo's own splits.
        options: Arguments of the class for all splits.
        legend: Class names, with or without colors, in the order of the mask values, without ignored values;
            required only if torchgeo does not name the classes.
        values: Mask values for classes that do not follow this order.
        ignore: Mask values that mean "not labeled".
        mask: Key of the mask in a sample.
        mask_layer: Index of the layer to use if masks have several layers.
        nodata: Value that pixels without data have in all bands.
        dtype: Pixel type to store; by default, the narrowest type that can represent the first image of each split.
        download: Let torchgeo download missing files.

    Raises:
        ConfigError: If an option is invalid, or the masks of the dataset do not contain classes.
        DataError: If files are missing or cannot be read.
    """
    overrides = OVERRIDES.get(name, DatasetOverrides())
    overrides = replace(overrides, ignore=(*overrides.ignore, *ignore))
    open_cached.cache_clear()  # files may have been added since the last call
    factory = DatasetFactory(name, root, json.dumps(dict(options or {})))
    factories, subsets, remarks = _resolve_splits(factory, splits, download=download)
    reader = SampleReader(mask, mask_layer, overrides.by_colour)
    first_samples = {each: reader.read(open_cached(each), 0) for members in factories.values() for each in members}
    train = factories["train"][0]
    image, mask_values, _ = first_samples[train]
    if mask_values is None:
        message = f"samples of torchgeo's {name} have no {mask}"
        raise ConfigError(message, "set data.mask, or choose a different dataset")
    classes, indices = read_classes(open_cached(train), overrides, legend, values, mask_values)
    if dtype == "auto":
        stored_dtype = max((narrowest_dtype(each) for each, _, _ in first_samples.values()), key=DTYPES.index)
    else:
        stored_dtype = dtype
    storage = ArrayStorage(len(image), stored_dtype, nodata, tuple(indices.items()), len(classes))
    scenes = {
        split: [
            scene
            for each in members
            for scene in _list_scenes(each, reader, storage, labelled=first_samples[each][1] is not None)
        ]
        for split, members in factories.items()
    }
    return Dataset(
        classes,
        build_encoding(classes, "index", ignore=[IGNORE_INDEX]),
        _take_subsets(scenes, subsets),
        bands=band_names(open_cached(train), overrides, len(image), storage.dtype),
        about={"dataset": f"{name} of torchgeo"},
        remarks=tuple(remarks),
    )


def _resolve_splits(
    factory: DatasetFactory, splits: Mapping[str, Any] | None, *, download: bool
) -> tuple[dict[str, list[DatasetFactory]], dict[str, Mapping[str, Any]], list[str]]:
    """Return the factories of each split, the splits to take from ``train``, and remarks about missing splits."""
    has_split = "split" in inspect.signature(find_class(factory.name)).parameters
    wanted: Mapping[str, Any] = splits or (DEFAULT_SPLITS if has_split else {"train": {}})
    subsets = {name: rule for name, rule in wanted.items() if isinstance(rule, Mapping) and SUBSET_KEYS & rule.keys()}
    factories: dict[str, list[DatasetFactory]] = {}
    remarks: list[str] = []
    for split in (each for each in wanted if each not in subsets):
        try:
            factories[split] = _build_factories(factory, wanted[split], download=download)
        except GeosegError as error:
            if splits or split == "train":
                raise
            remarks += [error.message] if isinstance(error, DataError) else []  # else the class has no such split
    if "train" not in factories:
        raise ConfigError("data.splits has no split train", "write, for instance, data.splits: {train: train}")
    return factories, subsets, remarks


def _build_factories(factory: DatasetFactory, arguments: Any, *, download: bool) -> list[DatasetFactory]:
    members = [factory.with_split(each) for each in (arguments if isinstance(arguments, list) else [arguments])]
    for each in members:
        if download:
            each.create(download=True)
        if not len(open_cached(each)):
            message = f"torchgeo finds no image of {each.name} ({each.label}) in {each.root}"
            raise DataError(message, "check data.root")
    return members


def _list_scenes(
    factory: DatasetFactory, reader: SampleReader, storage: ArrayStorage, *, labelled: bool
) -> list[LabelledScene]:
    """Return a scene for each sample, named after its first file, or numbered if those names are not unique."""
    dataset = open_cached(factory)
    files = [list_sample_files(dataset, index) for index in range(len(dataset))]
    names = [members[0].stem if members else "" for members in files]
    if len({*names, ""}) <= len(names):
        names = [str(index) for index in range(len(files))]
    scenes = []
    for index, (members, name) in enumerate(zip(files, names, strict=True)):
        placeholder = factory.root / factory.name / factory.label / name  # not a file, but a name for messages
        source = TorchgeoSource(factory, index, reader, storage, members)
        image, label = members[0] if members else placeholder, placeholder if labelled else None
        scenes.append(LabelledScene(f"{factory.label}/{name}", image, label, source=source))
    return scenes


def _take_subsets(
    scenes: Mapping[str, Sequence[LabelledScene]], subsets: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[LabelledScene, ...]]:
    """Return the scenes of each split, after moving subsets from ``train`` to their splits."""
    splits = {split: tuple(members) for split, members in scenes.items()}
    for split, rule in subsets.items():
        taken = _select_names(rule, [scene.name for scene in scenes["train"]])
        splits[split] = tuple(scene for scene in splits["train"] if scene.name in taken)
        splits["train"] = tuple(scene for scene in splits["train"] if scene.name not in taken)
    return splits


def _select_names(rule: Mapping[str, Any], names: Sequence[str]) -> set[str]:
    """Return the names that match patterns, or a fraction selected by a hash that is the same on every machine."""
    match dict(rule):
        case {"names": list(patterns), **rest} if not rest:
            return {name for name in names if any(fnmatchcase(name.partition("/")[2], each) for each in patterns)}
        case {"share": float(share), **rest} if not rest and 0 < share < 1:
            ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
            return set(ordered[: math.ceil(share * len(ordered) - 1e-9)])
    raise ConfigError(f"data.splits cannot take {dict(rule)} from train", "write {share: 0.1} or {names: [PATTERN]}")
