"""``predict``: from a scene and a model to a mask, in memory or in a GeoTIFF.

Tiles are processed row by row. Regardless of the height of the scene, only the tiles being read (a few batches), the
probabilities of one row of tiles, and the rows of the mask that have not been written yet are held in memory. The mask
is on the scene's grid, regardless of the model's GSD, and covers the whole scene or an area (prediction_area.py);
pixels that are not valid in the scene are 255. A file with the final name of the mask is always complete; the finished
part of an interrupted prediction is kept next to it (raster/writers/partial.py) for ``resume``.
"""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.grid.grid import Bounds
from geoseg.inference.destination import Destination
from geoseg.inference.options import (
    MEMORY_HINT,
    BlendName,
    BorderName,
    ModeName,
    OnReadError,
    PredictOptions,
    TtaName,
    WindowName,
)
from geoseg.inference.prediction import Prediction, write_preview
from geoseg.inference.predictor_cache import Model, PredictorCache
from geoseg.inference.task import SceneInput, open_task
from geoseg.models.hardware_options import EngineName, Precision
from geoseg.models.out_of_memory import explain_out_of_memory
from geoseg.progress import Progress, silent
from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene
from geoseg.raster.writers.base import RasterWriter, open_writer
from geoseg.raster.writers.memory import MemoryWriter

if TYPE_CHECKING:
    from geoseg.inference.dask_cluster import DaskCluster

log = logging.getLogger(__name__)


def predict(
    scene: SceneInput,
    output: str | Path | RasterWriter | None = None,
    *,
    model: Model,
    tile: int | None = PredictOptions.tile,
    halo: int | None = PredictOptions.halo,
    batch: int | None = PredictOptions.batch,
    blend: BlendName = PredictOptions.blend,
    window: WindowName = PredictOptions.window,
    border: BorderName = PredictOptions.border,
    mode: ModeName = PredictOptions.mode,
    stride: int | None = PredictOptions.stride,
    tta: TtaName = PredictOptions.tta,
    bands: str | Sequence[str] | None = PredictOptions.bands,
    any_dtype: bool = PredictOptions.any_dtype,
    gsd: float | None = PredictOptions.gsd,
    bbox: Bounds | None = PredictOptions.bbox,
    bbox_crs: str | None = PredictOptions.bbox_crs,
    aoi: str | Path | None = PredictOptions.aoi,
    on_read_error: OnReadError = PredictOptions.on_read_error,
    device: str = PredictOptions.device,
    precision: Precision = PredictOptions.precision,
    engine: EngineName = PredictOptions.engine,
    probabilities: str | Path | None = None,
    confidence: str | Path | None = None,
    entropy: str | Path | None = None,
    preview: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    cluster: "DaskCluster | None" = None,
    progress: Progress = silent,
) -> Prediction:
    """Predict the class of every valid pixel of a scene.

    All inputs and options are checked before the network is loaded. After an error or Ctrl-C, no incomplete mask is
    left behind; a prediction can be resumed from its finished parts.

    Args:
        scene: A file (path, URL or GDAL name), an open scene, an in-memory raster, or several files with the same CRS,
            GSD, bands and type, which are predicted as one mosaic.
        output: GeoTIFF to write, or a writer; None to keep the mask in memory (``prediction.mask``).
        model: A bundle file, a loaded bundle, or a cache of predictors.
        tile: Side length of a tile (the network's input) in pixels at the model's GSD; None for the model's default.
        halo: Context around the core of each tile in pixels at the model's GSD; None for the model's default.
        batch: Tiles per forward pass; None for 4 on CPUs, and on GPUs for the fastest number that fits in memory.
        blend: How overlapping tiles are blended: "weighted" averages them, "crop" keeps only their cores.
        window: Function by which the weights of averaged tiles decrease toward the edges of a tile.
        border: Input beyond the scene's borders: "mirror" (the mirrored scene) or "mean" (the mean of the training data).
        mode: "blended" tiles, or "slide" for mmsegmentation's sliding-window inference.
        stride: Distance between windows with mode "slide", in pixels at the model's GSD; None for 2/3 of a tile.
        tta: Test-time augmentation: "none", "flip", "d4" (eight symmetries) or "ms+flip" (six scales, each with its
            horizontal flip).
        bands: The scene's bands in the model's order, as names or 1-based numbers; None for the bands with the model's
            names.
        any_dtype: Accept a scene whose pixel type differs from that of the training data.
        gsd: Meters per pixel of a scene without a CRS.
        bbox: Restrict the mask to a window: west, south, east, north in the scene's CRS or ``bbox_crs``.
        bbox_crs: CRS of ``bbox``, for example "EPSG:4326"; None for the scene's CRS.
        aoi: Restrict the mask to the inside of the polygons of a vector file in any CRS.
        on_read_error: If the scene is damaged, "stop" with an error, or "skip" damaged blocks, which become nodata.
        device: "auto", "cpu", "cuda" or "mps"; "cuda:0,cuda:1" or "cuda:all" split the scene across GPUs.
        precision: "float32", "bfloat16", or "auto" for bfloat16 on devices with fast bfloat16 support.
        engine: Inference engine: "torch", "openvino", or "auto" for the faster one.
        probabilities: GeoTIFF for the probability of each class, one band per class.
        confidence: GeoTIFF for the probability of the predicted class.
        entropy: GeoTIFF for the entropy of the probabilities, relative to its maximum.
        preview: PNG image of the scene and its mask.
        overwrite: Replace existing files.
        resume: Continue an interrupted prediction with the same options; the result is byte-identical to that of an
            uninterrupted one.
        cluster: Dask cluster that runs the prediction (:func:`~geoseg.inference.dask_cluster.open_cluster`).
        progress: Reports the number of finished tiles.

    Returns:
        The result, with the mask and a summary.

    Raises:
        SceneError: If the scene cannot be read.
        BundleError: If the scene does not match the model, or the model cannot be read.
        OutputError: If a file already exists or cannot be written.
        ConfigError: If an option is invalid.
        LayerError: If the polygons of ``aoi`` cannot be read.

    Example:
        Predict a mask in memory and inspect its classes::

            prediction = geoseg.predict("scene.tif", model="runs/town/best.safetensors")
            prediction.mask.values, prediction.class_shares
    """
    options = PredictOptions(
        tile=tile,
        halo=halo,
        batch=batch,
        blend=blend,
        window=window,
        border=border,
        mode=mode,
        stride=stride,
        tta=tta,
        bands=bands,
        any_dtype=any_dtype,
        gsd=gsd,
        bbox=bbox,
        bbox_crs=bbox_crs,
        aoi=aoi,
        on_read_error=on_read_error,
        device=device,
        precision=precision,
        engine=engine,
    )
    shares = {"probabilities": probabilities, "confidence": confidence, "entropy": entropy}
    memory = MemoryWriter()
    target = memory if output is None else output
    destination = Destination(target, shares, preview, overwrite=overwrite, resume=resume)
    prediction = run_prediction(scene, destination, model, options, cluster=cluster, progress=progress)
    return replace(prediction, memory_mask=memory.raster) if output is None else prediction


def run_prediction(
    scene: SceneInput,
    destination: Destination,
    model: Model,
    options: PredictOptions,
    *,
    cluster: "DaskCluster | None" = None,
    progress: Progress = silent,
) -> Prediction:
    """Predict a scene as :func:`predict` does, which documents the errors, but with grouped arguments.

    Args:
        scene: The scene.
        destination: Where the results are written.
        model: The model.
        options: How the scene is predicted.
        cluster: Dask cluster that runs the prediction.
        progress: Reports the number of finished tiles.
    """
    start = time.perf_counter()
    cache = PredictorCache.of(model)
    destination.check(_list_sources(scene))
    with open_task(scene, cache, options) as task:
        writer = destination.make_writer(task)
        for note in task.notes:
            log.info("%s: %s", task.scene.path, note)
        with explain_out_of_memory(MEMORY_HINT), open_writer(writer, task.grid, task.card.legend):
            from geoseg.inference.predict_missing import predict_missing  # imports torch

            counter, device = predict_missing(writer, task, cache, cluster, progress)
        path = destination.mask_path
        if destination.preview is not None and path is not None:
            write_preview(task.scene, task.area.window, path, destination.preview)
        notes = (*task.notes, *task.damage_notes)
    return Prediction(
        path=path,
        shape=task.grid.shape,
        tiles=counter.tiles,
        skipped=counter.skipped,
        seconds=time.perf_counter() - start,
        device=device,
        notes=notes,
        edges=task.strategy.edges,
        legend=task.card.legend,
    )


def _list_sources(scene: SceneInput) -> Sequence[str]:
    """List the files that make up a scene."""
    if isinstance(scene, Raster):
        return []
    if isinstance(scene, Scene):
        return [scene.path]
    if isinstance(scene, str | os.PathLike):
        return [os.fspath(scene)]
    return [os.fspath(path) for path in scene]
