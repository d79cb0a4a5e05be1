"""Prepare a dataset: convert its scenes to images and masks from which windows can be read quickly.

Source files are never modified, and zips are not extracted. Each scene is converted once, in any order, and its record
is written when it is finished; the manifest is written last. An interrupted run therefore continues where it left off,
and only changed files are converted again.
"""

import logging
import re
import statistics as python_statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from geoseg._output_files import output_errors, remove_files
from geoseg._text import count, merge_notes
from geoseg.config.load import load_recipe
from geoseg.config.recipe import DataSection, Recipe
from geoseg.data.dataset import Dataset
from geoseg.data.label_reader import check_unknown_share, describe_assumed
from geoseg.data.preparation.conversion_pool import LOCK_FILE, DiskSpace, convert_all, lock_folder
from geoseg.data.preparation.conversion_record import ConversionRecord
from geoseg.data.preparation.convert_scene import SceneConversion, measure_scene
from geoseg.data.preparation.find_missed_split import find_missed_split
from geoseg.data.preparation.open_dataset import declaration, is_prepared, load_prepared, open_dataset
from geoseg.data.preparation.plan_conversions import digest_json, digest_pixels, digest_sources, plan_conversions
from geoseg.data.preparation.prepared_dataset import MANIFEST_NAME, PreparedDataset, PreparedScene
from geoseg.errors import DataError, OutputError
from geoseg.grid.grid import is_same_gsd
from geoseg.metrics.remarks import describe_unlabeled_classes
from geoseg.progress import NOTICE, Progress, silent
from geoseg.raster.statistics import RunningStatistics

FOLDER_SUFFIXES = {"images": ".tif", "masks": ".tif", "valid": ".tif", "cells": ".npz", "records": ".json"}
"""Subfolders of a prepared folder, with the extension of the scene files in each."""

MIN_COMPRESSED_SHARE = 0.4
"""Lower bound of the size of compressed aerial images, as a fraction of their uncompressed size."""

OLD_RULES = "an earlier version of geoseg prepared them, which read nodata, alpha bands and band names differently"
"""Reason to convert scenes again, as part of a message."""

logger = logging.getLogger(__name__)


def prepare(
    dataset: DataSection | Recipe | str | Path,
    name: str | None = None,
    *,
    folder: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> PreparedDataset:
    """Convert the scenes of a dataset, unless an up-to-date prepared folder exists.

    If ``data.root`` is a prepared folder, it is used without conversion. Scenes that are finished before an error
    are kept, and the next call does not convert them again.

    Args:
        dataset: A recipe, its data section, the path of a YAML file, or the name of an included recipe.
        name: Prefix of the name of a new folder in ``data.prepared``; by default, the name of the recipe, or ``data``.
        folder: Folder to write to, instead of a new folder in ``data.prepared``.
        overwrite: Replace the scenes in a folder that was prepared from a different declaration.
        progress: Progress bar; by default, none.

    Returns:
        The prepared scenes of all splits, with their legend, bands and statistics.

    Raises:
        ConfigError: If the data section is incomplete or has an invalid option.
        DataError: If files are missing, or labels do not match their image or the legend.
        SceneError: If an image cannot be read.
        OutputError: If the folder cannot be written or contains other files, or there is not enough disk space.
    """
    recipe = load_recipe(dataset) if isinstance(dataset, str | Path) else dataset
    section = recipe.data if isinstance(recipe, Recipe) else recipe
    if name is None:
        name = recipe.name if isinstance(recipe, Recipe) else "data"
    if section.root is not None and is_prepared(section.root):
        prepared = load_prepared(section, section.root)
        if not all(scene.has_current_rules for scene in prepared.all_scenes):
            logger.warning(
                "%s: using its scenes, but %s; prepare them again from their files", prepared.folder, OLD_RULES
            )
        _report_labels(prepared)
        return prepared
    output = None if folder is None else Path(folder)
    return prepare_dataset(section, open_dataset(section), name, folder=output, overwrite=overwrite, progress=progress)


def prepare_dataset(
    section: DataSection,
    dataset: Dataset,
    name: str,
    *,
    folder: Path | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> PreparedDataset:
    """Convert the scenes of a declared dataset; see :func:`prepare`.

    Args:
        section: Data section that declares the dataset, and the bands and GSD to convert to.
        dataset: The dataset.
        name: See :func:`prepare`.
        folder: Folder to write to, instead of a new folder in ``section.prepared``.
        overwrite: Replace scenes that were prepared from a different declaration.
        progress: Progress bar.
    """
    dataset.scenes("train")
    declared = declaration(section)
    folder = folder or section.prepared / f"{_file_name(name)}-{digest_json([str(section.root), declared])[:8]}"
    sources = digest_sources(declared, dataset)
    finished = _load_if_current(folder, sources, dataset)
    if finished is not None:
        logger.info("using the prepared scenes in %s", folder)
        _report_labels(finished)
        return finished
    logger.log(NOTICE, "Preparing scenes in %s (first run only).", folder)
    _log_remarks(dataset)
    _require_own_folder(folder, declared, overwrite=overwrite)
    with lock_folder(folder):
        finished = _load_if_current(
            folder, sources, dataset
        )  # another process may have finished while this one was waiting
        prepared = finished or _fill_folder(section, dataset, folder, sources, progress)
    _report_labels(prepared)
    return prepared


def _load_if_current(folder: Path, sources: str, dataset: Dataset) -> PreparedDataset | None:
    prepared = PreparedDataset.load(folder)
    if prepared is None or prepared.sources != sources or prepared.legend.names != dataset.legend.names:
        return None
    is_current = all(scene.is_complete and scene.has_current_rules for scene in prepared.all_scenes)
    return prepared if is_current else None


def _log_remarks(dataset: Dataset) -> None:
    if "licence" in dataset.about:
        logger.log(NOTICE, "License: %s.", dataset.about["licence"])
    for remark in dataset.remarks:
        logger.warning("%s", remark)


def _require_own_folder(folder: Path, declared: Mapping[str, Any], *, overwrite: bool) -> None:
    """Check that a folder is new, empty, or prepared from the same declaration (with ``overwrite``: from any)."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / LOCK_FILE).is_file():
        raise OutputError(f"{folder} contains other files", "choose a new folder for prepared scenes")
    prepared = PreparedDataset.load(folder)
    if prepared is not None and prepared.declaration != declared and not overwrite:
        raise OutputError(
            f"{folder} contains scenes of a different declaration", "choose a new folder, or use --overwrite"
        )


def _fill_folder(
    section: DataSection, dataset: Dataset, folder: Path, sources: str, progress: Progress
) -> PreparedDataset:
    """Convert all scenes and write the manifest."""
    earlier = PreparedDataset.load(folder)
    remove_files(folder / MANIFEST_NAME)
    conversions = plan_conversions(section, dataset, folder, earlier)
    bands, dtype = conversions[0].bands, conversions[0].dtype
    with progress(len(conversions), "preparing scenes") as task:
        finished = _load_records(conversions)
        for conversion in (each for each in conversions if each.draft.stem in finished):
            task.advance(note=conversion.scene.name)
            # an earlier run may have used a different data.unknown_share
            _check_unknown(section, conversion, finished[conversion.draft.stem])
        records = dict(finished)
        pending = [conversion for conversion in conversions if conversion.draft.stem not in records]
        measured = [measure_scene(conversion) for conversion in pending]
        gsd = _common_gsd([*measured, *(record.scene for record in records.values())]) or section.gsd
        space = DiskSpace.estimate(measured, len(bands), dtype)
        space.require(folder, share=MIN_COMPRESSED_SHARE if section.compress else 1.0)
        for conversion, record in convert_all(pending, space):
            records[conversion.draft.stem] = record
            task.advance(note=conversion.scene.name)
            _check_unknown(section, conversion, record)
    _check_polygons(dataset, [(conversion, records[conversion.draft.stem]) for conversion in conversions])
    _remove_other_scenes(folder, set(records))
    scenes = [records[conversion.draft.stem].scene for conversion in conversions]
    prepared = PreparedDataset(
        folder=folder,
        digest=digest_pixels(dataset, bands, scenes),
        sources=sources,
        declaration=declaration(section),
        legend=dataset.legend,
        bands=bands,
        dtype=dtype,
        gsd=gsd,
        statistics=_merge_statistics(records.values()).summarize(bands),
        all_scenes=tuple(scenes),
        about=dataset.about,
    )
    _require_labelled_pixels(prepared)
    with output_errors(folder):
        prepared.save()
    return prepared


def _load_records(conversions: Sequence[SceneConversion]) -> dict[str, ConversionRecord]:
    """Return the records of scenes that need no conversion, by file name without extension."""
    records = {conversion.draft.stem: conversion.load_record() for conversion in conversions}
    found = {stem: record for stem, record in records.items() if record is not None}
    current = {stem: record for stem, record in found.items() if record.scene.has_current_rules}
    if outdated := len(found) - len(current):
        logger.warning(
            "%s: converting %s again, because %s", conversions[0].draft.folder, count(outdated, "scene"), OLD_RULES
        )
    return current


def _check_unknown(section: DataSection, conversion: SceneConversion, record: ConversionRecord) -> None:
    scene = record.scene
    check_unknown_share(conversion.scene.label, scene.unknown_share, scene.unknown, max_share=section.unknown_share)


def _check_polygons(dataset: Dataset, converted: Sequence[tuple[SceneConversion, ConversionRecord]]) -> None:
    """Warn about skipped and repaired label polygons, and check that at least one polygon touches each split."""
    for note in merge_notes(record.scene.label_notes for _, record in converted):
        logger.warning("%s", note)
    for split in dict.fromkeys(conversion.draft.split for conversion, _ in converted):
        members = [
            (conversion.scene, record.scene.touches)
            for conversion, record in converted
            if conversion.draft.split == split and conversion.scene.label is not None
        ]
        missed = find_missed_split(split, members, dataset.encoding)
        if missed is not None:
            raise DataError(*missed)


def _merge_statistics(records: Iterable[ConversionRecord]) -> RunningStatistics:
    """Merge the statistics of the training scenes, sorted by name so that rounding is reproducible."""
    merged = RunningStatistics()
    for record in sorted(records, key=lambda record: record.scene.name):
        if record.scene.split == "train":
            merged.merge(record.statistics)
    return merged


def _require_labelled_pixels(prepared: PreparedDataset) -> None:
    """Check that the training and validation scenes have labeled pixels."""
    for split, adjective in (("train", "training"), ("val", "validation")):
        members = [scene for scene in prepared.all_scenes if scene.split == split]
        if members and not any(sum(scene.class_pixels) for scene in members):
            hint = "check data.legend, data.values and data.ignore"
            raise DataError(f"no pixel of the {adjective} scenes is labeled", hint)


def _report_labels(prepared: PreparedDataset) -> None:
    """Warn about classes without labeled pixels in the training or validation split, and about undeclared 255 values."""
    consequences = {
        "train": "the network cannot learn them",
        "val": "they have no score and are excluded from all means",
    }
    for split, consequence in consequences.items():
        if any(scene.split == split and scene.labelled for scene in prepared.all_scenes):
            counts = prepared.class_pixels(split).tolist()
            for note in describe_unlabeled_classes(counts, prepared.legend.names, f"the split {split!r}"):
                logger.warning("%s: %s", note, consequence)
    if note := describe_assumed(sum(scene.assumed_pixels for scene in prepared.all_scenes)):
        logger.warning("%s", note)


def _common_gsd(scenes: Sequence[PreparedScene]) -> float | None:
    """Return the median GSD of the scenes, which must all have similar GSDs."""
    gsds = {scene.gsd: scene.name for scene in scenes if scene.gsd is not None}
    if not gsds:
        return None
    smallest, largest = min(gsds), max(gsds)
    if not is_same_gsd(largest, smallest):
        raise DataError(
            f"the pixel size is {smallest:.3g} m in {gsds[smallest]} and {largest:.3g} m in {gsds[largest]}",
            f"resample all scenes to a common pixel size: --set data.gsd={largest:.2g}",
        )
    return python_statistics.median(gsds)


def _remove_other_scenes(folder: Path, stems: set[str]) -> None:
    """Delete the files of scenes that are no longer in the dataset."""
    for name, suffix in FOLDER_SUFFIXES.items():
        for path in (folder / name).glob(f"*{suffix}"):
            if path.stem not in stems:
                remove_files(path)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name) or "data"
