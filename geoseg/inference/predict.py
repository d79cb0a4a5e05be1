"""From a scene and a model to a mask: read ahead, predict, blend, write.

Tiles flow through row by row; at no time is there more in memory than the tiles being read (a few batches), one row of
tiles of probabilities and the rows of the mask that are not written yet, whatever the scene's height. The mask lies on
the scene's grid, whatever the model's GSD, and covers all of it or an area of it (inference/area.py); pixels that are
not valid in the scene are 255 in the mask. The output's name only ever holds a complete file; what is done of one that
was interrupted waits beside it (raster/slabs.py) for ``resume``.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geoseg._files import check_writable, require_distinct
from geoseg.bundle import Bundle, read_card
from geoseg.errors import ConfigError, OutputError
from geoseg.grid.window import Window
from geoseg.inference.estimate import Forecast, forecast
from geoseg.inference.options import Options
from geoseg.inference.parallel import Counts, divided, predict_parts
from geoseg.inference.predictor import MEMORY_HINT, Predictor
from geoseg.inference.predictor_cache import Predictors
from geoseg.inference.preview import write_preview
from geoseg.inference.task import Job, make_job
from geoseg.models.device import explained_memory
from geoseg.progress import Progress, silent
from geoseg.raster.damage_tolerant import TolerantScene
from geoseg.raster.metadata import gcps_in
from geoseg.raster.scene import Scene
from geoseg.raster.writers.base import Sink, writing
from geoseg.raster.writers.cog import GeoTiffSink
from geoseg.raster.writers.partial import Slabs

if TYPE_CHECKING:
    from geoseg.inference.dask_cluster import Cluster

log = logging.getLogger(__name__)

Model = str | Path | Bundle | Predictors
"""A model: its file, loaded, or with its engines ready for many scenes."""


@dataclass(frozen=True)
class Prediction:
    """What came of a prediction."""

    path: Path | None
    """The mask; None if it went into a sink of the caller's."""
    shape: tuple[int, int]
    """Height and width of the mask: those of the scene, or of the area."""
    tiles: int
    """Number of tiles that were predicted, those in parts that were there before left out."""
    skipped: int
    """How many of them the network did not see, because nothing in them is valid or wanted."""
    seconds: float
    """Wall time of everything, loading the model included."""
    device: str
    """Where the network ran, by what, and in which precision."""
    notes: tuple[str, ...]
    """What the user should know about this scene with this model, one sentence each."""
    edges: tuple[list[int], list[int]]
    """Rows and columns of the mask at which its tiles meet, to look for seams there."""


def predict(
    scene: str | Path | Scene,
    output: str | Path | Sink,
    *,
    model: Model,
    shares: Mapping[str, str | Path] | None = None,
    preview: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    cluster: "Cluster | None" = None,
    progress: Progress = silent,
    **options: Any,
) -> Prediction:
    """Predict the class of every valid pixel of a scene, into a GeoTIFF (a path) or any sink.

    ``shares`` are further files by what they tell (raster/product.py), ``{"probabilities": "p.tif"}``, and ``preview`` is a
    PNG of scene and mask. ``options`` are the fields of :class:`~geoseg.inference.options.Options`. ``resume`` goes on with
    what an interrupted prediction of the same settings left; the result is that of an undisturbed one, byte for byte.
    ``cluster`` has the work done by Dask's workers (:func:`~geoseg.inference.dask_cluster.open_cluster`).
    What cannot work is refused before the network is loaded: :class:`SceneError`, :class:`BundleError`,
    :class:`OutputError`, :class:`ConfigError`. Whatever happens later (Ctrl-C, too), no mask is left half written.
    """
    begun = time.perf_counter()
    with opened_job(scene, model, Options.of(**options)) as job:
        _require_apart(job.scene, [output, *(shares or {}).values(), *([] if preview is None else [preview])])
        if preview is not None:
            check_writable(preview, overwrite)
        sink = _sink(output, job, shares, overwrite=overwrite, resume=resume)
        for note in job.notes:
            log.info("%s: %s", job.scene.path, note)
        with explained_memory(MEMORY_HINT), writing(sink, job.grid, job.card.legend):
            counts, device = _run(job, model, sink, cluster, progress)
        if preview is not None and isinstance(output, str | os.PathLike):
            write_preview(job.scene, job.area.window, output, preview)
        damage = _damage_notes(job.scene)
    return Prediction(
        path=Path(output) if isinstance(output, str | os.PathLike) else None,
        shape=job.grid.shape,
        tiles=counts.tiles,
        skipped=counts.skipped,
        seconds=time.perf_counter() - begun,
        device=device,
        notes=(*job.notes, *damage),
        edges=job.method.edges,
    )


def predict_plan(scene: str | Path | Scene, *, model: Model, shares: Iterable[str] = (), **options: Any) -> Forecast:
    """What a prediction would take; nothing is predicted and nothing written. ``shares`` are names of products."""
    with opened_job(scene, model, Options.of(**options)) as job:
        ready = Predictors.of(model)
        predictor = _predictors(job, ready)[0]
        batch = ready.batch(job.options.batch, predictor, job.plan.tile)
        return forecast(job, predictor, batch=batch, products=("mask", *shares))


@contextlib.contextmanager
def opened_job(scene: str | Path | Scene, model: Model, options: Options) -> Iterator[Job]:
    """The job for a scene that is open for as long as the job is needed."""
    with _opened(scene, options) as source:
        if isinstance(model, str | os.PathLike):
            yield make_job(source, read_card(model), options, source=str(model))
        else:
            yield make_job(source, model.card, options, source=model.source)


def _run(job: Job, model: Model, sink: Sink, cluster: "Cluster | None", progress: Progress) -> tuple[Counts, str]:
    """The flow itself: tiles to rasters, to probabilities, to strips of the mask, into the sink; and where it ran."""
    hands = cluster.workers if cluster is not None else len(job.options.devices)
    parts = divided(sink.missing, hands, tile=job.plan.scene_tile)
    tiles = sum(job.method.part(rows).tiles for rows in parts)
    with progress(tiles, f"predicting {job.scene.name}") as task:
        counts = Counts(task)
        if cluster is not None:
            return counts, cluster.predict(job, _slabs(sink), parts, counts)
        ready = Predictors.of(model)
        predictors = _predictors(job, ready)
        choose = partial(ready.batch, job.options.batch, predictors[0], job.plan.tile)
        batch = sink.slabs.remember("batch", choose) if isinstance(sink, GeoTiffSink) else choose()
        predict_parts(job.method, parts, sink, predictors, counts, batch=batch)
    return counts, "; ".join(predictor.description for predictor in predictors)


def _predictors(job: Job, ready: Predictors) -> list[Predictor]:
    options = job.options
    return [ready.get(device, options.precision, options.engine, pixels=job.pixels) for device in options.devices]


def _slabs(sink: Sink) -> Slabs:
    if not isinstance(sink, GeoTiffSink):
        raise ConfigError("a cluster writes files, and nothing else", "name a file for the mask")
    return sink.slabs


@contextlib.contextmanager
def _opened(scene: str | Path | Scene, options: Options) -> Iterator[Scene]:
    """A scene that is closed at the end if it was opened here."""
    with contextlib.ExitStack() as stack:
        opened = scene if isinstance(scene, Scene) else stack.enter_context(Scene.open(scene))
        if options.on_read_error == "skip":
            opened = stack.enter_context(opened.reopened(TolerantScene))
        yield opened


def _damage_notes(scene: Scene) -> list[str]:
    if not isinstance(scene, TolerantScene) or not scene.damaged:
        return []
    return [f"{len(scene.damaged)} blocks could not be read and are nodata: {_listed(sorted(scene.damaged))}"]


def _listed(windows: list[Window], most: int = 3) -> str:
    first = "; ".join(f"rows {w.row} to {w.row_stop - 1}, columns {w.col} to {w.col_stop - 1}" for w in windows[:most])
    return first + ("; ..." if len(windows) > most else "")


def _require_apart(scene: Scene, results: Sequence[str | Path | Sink]) -> None:
    """:class:`OutputError` if a result would take the place of the scene, or of another."""
    source, paths = Path(scene.path), [Path(result) for result in results if isinstance(result, str | os.PathLike)]
    for path in paths:
        if path.exists() and source.exists() and path.samefile(source):
            raise OutputError(f"the mask would replace the scene {source}", "give the mask a name of its own")
    require_distinct(paths)


def _sink(
    output: str | Path | Sink, job: Job, shares: Mapping[str, str | Path] | None, *, overwrite: bool, resume: bool
) -> Sink:
    if not isinstance(output, str | os.PathLike):
        return output
    return GeoTiffSink(
        output,
        shares=shares,
        overwrite=overwrite,
        resume=resume,
        settings=job.settings,
        tags=job.tags,
        gcps=gcps_in(job.scene.gcps, job.area.window),
    )
