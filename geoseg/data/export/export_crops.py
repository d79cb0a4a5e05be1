"""Export crops of scenes to disk, for the ``tile`` command."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from geoseg._output_files import output_errors, temporary_path
from geoseg.data.export.crop_sources import CropSource, CropSourceReader, WindowPixels, find_crop_sources
from geoseg.data.export.openmmlab_layout import OpenmmlabLayout, select_layout
from geoseg.errors import OutputError
from geoseg.grid.grid import Grid
from geoseg.grid.patch_positions import PatchRule, patch_windows
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene
from geoseg.raster.writers.crop_files import write_crop_geotiff
from geoseg.registry import current_name

Layout = Literal["geotiff", "openmmlab"]

DEPRECATED_LAYOUT = "published"
"""Old name of ``openmmlab``, accepted for one release; it is still used in the summary file."""

SUMMARY_NAME = "crops.json"
"""Summary file in every folder of crops; a folder without it is not replaced."""


@dataclass(frozen=True)
class TileResult:
    """The crops that were written."""

    path: Path
    """Folder that contains the crops."""
    crops: dict[str, int]
    """Number of crops by split (``""`` for scenes without one)."""
    skipped: int
    """Number of windows that were skipped because they have no valid pixels."""


def tile(
    scenes: Sequence[str | Path],
    output: str | Path,
    *,
    size: int | None = None,
    stride: int | None = None,
    rule: PatchRule = "plain",
    layout: Layout = "geotiff",
    labels: str | Path | None = None,
    keep_empty: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> TileResult:
    """Cut scenes into square crops on disk.

    If a scene is smaller than a crop, the crop extends beyond it and has no data there. The output folder appears
    only once it is complete.

    Args:
        scenes: Raster files, folders of raster files, or a prepared folder, whose masks are also cut.
        output: Folder to write.
        size: Side length of a crop in pixels; by default, that of the rule.
        stride: Distance between crops in pixels; by default, that of the rule.
        rule: Rule that places the windows; see :mod:`geoseg.grid.patch_positions`.
        layout: ``geotiff`` writes georeferenced files; ``openmmlab`` writes the same files and windows as the converter
            of a benchmark, from a prepared folder of that benchmark.
        labels: Folder of label rasters with the same names as the scenes.
        keep_empty: Also write windows without valid pixels.
        overwrite: Replace an existing folder of crops.
        progress: Progress bar; by default, none.

    Returns:
        The folder and the number of crops.

    Raises:
        ConfigError: If the size, stride or rule is invalid.
        DataError: If there are no scenes, or a label is missing or does not match.
        SceneError: If a scene cannot be read.
        OutputError: If the folder cannot be written, already exists, or contains other files.
    """
    output = Path(output)
    sources = find_crop_sources(scenes, labels)
    exporter = _CropExporter(temporary_path(output), rule, size, stride, _resolve_layout(layout, sources))
    _require_replaceable(output, overwrite=overwrite)
    crops: Counter[str] = Counter()
    skipped = 0
    try:
        with output_errors(output):
            shutil.rmtree(exporter.folder, ignore_errors=True)
            exporter.folder.mkdir(parents=True)
        with progress(len(sources), "cutting scenes") as task:
            for source in sources:
                written, empty = exporter.export(source, keep_empty=keep_empty)
                if written:
                    crops[source.split] += written
                skipped += empty
                task.advance(note=source.name)
        with output_errors(output):
            summary = exporter.summary(crops, skipped)
            (exporter.folder / SUMMARY_NAME).write_text(json.dumps(summary, indent=1), "utf-8")
            shutil.rmtree(output, ignore_errors=True)
            exporter.folder.replace(output)
    finally:
        shutil.rmtree(exporter.folder, ignore_errors=True)
    return TileResult(output, dict(crops), skipped)


def count_crops(
    scenes: Sequence[str | Path],
    *,
    size: int | None = None,
    stride: int | None = None,
    rule: PatchRule = "plain",
    layout: Layout = "geotiff",
) -> dict[str, int]:
    """Count the crops that :func:`tile` would write with ``keep_empty=True``, reading only the image headers.

    Args:
        scenes: See :func:`tile`.
        size: See :func:`tile`.
        stride: See :func:`tile`.
        rule: See :func:`tile`.
        layout: See :func:`tile`.

    Returns:
        The number of crops by split.
    """
    sources = find_crop_sources(scenes)
    exporter = _CropExporter(Path(), rule, size, stride, _resolve_layout(layout, sources))
    counts: Counter[str] = Counter()
    for source in sources:
        with Scene.open(source.image) as image:
            counts[source.split] += sum(1 for _ in exporter.windows(image.grid))
    return dict(counts)


def _resolve_layout(layout: str, sources: Sequence[CropSource]) -> OpenmmlabLayout | None:
    """Return the layout of the benchmark that the sources belong to; None for GeoTIFF."""
    layout = current_name("layout", layout, {DEPRECATED_LAYOUT: "openmmlab"})
    return None if layout == "geotiff" else select_layout(sources)


@dataclass(frozen=True)
class _CropExporter:
    """Writes the crops of scenes to a folder."""

    folder: Path
    rule: PatchRule
    size: int | None
    stride: int | None
    layout: OpenmmlabLayout | None

    def windows(self, grid: Grid) -> Iterator[Window]:
        """Return the windows of a scene."""
        if self.layout is not None:
            return self.layout.windows(grid)
        return patch_windows(grid.height, grid.width, self.rule, size=self.size, stride=self.stride)

    def export(self, source: CropSource, *, keep_empty: bool) -> tuple[int, int]:
        """Write the crops of one scene, and return the numbers of written and skipped windows."""
        written = skipped = 0
        with CropSourceReader(source) as reader:
            for window in self.windows(reader.grid):
                pixels = reader.read(window)
                if self.layout is not None:
                    self.layout.write(self.folder, source, window, pixels)
                elif keep_empty or pixels.valid.any():
                    self._write_geotiff(source, reader, window, pixels)
                else:
                    skipped += 1
                    continue
                written += 1
        return written, skipped

    def _write_geotiff(
        self, source: CropSource, reader: CropSourceReader, window: Window, pixels: WindowPixels
    ) -> None:
        folder, name = self.folder / source.split, f"{source.stem}_{window.row}_{window.col}.tif"
        grid, image = reader.grid.crop(window), reader.image
        images = folder if pixels.target is None and not source.split else folder / "images"
        with output_errors(images):
            images.mkdir(parents=True, exist_ok=True)
        write_crop_geotiff(
            images / name, pixels.values, grid, bands=image.bands, valid=pixels.valid, nodata=image.nodata
        )
        if pixels.target is not None:
            masks = folder / "masks"
            with output_errors(masks):
                masks.mkdir(parents=True, exist_ok=True)
            write_crop_geotiff(masks / name, pixels.target[None], grid, nodata=IGNORE_INDEX)

    def summary(self, crops: Counter[str], skipped: int) -> dict[str, object]:
        """Return the content of the summary file."""
        if self.layout is not None:
            return {"crops": crops, "layout": DEPRECATED_LAYOUT}
        return {"crops": crops, "skipped": skipped, "rule": self.rule, "size": self.size, "stride": self.stride}


def _require_replaceable(output: Path, *, overwrite: bool) -> None:
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / SUMMARY_NAME).is_file():
        raise OutputError(f"{output} contains other files", "use a new folder for the crops")
    if not overwrite:
        raise OutputError(f"{output} exists already", "choose a different name, or use --overwrite to replace it")
