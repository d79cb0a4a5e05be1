"""From a scene and a model to a mask: read ahead, predict, blend, write.

Tiles flow through row by row; at no time is there more in memory than the tiles being read (a few batches) and one row
of tiles of probabilities, whatever the scene's height. The mask lies on the scene's grid, whatever the model's GSD, and
covers all of it or an area of it (inference/area.py); pixels that are not valid in the scene are 255 in the mask; and a
prediction that fails leaves no file behind.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import geoseg
from geoseg.bundle import Bundle, digest, read_card
from geoseg.errors import ConfigError, OutputError
from geoseg.grid.grid import Bounds
from geoseg.inference.area import Area, area_of
from geoseg.inference.blend import Piece
from geoseg.inference.method import Method, check_method, make_method
from geoseg.inference.plan import Plan, make_plan
from geoseg.inference.predictor import MEMORY_HINT, Predictor
from geoseg.models.device import explained_memory
from geoseg.models.precision import Precision
from geoseg.progress import Progress, Task, silent
from geoseg.raster.description import gcps_in
from geoseg.raster.scene import Scene
from geoseg.raster.sinks.base import Sink, writing
from geoseg.raster.sinks.geotiff import GeoTiffSink

log = logging.getLogger(__name__)

DATETIME_TAG = "TIFFTAG_DATETIME"
"""When the scene was taken (or made): the one tag of a scene that is also true of its mask."""


@dataclass(frozen=True)
class Prediction:
    """What came of a prediction."""

    path: Path | None
    """The mask; None if it went into a sink of the caller's."""
    shape: tuple[int, int]
    """Height and width of the mask: those of the scene, or of the area."""
    tiles: int
    """Number of tiles."""
    skipped: int
    """How many of them the network did not see, because nothing in them is valid or wanted."""
    seconds: float
    """Wall time of everything, loading the model included."""
    device: str
    """Where the network ran, and in which precision."""
    notes: tuple[str, ...]
    """What the user should know about this scene with this model, one sentence each."""


def predict(
    scene: str | Path | Scene,
    output: str | Path | Sink,
    *,
    model: str | Path | Bundle,
    tile: int | None = None,
    halo: int | None = None,
    batch: int = 4,
    blend: str = "weighted",
    mode: str = "blended",
    stride: int | None = None,
    tta: str = "none",
    bands: str | Iterable[str] | None = None,
    any_dtype: bool = False,
    gsd: float | None = None,
    bbox: Bounds | None = None,
    bbox_crs: str | None = None,
    aoi: str | Path | None = None,
    device: str = "auto",
    precision: Precision = "float32",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Prediction:
    """Predict the class of every valid pixel of a scene, into a GeoTIFF (a path) or any sink.

    ``tile`` and ``halo`` are pixels at the model's GSD, ``batch`` tiles per forward pass, ``bands`` the scene's bands
    in the model's order (names, or numbers from 1), ``blend`` how overlapping tiles are joined (inference/blend.py),
    ``gsd`` metres per pixel of a scene without CRS. ``bbox`` (west, south, east, north, in the scene's CRS or
    ``bbox_crs``) and the polygons in a vector file ``aoi`` limit the mask to a window, and to the pixels inside.
    ``mode="slide"`` is mmsegmentation's slide inference: windows of ``tile`` every ``stride`` pixels (two thirds of a tile
    if None), logits averaged. ``tta`` averages probabilities over variants: "flip", "d4" or "ms+flip"; in blended mode
    those of each tile, in slide mode those of the whole scene, as mmsegmentation does (inference/sliding.py).
    What cannot work is refused before the network is loaded: :class:`SceneError`, :class:`BundleError`,
    :class:`OutputError`, :class:`ConfigError`. Whatever happens later (Ctrl-C, too), no mask is left half written.
    """
    begun = time.perf_counter()
    if batch < 1:
        raise ConfigError(f"a batch of {batch} tiles makes no progress", "take --batch 1 or more")
    check_method(mode, blend=blend, halo=halo, stride=stride, tta=tta)
    with _opened(scene) as source:
        card = model.card if isinstance(model, Bundle) else read_card(model)
        chosen = bands if bands is None or isinstance(bands, str) else tuple(bands)
        area = area_of(source.grid, bbox=bbox, bbox_crs=bbox_crs, aoi=aoi)
        plan = make_plan(source, card, tile=tile, halo=halo, bands=chosen, any_dtype=any_dtype, gsd=gsd)
        method = make_method(source, plan, area, card, mode=mode, blend=blend, stride=stride, tta=tta)
        notes = (*source.notes, *plan.notes)
        tags = {**method.tags, "GEOSEG_TTA": "" if tta == "none" else tta}
        sink = _sink(output, source, area, _tags(source, model, plan, tags), overwrite=overwrite)
        for note in notes:
            log.info("%s: %s", source.path, note)
        bundle = model if isinstance(model, Bundle) else Bundle.load(model)
        with explained_memory(MEMORY_HINT):
            predictor = Predictor(bundle, device, precision)
            with writing(sink, source.grid.crop(area.window), card.legend):
                counts = _run(method, predictor, sink, batch=batch, progress=progress, name=source.name)
    return Prediction(
        path=Path(output) if isinstance(output, str | os.PathLike) else None,
        shape=area.window.shape,
        tiles=counts.tiles,
        skipped=counts.skipped,
        seconds=time.perf_counter() - begun,
        device=f"{predictor.device}, {predictor.precision}",
        notes=notes,
    )


@dataclass
class _Counts:
    """Tiles that have passed."""

    tiles: int = 0
    skipped: int = 0


def _run(method: Method, predictor: Predictor, sink: Sink, *, batch: int, progress: Progress, name: str) -> _Counts:
    """The flow itself: tiles to rasters, to probabilities, to strips of the mask, into the sink."""
    counts = _Counts()
    with progress(method.tiles, f"predicting {name}") as task:
        counted = partial(_counted, counts=counts, task=task)
        with contextlib.closing(method.strips(predictor, counted, batch=batch)) as strips:
            for window, class_index in strips:
                sink.write(window, class_index)
    return counts


def _counted(pieces: Iterable[Piece], counts: _Counts, task: Task) -> Iterator[Piece]:
    for piece in pieces:
        counts.tiles += 1
        counts.skipped += piece.probabilities is None
        task.advance()
        yield piece


def _opened(scene: str | Path | Scene) -> contextlib.AbstractContextManager[Scene]:
    """A scene that is closed at the end if it was opened here."""
    return contextlib.nullcontext(scene) if isinstance(scene, Scene) else Scene.open(scene)


def _sink(output: str | Path | Sink, scene: Scene, area: Area, tags: dict[str, str], *, overwrite: bool) -> Sink:
    if not isinstance(output, str | os.PathLike):
        return output
    if Path(output).exists() and Path(scene.path).exists() and Path(output).samefile(scene.path):
        raise OutputError(f"the mask would replace the scene {scene.path}", "give the mask a name of its own")
    return GeoTiffSink(output, overwrite=overwrite, tags=tags, gcps=gcps_in(scene.gcps, area.window))


def _tags(scene: Scene, model: str | Path | Bundle, plan: Plan, method: dict[str, str]) -> dict[str, str]:
    """Where the mask comes from; what is unknown is left out."""
    source = model.source if isinstance(model, Bundle) else str(model)
    tags = {
        "GEOSEG_MODEL": Path(source).name,
        "GEOSEG_MODEL_DIGEST": digest(source) if source and Path(source).is_file() else "",
        "GEOSEG_VERSION": geoseg.__version__,
        "GEOSEG_SOURCE": Path(scene.path).name,
        "GEOSEG_TILE": str(plan.tile),
        **method,
        "GEOSEG_GSD": "" if plan.gsd is None else f"{plan.gsd:.6g}",
        DATETIME_TAG: scene.tags.get(DATETIME_TAG, ""),
    }
    return {key: value for key, value in tags.items() if value}
