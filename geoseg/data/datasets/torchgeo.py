"""Any dataset of torchgeo that gives images and masks, by the name of its class.

A scene is one sample or, of a dataset that knows coordinates, one file of its index. torchgeo decodes them, so every
layout it knows can be learnt from; it also unpacks archives into the folder they lie in. A split says what the class is
called with: a value of its argument ``split``, other keyword arguments, or a list of these. A split that says
``{share: 0.1}`` or ``{names: ["M-33-*"]}`` is taken out of ``train``.
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
from geoseg.data.in_memory import TYPES, Keeping, narrowest
from geoseg.data.label_encoding import encoding
from geoseg.data.torchgeo.class_names import MEANINGS, Classes, Meaning, Values, band_names, classes_of
from geoseg.data.torchgeo.dataset_factory import Call, find, opened
from geoseg.data.torchgeo.source import Reading, TorchgeoSource, files_of
from geoseg.errors import ConfigError, DataError, GeosegError

OWN_SPLITS = {"train": "train", "val": "val", "test": "test"}
"""What splits are called in torchgeo; not every dataset has all of them."""
RULES = {"share", "names"}
"""Keys of a split that is taken out of ``train``."""


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
    """The dataset ``torchgeo.datasets.NAME`` in a folder, called with ``options`` and with what each split says.

    ``splits`` are torchgeo's own if not given. ``legend`` names (and colours) the classes in the order of the mask's
    numbers, without those that ``ignore`` calls "not labelled"; it is needed only where torchgeo names none. ``values``
    lists the numbers of a class that has others. ``mask`` and ``mask_layer`` choose among several masks, ``nodata`` is
    the value of pixels that hold nothing. Pixels are of the narrowest type that holds the first images, or of
    ``dtype``. Nothing is fetched unless ``download``. :class:`ConfigError`, :class:`DataError` in one sentence.
    """
    known = MEANINGS.get(name, Meaning())
    known = replace(known, ignore=(*known.ignore, *ignore))
    opened.cache_clear()  # files may have come since
    calls, rules, remarks = _calls(Call(name, root, json.dumps(dict(options or {}))), splits, download=download)
    reading = Reading(mask, mask_layer, known.by_colour)
    firsts = {call: reading.read(opened(call), 0) for listed in calls.values() for call in listed}
    dataset, (image, numbers, _) = opened(calls["train"][0]), firsts[calls["train"][0]]
    if numbers is None:
        raise ConfigError(f"torchgeo's {name} gives no {mask} with its images", "choose data.mask, or another dataset")
    classes, meaning = classes_of(dataset, known, legend, values, numbers)
    found = max((narrowest(each) for each, _, _ in firsts.values()), key=TYPES.index)
    keeping = Keeping(len(image), found if dtype == "auto" else dtype, nodata, tuple(meaning.items()), len(classes))
    scenes = {
        split: [scene for call in listed for scene in _scenes(call, reading, keeping, labelled=firsts[call][1] is not None)]
        for split, listed in calls.items()
    }  # fmt: skip
    return Dataset(
        classes,
        encoding(classes, "index"),
        _split(scenes, rules),
        bands=band_names(dataset, known, len(image), keeping.dtype),
        about={"dataset": f"{name} of torchgeo"},
        remarks=tuple(remarks),
    )


def _calls(
    whole: Call, splits: Mapping[str, Any] | None, *, download: bool
) -> tuple[dict[str, list[Call]], dict[str, Mapping[str, Any]], list[str]]:
    """What each split is called with, the splits that are taken out of train, and what was not found."""
    calls: dict[str, list[Call]] = {}
    remarks: list[str] = []
    has_own = "split" in inspect.signature(find(whole.name)).parameters
    said: Mapping[str, Any] = splits or (OWN_SPLITS if has_own else {"train": {}})
    rules = {split: rule for split, rule in said.items() if isinstance(rule, Mapping) and RULES & rule.keys()}
    for split in (each for each in said if each not in rules):
        try:
            calls[split] = _called(whole, said[split], download=download)
        except GeosegError as error:
            if splits or split == "train":
                raise
            remarks += [error.message] if isinstance(error, DataError) else []  # else it has no such split
    if "train" not in calls:
        raise ConfigError("data.splits does not say what train is", "write data.splits: {train: train}, for instance")
    return calls, rules, remarks


def _called(whole: Call, said: Any, *, download: bool) -> list[Call]:
    calls = [whole.with_split(each) for each in (said if isinstance(said, list) else [said])]
    for call in calls:
        if download:
            call.open(download=True)
        if not len(opened(call)):
            raise DataError(f"torchgeo finds no image of {call.name} ({call.words}) in {call.root}", "check data.root")
    return calls


def _scenes(call: Call, reading: Reading, keeping: Keeping, *, labelled: bool) -> list[LabelledScene]:
    """A scene for each sample, called after its file if torchgeo lists files and no two are called alike."""
    dataset = opened(call)
    files = [files_of(dataset, place) for place in range(len(dataset))]
    names = [listed[0].stem if listed else "" for listed in files]
    if len({*names, ""}) <= len(names):
        names = [str(place) for place in range(len(files))]
    scenes = []
    for place, (listed, name) in enumerate(zip(files, names, strict=True)):
        there = call.root / call.name / call.words / name  # no file, but a name for messages
        source = TorchgeoSource(call, place, reading, keeping, listed)
        image, label = listed[0] if listed else there, there if labelled else None
        scenes.append(LabelledScene(f"{call.words}/{name}", image, label, source=source))
    return scenes


def _split(
    scenes: Mapping[str, Sequence[LabelledScene]], rules: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[LabelledScene, ...]]:
    """The scenes of each split; what a rule takes is no longer in train."""
    splits = {split: tuple(members) for split, members in scenes.items()}
    for split, rule in rules.items():
        taken = _taken(rule, [scene.name for scene in scenes["train"]])
        splits[split] = tuple(scene for scene in splits["train"] if scene.name in taken)
        splits["train"] = tuple(scene for scene in splits["train"] if scene.name not in taken)
    return splits


def _taken(rule: Mapping[str, Any], names: Sequence[str]) -> set[str]:
    """The names a rule takes: those of a pattern, or a share by a hash of the names, the same on every machine."""
    match dict(rule):
        case {"names": list(patterns), **rest} if not rest:
            return {name for name in names if any(fnmatchcase(name.partition("/")[2], each) for each in patterns)}
        case {"share": float(share), **rest} if not rest and 0 < share < 1:
            drawn = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
            return set(drawn[: math.ceil(share * len(drawn) - 1e-9)])
    raise ConfigError(
        f"a split cannot be taken out of train by {dict(rule)}", "write {share: 0.1} or {names: [PATTERN]}"
    )
