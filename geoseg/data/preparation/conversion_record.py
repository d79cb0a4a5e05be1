"""Records of converted scenes: one JSON file per scene, written after its other files.

A scene that has a record is complete. An interrupted run continues with the scenes that have no record.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from geoseg._output_files import atomic_path, output_errors
from geoseg.data.dataset import LabelledScene
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.raster.archive import fingerprint
from geoseg.raster.statistics import RunningStatistics

Fingerprints = tuple[tuple[str, int, int], ...]
"""State of each source file of a scene, as returned by :func:`geoseg.raster.archive.fingerprint`."""


@dataclass(frozen=True)
class ConversionRecord:
    """The result of converting one scene."""

    scene: PreparedScene
    """The converted scene, including its size and counts."""
    declaration_digest: str
    """Digest of the recipe's data section and of the settings derived from the first scene."""
    sources: Fingerprints
    """State of the image and label files when they were read."""
    statistics: RunningStatistics
    """Statistics of the valid pixels in the image."""
    seconds: dict[str, float]
    """Time spent reading and decoding, time spent encoding and writing, and total time."""

    @staticmethod
    def path(scene: PreparedScene) -> Path:
        """Return the path of a scene's record."""
        return scene.folder / "records" / f"{scene.stem}.json"

    def save(self) -> None:
        """Write the record to the prepared folder atomically."""
        content = {
            "scene": self.scene.to_dict(),
            "declared": self.declaration_digest,
            "sources": self.sources,
            "statistics": self.statistics.to_json(),
            "seconds": self.seconds,
        }
        path = self.path(self.scene)
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as part:
                part.write_text(json.dumps(content), "utf-8")


def load_record(
    scene: LabelledScene, draft: PreparedScene, declaration_digests: Collection[str]
) -> ConversionRecord | None:
    """Read the record of a scene if it is up to date.

    Args:
        scene: The scene to convert.
        draft: The prepared scene before its conversion: folder, file name and split.
        declaration_digests: Digests of the current declaration; see :attr:`SceneConversion.older_digest`.

    Returns:
        The record; None if there is none, if it belongs to different source files, a different split or a different
        declaration, or if a prepared file is missing.
    """
    try:
        content = json.loads(ConversionRecord.path(draft).read_text("utf-8"))
        prepared = PreparedScene.from_dict(content["scene"], draft.folder)
        sources = tuple((name, size, date) for name, size, date in content["sources"])
        statistics = RunningStatistics.from_json(content["statistics"])
        record = ConversionRecord(prepared, content["declared"], sources, statistics, dict(content["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_current = (sources, prepared.split) == (fingerprint_sources(scene), draft.split)
    is_current = is_current and record.declaration_digest in declaration_digests
    return record if is_current and prepared.is_complete else None


def fingerprint_sources(scene: LabelledScene) -> Fingerprints:
    """Return the state of a scene's image and label files, or of its source."""
    if scene.source is not None:
        return (scene.source.fingerprint(),)
    return tuple(fingerprint(path) for path in (scene.image, scene.label) if path is not None)
