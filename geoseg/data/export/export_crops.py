"""``tile``: scenes cut into crops on disk, as georeferenced GeoTIFF or as the published converters lay them out.

The published layout is ``img_dir/SPLIT/NAME.png`` and ``ann_dir/SPLIT/NAME.png``, with names that say where a crop was
cut and labels as OpenMMLab's configurations of each benchmark expect them. It needs prepared scenes of that benchmark.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoseg._files import output_errors, part_path
from geoseg.data.export.crop_sources import CutScene, OpenScene, Piece, find_scenes
from geoseg.errors import DataError, OutputError
from geoseg.grid.grid import Grid
from geoseg.grid.patches import Rule, cuts
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene
from geoseg.raster.writers.crop_files import write_geotiff, write_plain_png

Layout = Literal["geotiff", "published"]

SUMMARY = "crops.json"
"""Stands in every folder of crops; a folder without it is not ours to replace."""


@dataclass(frozen=True)
class Published:
    """How a benchmark's converter cuts and names."""

    rule: Rule | None
    """None: images are not cut."""
    name: Callable[[str, Window], str]
    """Name of an image file, from the scene's name and the window."""
    label_name: Callable[[str], str]
    """Name of its label, from the image's."""
    first_class: int
    """What the label files call class 0. Where it is 1, unlabelled pixels are 0, else 255."""


def _by_corners(scene: str, window: Window) -> str:
    return f"{scene}_{window.col}_{window.row}_{window.col_stop}_{window.row_stop}.png"


def _by_rows(scene: str, window: Window) -> str:
    return f"{scene}_{window.row}_{window.row_stop}_{window.col}_{window.col_stop}.png"


PUBLISHED = {
    "potsdam": Published("isprs", _by_corners, str, 1),
    "vaihingen": Published("isprs", _by_corners, str, 1),
    "isaid": Published("isaid", _by_rows, lambda name: f"{Path(name).stem}_instance_color_RGB.png", 0),
    "loveda": Published(None, lambda scene, _: f"{scene.rpartition('/')[2]}.png", str, 1),
}


@dataclass(frozen=True)
class Tiled:
    """What was cut."""

    path: Path
    """The folder."""
    crops: dict[str, int]
    """Number of crops by split (``""`` for scenes without one)."""
    skipped: int
    """Windows without a single valid pixel, left out."""


def tile(
    scenes: Sequence[str | Path],
    output: str | Path,
    *,
    size: int | None = None,
    stride: int | None = None,
    rule: Rule = "plain",
    layout: Layout = "geotiff",
    labels: str | Path | None = None,
    keep_empty: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Tiled:
    """Cuts scenes into crops of ``size`` pixels every ``stride`` pixels, by a rule of :mod:`geoseg.grid.patches`.

    ``scenes`` are raster files, folders of them, or a prepared folder, whose masks are cut along; ``labels`` is a folder
    of label rasters named as the scenes. Crops reach beyond scenes that are smaller than them, and hold nothing there.
    Windows that hold nothing at all are left out unless ``keep_empty``. The ``published`` layout takes rule and size
    from the benchmark. The folder appears whole or not at all. :class:`OutputError`, :class:`DataError` in one sentence.
    """
    output = Path(output)
    found = find_scenes(scenes, labels)
    cut = _Cutter(part_path(output), rule, size, stride, _published(found) if layout == "published" else None)
    _require_free(output, overwrite=overwrite)
    try:
        with output_errors(output):
            shutil.rmtree(cut.folder, ignore_errors=True)
            cut.folder.mkdir(parents=True)
        with progress(len(found), "cutting scenes") as task:
            for scene in found:
                cut.scene(scene, keep_empty=keep_empty)
                task.advance(note=scene.name)
        with output_errors(output):
            (cut.folder / SUMMARY).write_text(cut.summary(), "utf-8")
            shutil.rmtree(output, ignore_errors=True)
            cut.folder.replace(output)
    finally:
        shutil.rmtree(cut.folder, ignore_errors=True)
    return Tiled(output, dict(cut.crops), cut.skipped)


def count(
    scenes: Sequence[str | Path], *, size: int | None = None, stride: int | None = None, rule: Rule = "plain",
    layout: Layout = "geotiff",
) -> dict[str, int]:  # fmt: skip
    """How many crops :func:`tile` would cut, by split, from headers alone; those that hold nothing count too."""
    found = find_scenes(scenes)
    cut = _Cutter(Path(), rule, size, stride, _published(found) if layout == "published" else None)
    counts: Counter[str] = Counter()
    for scene in found:
        with Scene.open(scene.image) as image:
            counts[scene.split] += sum(1 for _ in cut.windows(image.grid))
    return dict(counts)


@dataclass
class _Cutter:
    """Cuts scenes into a folder."""

    folder: Path
    rule: Rule
    size: int | None
    stride: int | None
    published: Published | None
    crops: Counter[str] = field(default_factory=Counter)
    skipped: int = 0

    def summary(self) -> str:
        """What was done, as JSON."""
        done = {
            "crops": self.crops,
            "skipped": self.skipped,
            "rule": self.rule,
            "size": self.size,
            "stride": self.stride,
        }
        return json.dumps(done if self.published is None else {"crops": self.crops, "layout": "published"}, indent=1)

    def windows(self, grid: Grid) -> Iterator[Window]:
        """The windows of a scene on a grid."""
        if self.published is None:
            yield from cuts(grid.height, grid.width, self.rule, size=self.size, stride=self.stride)
        elif self.published.rule is None:
            yield grid.window
        else:
            yield from cuts(grid.height, grid.width, self.published.rule)

    def scene(self, scene: CutScene, *, keep_empty: bool) -> None:
        """Cuts one scene."""
        with OpenScene(scene) as opened:
            for window in self.windows(opened.grid):
                piece = opened.cut(window)
                if self.published is not None:
                    _write_published(self.folder, scene, window, piece, self.published)
                elif keep_empty or piece.valid.any():
                    _write_geotiff(self.folder / scene.split, scene, opened, window, piece)
                else:
                    self.skipped += 1
                    continue
                self.crops[scene.split] += 1


def _published(scenes: Sequence[CutScene]) -> Published:
    kinds = {scene.dataset for scene in scenes}
    if len(kinds) != 1 or not kinds <= set(PUBLISHED):
        raise DataError(
            "the published layout is that of one benchmark, and these scenes are not prepared from one",
            f"give the folder that geoseg prepare made of {', '.join(PUBLISHED)}",
        )
    return PUBLISHED[kinds.pop()]


def _require_free(output: Path, *, overwrite: bool) -> None:
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / SUMMARY).is_file():
        raise OutputError(f"{output} holds other files", "name a new folder for the crops")
    if not overwrite:
        raise OutputError(f"{output} exists already", "give another name, or --overwrite to replace it")


def _write_geotiff(folder: Path, scene: CutScene, opened: OpenScene, window: Window, piece: Piece) -> None:
    name = f"{scene.stem}_{window.row}_{window.col}.tif"
    grid, image = opened.grid.crop(window), opened.image
    images = folder if piece.target is None and not scene.split else folder / "images"
    _made(images)
    write_geotiff(images / name, piece.values, grid, bands=image.bands, valid=piece.valid, nodata=image.nodata)
    if piece.target is not None:
        _made(folder / "masks")
        write_geotiff(folder / "masks" / name, piece.target[None], grid, nodata=IGNORE_INDEX)


def _write_published(folder: Path, scene: CutScene, window: Window, piece: Piece, publish: Published) -> None:
    name = publish.name(scene.name, window)
    _made(folder / "img_dir" / scene.split)
    write_plain_png(folder / "img_dir" / scene.split / name, piece.values)
    if piece.target is not None:
        _made(folder / "ann_dir" / scene.split)
        written = _as_published(piece.target, publish.first_class)
        write_plain_png(folder / "ann_dir" / scene.split / publish.label_name(name), written[None])


def _as_published(target: NDArray[np.uint8], first_class: int) -> NDArray[np.uint8]:
    """Class indices as a label file's numbers. Adding 1 turns 255 into 0, which is what these files mean by it."""
    written: NDArray[np.uint8] = target + np.uint8(first_class)
    return written


def _made(folder: Path) -> None:
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
