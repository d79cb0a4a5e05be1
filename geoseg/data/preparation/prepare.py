"""From a declared dataset to prepared scenes: images and class indices that can be cut at any window, fast.

Source files are only read, zips are not unpacked. Each scene is converted once, in an order that does not matter, and
has a record when it is done; the manifest is written when all are. So an interrupted run goes on where it was, and a
changed file is all that is converted again.
"""

import hashlib
import json
import logging
import re
import statistics as python_statistics
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from geoseg._files import output_errors, remove
from geoseg.config.recipe import DataSection
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.datasets import datasets
from geoseg.data.in_memory import in_files
from geoseg.data.label_encoding import encoding
from geoseg.data.label_reader import check_unknown
from geoseg.data.preparation.conversion_pool import LOCK, Room, all_converted, alone
from geoseg.data.preparation.convert_scene import Job, Record, finished, sources_of, survey
from geoseg.data.preparation.prepared_dataset import FORMAT, MANIFEST, Prepared, PreparedScene
from geoseg.errors import ConfigError, DataError, OutputError
from geoseg.grid.grid import is_same_gsd
from geoseg.progress import NOTICE, Progress, silent
from geoseg.raster.scene import Scene
from geoseg.raster.statistics import RunningStatistics

FILES = {"images": ".tif", "masks": ".tif", "valid": ".tif", "cells": ".npz", "records": ".json"}
"""Folders in a prepared folder, and the suffix of a scene's file in each."""

LEAST_COMPRESSED = 0.4
"""Share of the pixels' bytes that compressed files take at the least, of aerial images."""

NOT_DECLARED = {"root", "prepared", "unknown_share"}
"""Keys of the data section that do not change what is prepared."""

logger = logging.getLogger(__name__)


def open_dataset(section: DataSection) -> Dataset:
    """The dataset a recipe's data section declares; a root that is a prepared folder is a dataset of its own files."""
    if section.root is None:
        raise ConfigError("data.root is missing", "say where your data lies: --set data.root=FOLDER")
    if (section.root / MANIFEST).is_file():
        return _as_dataset(_given(section, section.root))
    return datasets.build(section.dataset, section.options, root=section.root)


def prepare(
    section: DataSection, name: str, *, folder: Path | None = None, overwrite: bool = False, progress: Progress = silent
) -> Prepared:
    """The prepared folder of a data section, made now if it is not there yet.

    It lies at ``folder``, else below ``section.prepared`` under a name that begins with ``name``. A root that is a
    prepared folder already is used as it is. ``overwrite`` allows a folder that holds scenes of another declaration.
    Raises :class:`DataError` for labels that do not fit, :class:`SceneError` for images that cannot be read,
    :class:`OutputError` when there is no room. What was finished before an error is kept for the next try.
    """
    if section.root is not None and (section.root / MANIFEST).is_file():
        return _given(section, section.root)
    dataset = open_dataset(section)
    dataset.scenes("train")
    declared = _declared(section)
    folder = folder or section.prepared / f"{_file_name(name)}-{_sha([str(section.root), declared])[:8]}"
    sources = _sources(declared, dataset)
    done = _if_whole(folder, sources)
    if done is not None:
        logger.info("using the prepared scenes in %s", folder)
        return done
    logger.log(NOTICE, "Preparing scenes in %s, once.", folder)
    _tell(dataset)
    _require_ours(folder, declared, overwrite=overwrite)
    with alone(folder):
        done = _if_whole(folder, sources)  # another process may have been at it
        return done or _prepare(section, dataset, folder, declared, sources, progress)


def _if_whole(folder: Path, sources: str) -> Prepared | None:
    done = Prepared.load(folder)
    whole = done is not None and done.sources == sources and all(scene.is_whole for scene in done.all_scenes)
    return done if whole else None


def _tell(dataset: Dataset) -> None:
    if "licence" in dataset.about:
        logger.log(NOTICE, "Licence: %s.", dataset.about["licence"])
    for remark in dataset.remarks:
        logger.warning("%s", remark)


def _prepare(
    section: DataSection, dataset: Dataset, folder: Path, declared: Mapping[str, Any], sources: str, progress: Progress
) -> Prepared:
    """Fills a folder with converted scenes and their manifest."""
    remove(folder / MANIFEST)
    jobs = _jobs(section, dataset, folder, declared)
    with progress(len(jobs), "preparing scenes") as task:
        records = {}
        for job in jobs:
            if (record := finished(job)) is not None:
                records[job.draft.stem] = record
                task.advance(note=job.scene.name)
        pending = [job for job in jobs if job.draft.stem not in records]
        planned = {job.draft.stem: survey(job) for job in pending}
        gsd = _common_gsd([*planned.values(), *(record.scene for record in records.values())]) or section.gsd
        room = Room.of(list(planned.values()), len(jobs[0].bands), jobs[0].dtype)
        room.require(folder, share=LEAST_COMPRESSED if section.compress else 1.0)
        for job, record in all_converted(pending, room):
            records[job.draft.stem] = record
            task.advance(note=job.scene.name)
            _check_unknown(section, job, record)
    for job in jobs:  # what was finished before may have been finished under another data.unknown_share
        _check_unknown(section, job, records[job.draft.stem])
    _clear(folder, set(records))
    scenes = [records[job.draft.stem].scene for job in jobs]
    prepared = Prepared(
        folder=folder,
        digest=_fingerprint(dataset, jobs[0].bands, scenes),
        sources=sources,
        declaration=declared,
        legend=dataset.legend,
        bands=jobs[0].bands,
        dtype=jobs[0].dtype,
        gsd=gsd,
        statistics=_statistics(records.values()).of(jobs[0].bands),
        all_scenes=tuple(scenes),
        about=dataset.about,
    )
    _require_sense(prepared)
    with output_errors(folder):
        prepared.save()
    return prepared


def _jobs(section: DataSection, dataset: Dataset, folder: Path, declared: Mapping[str, Any]) -> list[Job]:
    first = dataset.scenes("train")[0]
    with in_files(first) as files, Scene.open(files.image) as opened:
        bands = section.bands or dataset.bands or opened.bands
        dtype = opened.dtype.name
        if opened.palette is not None:
            logger.warning("%s holds numbers of a palette, not colours: gdal_translate -expand rgb", first.image)
    digest = _sha([FORMAT, declared, bands, dtype])
    jobs: dict[str, Job] = {}
    for split, scenes in dataset.prepared_splits.items():
        for scene in scenes:
            stem = _stem(f"{split}/{scene.name}", scene.name, taken=jobs)
            draft = PreparedScene(
                scene.name, split, folder, stem, 0, 0, None,
                labelled=scene.label is not None, compressed=section.compress, groups=scene.groups,
            )  # fmt: skip
            jobs[stem] = Job(
                scene=scene,
                draft=draft,
                declared=digest,
                encoding=dataset.encoding,
                classes=len(dataset.legend),
                band_names=dataset.bands,
                bands=tuple(bands),
                by_name=bool(section.bands),
                dtype=dtype,
                gsd=section.gsd,
            )
    return list(jobs.values())


def _check_unknown(section: DataSection, job: Job, record: Record) -> None:
    scene = record.scene
    check_unknown(job.scene.label, scene.unknown_share, scene.unknown, allowed=section.unknown_share)


def _statistics(records: Iterable[Record]) -> RunningStatistics:
    """Of the training scenes, merged in the order of their names so that the last digit does not depend on chance."""
    measured = RunningStatistics()
    for record in sorted(records, key=lambda record: record.scene.name):
        if record.scene.split == "train":
            measured.merge(record.statistics)
    return measured


def _require_sense(prepared: Prepared) -> None:
    """:class:`DataError` if nothing can be learnt or judged; a warning for classes without a training pixel."""
    for split, adjective in (("train", "training"), ("val", "validation")):
        members = [scene for scene in prepared.all_scenes if scene.split == split]
        if members and not any(sum(scene.class_pixels) for scene in members):
            hint = "check data.legend, data.values and data.ignore"
            raise DataError(f"no pixel of the {adjective} scenes is labelled", hint)
    counts = prepared.class_pixels("train")
    empty = [name for name, count in zip(prepared.legend.names, counts, strict=True) if not count]
    if empty:
        logger.warning("no training pixel is labelled %s, so the network cannot learn it", " or ".join(empty))


def _common_gsd(scenes: Sequence[PreparedScene]) -> float | None:
    """The GSD of the scenes; :class:`DataError` if they differ so much that none of them is everybody's."""
    gsds = {scene.gsd: scene.name for scene in scenes if scene.gsd is not None}
    if not gsds:
        return None
    least, most = min(gsds), max(gsds)
    if not is_same_gsd(most, least):
        raise DataError(
            f"pixels measure {least:.3g} m in {gsds[least]} and {most:.3g} m in {gsds[most]}",
            f"name the size to learn at, and scenes are resampled to it: --set data.gsd={most:.2g}",
        )
    return python_statistics.median(gsds)


def _given(section: DataSection, folder: Path) -> Prepared:
    """A prepared folder that a recipe names as its root; :class:`DataError` if it was prepared for something else."""
    prepared = Prepared.load(folder)
    if prepared is None:
        raise DataError(f"{folder} was prepared by another version of geoseg", "prepare it again from the archives")
    wanted = _declared(section)
    other = [
        key for key in sorted({*wanted, *prepared.declaration}) if wanted.get(key) != prepared.declaration.get(key)
    ]
    if other:
        key = other[0]
        raise DataError(
            f"{folder} was prepared with data.{key} {prepared.declaration.get(key)!r}, the recipe says {wanted.get(key)!r}",
            f"--set data.{key}=..., or prepare the scenes again",
        )
    return prepared


def _as_dataset(prepared: Prepared) -> Dataset:
    """Prepared files as a dataset: what they hold is what they were made from."""
    splits: dict[str, list[LabelledScene]] = {}
    for scene in prepared.all_scenes:
        label = scene.mask_path if scene.labelled else None
        member = LabelledScene(scene.name, scene.image_path, label, scene.groups, scene.gsd)
        splits.setdefault(scene.split, []).append(member)
    return Dataset(
        prepared.legend,
        encoding(prepared.legend, "index"),
        {split: tuple(members) for split, members in splits.items()},
        bands=prepared.bands,
        about=prepared.about,
    )


def _require_ours(folder: Path, declared: Mapping[str, Any], *, overwrite: bool) -> None:
    """:class:`OutputError` for a folder with other things in it, or, unless ``overwrite``, with other scenes."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / LOCK).is_file():
        raise OutputError(f"{folder} holds other files", "name a new folder for prepared scenes")
    done = Prepared.load(folder)
    if done is not None and done.declaration != declared and not overwrite:
        raise OutputError(f"{folder} holds scenes of another declaration", "name a new folder, or --overwrite")


def _clear(folder: Path, stems: set[str]) -> None:
    """Deletes the files of scenes that the dataset no longer has."""
    for part, suffix in FILES.items():
        for path in (folder / part).glob(f"*{suffix}"):
            if path.stem not in stems:
                remove(path)


def _declared(section: DataSection) -> dict[str, Any]:
    return section.model_dump(mode="json", exclude=NOT_DECLARED)


def _sources(declared: Mapping[str, Any], dataset: Dataset) -> str:
    """Digest of the declaration, of who is in which split (lists are files) and of every source file's state."""
    members = {
        split: [(scene.name, sources_of(scene)) for scene in scenes]
        for split, scenes in dataset.prepared_splits.items()
    }
    return _sha([declared, members])


def _fingerprint(dataset: Dataset, bands: Sequence[str], scenes: Sequence[PreparedScene]) -> str:
    content = [(scene.split, scene.name, dict(scene.digests)) for scene in scenes]
    return _sha([dataset.legend.to_json(), list(bands), content])


def _sha(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name) or "data"


def _stem(unique: str, name: str, *, taken: Container[str]) -> str:
    """A scene's name as a file name; told apart by a digest from others that look alike."""
    plain = re.sub(r"[^\w.-]+", "_", name)
    return f"{plain}-{_sha(unique)[:8]}" if plain in taken else plain
