"""Plan the conversion of a dataset: one task per scene, and digests used to detect changes."""

import hashlib
import json
import logging
import re
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from geoseg.config.recipe import DataSection
from geoseg.data.dataset import Dataset
from geoseg.data.memory_scenes import materialize
from geoseg.data.preparation.conversion_record import fingerprint_sources
from geoseg.data.preparation.convert_scene import SceneConversion
from geoseg.data.preparation.open_dataset import declaration
from geoseg.data.preparation.prepared_dataset import (
    FORMAT_VERSION,
    PIXEL_RULES_VERSION,
    PreparedDataset,
    PreparedScene,
)
from geoseg.raster.scene import Scene

POLYGON_RULES_VERSION = 2
"""Version of the rules for rasterizing polygons; version 2 draws them in layer order."""

logger = logging.getLogger(__name__)


def plan_conversions(
    section: DataSection, dataset: Dataset, folder: Path, earlier: PreparedDataset | None = None
) -> list[SceneConversion]:
    """Return the conversions of all scenes of a dataset, with the bands and the pixel type of the first scene.

    Args:
        section: The data section that declares the dataset.
        dataset: The dataset.
        folder: The prepared folder.
        earlier: The existing content of the folder; None if it is not complete.
    """
    first = dataset.scenes("train")[0]
    with materialize(first) as files, Scene.open(files.image) as image:
        bands = section.bands or dataset.bands or image.bands
        dtype = image.dtype.name
        if image.palette is not None:
            logger.warning("%s contains palette indices, not colors: use gdal_translate -expand rgb", first.image)
    declared = declaration(section)
    content = [FORMAT_VERSION, declared, bands, dtype, *_polygon_rules(dataset)]
    declaration_digest = digest_json([*content, *_class_order(declared, dataset)])
    has_same_order = earlier is not None and earlier.legend.names == dataset.legend.names
    conversions: dict[str, SceneConversion] = {}
    for split, scenes in dataset.prepared_splits.items():
        for scene in scenes:
            stem = _unique_stem(f"{split}/{scene.name}", scene.name, taken=conversions)
            draft = PreparedScene(
                scene.name, split, folder, stem, 0, 0, None,
                labelled=scene.label is not None, compressed=section.compress, groups=scene.groups,
                pixel_rules=PIXEL_RULES_VERSION,
            )  # fmt: skip
            conversions[stem] = SceneConversion(
                scene=scene,
                draft=draft,
                declaration_digest=declaration_digest,
                encoding=dataset.encoding,
                class_count=len(dataset.legend),
                file_bands=dataset.bands,
                bands=tuple(bands),
                select_by_name=bool(section.bands),
                dtype=dtype,
                gsd=section.gsd,
                older_digest=digest_json(content) if has_same_order else None,
            )
    return list(conversions.values())


def _class_order(declared: Mapping[str, Any], dataset: Dataset) -> list[list[str]]:
    """Return the class names in order if the legend is a mapping, whose order :func:`digest_json` ignores."""
    return [list(dataset.legend.names)] if isinstance(declared.get("legend"), Mapping) else []


def _unique_stem(unique: str, name: str, *, taken: Container[str]) -> str:
    """Return a scene's name as a file name, with a digest appended if it is already taken."""
    stem = re.sub(r"[^\w.-]+", "_", name)
    return f"{stem}-{digest_json(unique)[:8]}" if stem in taken else stem


def digest_sources(declared: Mapping[str, Any], dataset: Dataset) -> str:
    """Return a digest of the declaration, the splits (which may come from files) and the state of every source file."""
    members = {
        split: [(scene.name, fingerprint_sources(scene)) for scene in scenes]
        for split, scenes in dataset.prepared_splits.items()
    }
    return digest_json([declared, members, *_polygon_rules(dataset)])


def _polygon_rules(dataset: Dataset) -> list[str]:
    """Return the version of the rules for reading polygons, so that scenes are prepared again if the rules change."""
    return [f"polygons {POLYGON_RULES_VERSION}"] if dataset.encoding.kind == "polygon" else []


def digest_pixels(dataset: Dataset, bands: Sequence[str], scenes: Sequence[PreparedScene]) -> str:
    """Return a digest of the classes, bands, splits and all prepared pixels."""
    content = [(scene.split, scene.name, dict(scene.digests)) for scene in scenes]
    return digest_json([dataset.legend.to_json(), list(bands), content])


def digest_json(content: Any) -> str:
    """Return the SHA-256 of a value serialized as JSON; the order of keys in mappings has no effect."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
