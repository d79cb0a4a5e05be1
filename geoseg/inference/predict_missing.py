"""Predict the missing rows of a mask on one or more devices; the part of ``predict`` that needs the network."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from geoseg._memory import physical_memory
from geoseg.errors import ConfigError, SceneError
from geoseg.inference.parallel import predict_parts, split_rows
from geoseg.inference.predictor import Predictor
from geoseg.inference.predictor_cache import PredictorCache, list_devices
from geoseg.inference.task import PredictionTask
from geoseg.inference.tile_pipeline import TileCounter, TileRunner
from geoseg.progress import Progress
from geoseg.raster.writers.base import RasterWriter

if TYPE_CHECKING:
    from geoseg.inference.dask_cluster import DaskCluster


def predict_missing(
    writer: RasterWriter, task: PredictionTask, cache: PredictorCache, cluster: "DaskCluster | None", progress: Progress
) -> tuple[TileCounter, str]:
    """Predict the missing rows and write them to an open writer.

    Args:
        writer: The open writer.
        task: The prediction task.
        cache: The model.
        cluster: Dask cluster to distribute the work to; None to use the devices of this machine.
        progress: Reports the number of finished tiles.

    Returns:
        The tile counter, and a description of the devices.

    Raises:
        ConfigError: If a device is not available, or a cluster is used with in-memory output.
        BundleError: If the model cannot be loaded.
        SceneError: If the scene is so wide that one row of tiles does not fit into memory.
    """
    devices = list_devices(task.options.device)
    workers = len(devices) if cluster is None else cluster.workers
    parts = split_rows(writer.missing, workers, tile=task.plan.scene_tile[0])
    tiles = sum(task.strategy.part(rows).tiles for rows in parts)
    with progress(tiles, f"predicting {task.scene.name}") as progress_task:
        counter = TileCounter(progress_task)
        if cluster is not None:
            if writer.partial is None:
                raise ConfigError("a cluster can only write to files", "specify an output file for the mask")
            return counter, cluster.predict(task, writer.partial, parts, counter)
        options, pixels = task.options, task.input_pixels
        predictors = [cache.get(device, options.precision, options.engine, pixels=pixels) for device in devices]
        require_memory(task, predictors)
        choose = partial(cache.batch_size, options.batch, predictors[0], task.plan.tile)
        batch = choose() if writer.partial is None else writer.partial.shared_value("batch", choose)
        predict_parts(task.strategy, parts, writer, [TileRunner(each, batch, counter) for each in predictors])
    return counter, "; ".join(predictor.description for predictor in predictors)


def require_memory(task: PredictionTask, predictors: Sequence[Predictor]) -> None:
    """Raise :class:`SceneError` if a row of tiles per CPU predictor needs more memory than this machine has."""
    on_cpu = sum(predictor.device.type == "cpu" for predictor in predictors)
    needed, available = on_cpu * task.strategy.held_bytes, physical_memory()
    if needed > available:
        raise SceneError(
            f"a row of tiles of {task.scene.path}, {task.grid.width:,} pixels wide, needs {needed / 1e9:,.1f} GB of "
            f"memory; this machine has {available / 1e9:,.1f} GB",
            "predict parts of the scene with --bbox, or use a smaller --tile",
        )
