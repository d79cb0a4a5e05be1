"""Predict on many machines: the workers of a Dask cluster predict parts of a scene and write slabs of the mask.

All workers must be able to access the same files under the same paths (a shared folder, or URLs); only task
descriptions and counts are sent over the network. If a worker is killed, Dask assigns its part to another worker, which
writes the missing slabs. The process that called ``predict`` joins the slabs (docs/scaling.md).
"""

import contextlib
import functools
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from geoseg.errors import ConfigError, GeosegError
from geoseg.grid.window import Window
from geoseg.inference.parallel import WriteFn, predict_rows
from geoseg.inference.predict_missing import require_memory
from geoseg.inference.predictor_cache import PredictorCache, list_devices
from geoseg.inference.task import PredictionTask, make_task
from geoseg.inference.tile_pipeline import TileCounter, TileRunner
from geoseg.progress import silent
from geoseg.raster.damage_tolerant import DamageTolerantScene
from geoseg.raster.output_bands import make_output
from geoseg.raster.scene import Scene
from geoseg.raster.vrt import IN_MEMORY, write_vrt
from geoseg.raster.writers.partial import OutputPixels, PartialRasters

LOCAL_PREFIX = "local:"
"""Prefix of an address that requests worker processes on this machine."""

CONNECT_TIMEOUT_S = 10
"""Seconds to wait for a scheduler to respond."""

INSTALL_HINT = 'install it with geoseg: pip install "geoseg[dask]"'


@dataclass(frozen=True)
class DaskCluster:
    """A connected cluster; created by :func:`open_cluster`."""

    client: Any
    """Dask's client."""

    @property
    def workers(self) -> int:
        """Current number of workers, at least 1."""
        return max(len(self.client.scheduler_info(n_workers=-1)["workers"]), 1)

    def predict(
        self, task: PredictionTask, partial_rasters: PartialRasters, parts: Sequence[Window], counter: TileCounter
    ) -> str:
        """Predict parts of a mask.

        Args:
            task: The task; its model and scene must be files.
            partial_rasters: Destination of the slabs, in a folder that is visible to all workers.
            parts: Windows as wide as the mask.
            counter: Receives the number of tiles of each finished part.

        Returns:
            A description of the cluster for the user.

        Raises:
            GeosegError: If prediction fails in a worker, or workers are lost repeatedly.
        """
        from distributed import KilledWorker, as_completed

        folder = partial_rasters.folder.absolute()
        shared_task = _with_shared_paths(task, folder)
        resources = {"GPU": 1} if self._have_gpus() else None
        outputs = tuple(output.name for output in partial_rasters.outputs)
        arguments = [(shared_task, rows, folder, partial_rasters.shape, outputs) for rows in parts]
        futures = [self.client.submit(predict_part, *each, resources=resources, pure=False) for each in arguments]
        try:
            for _, (tiles, skipped, damaged) in as_completed(futures, with_results=True):
                counter.add(tiles, skipped)
                if isinstance(task.scene, DamageTolerantScene):
                    task.scene.damaged |= damaged
        except KilledWorker as error:
            raise GeosegError(
                "workers were repeatedly lost while predicting the same part of the scene",
                "check their memory: --plan shows how much a part needs; use smaller tiles (--tile) or batches (--batch)",
            ) from error
        finally:
            self.client.cancel(futures)
        return f"{self.workers} workers of {self.client.scheduler.addr}"

    def _have_gpus(self) -> bool:
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return any(worker.get("resources", {}).get("GPU") for worker in workers)


@contextlib.contextmanager
def open_cluster(address: str) -> Iterator[DaskCluster]:
    """Connect to a Dask cluster for the duration of the ``with`` block.

    Args:
        address: Address of a Dask scheduler, or ``local:N`` for N worker processes on this machine.

    Raises:
        ConfigError: If Dask is not installed, the address is invalid, or no scheduler responds.
    """
    try:
        import distributed
    except ImportError as error:
        raise ConfigError("prediction on a cluster requires Dask, which is not installed", INSTALL_HINT) from error
    with contextlib.ExitStack() as stack:
        if address.startswith(LOCAL_PREFIX):
            logging.getLogger("distributed.nanny").setLevel(logging.ERROR)  # it would log every worker that it stops
            cluster = distributed.LocalCluster(
                n_workers=_parse_count(address), threads_per_worker=1, processes=True, dashboard_address=None
            )
            address = stack.enter_context(cluster)
        try:
            client = stack.enter_context(distributed.Client(address, timeout=f"{CONNECT_TIMEOUT_S}s"))
        except (OSError, ValueError, TimeoutError) as error:
            raise ConfigError(
                f"no Dask scheduler responds at {address}: {error}", "use an address like tcp://HOST:8786, or local:4"
            ) from error
        yield DaskCluster(client)


def predict_part(
    task: PredictionTask, rows: Window, folder: Path, shape: tuple[int, int], outputs: tuple[str, ...]
) -> tuple[int, int, set[Window]]:
    """Predict the missing slabs of some rows in a worker.

    Args:
        task: The task.
        rows: A window as wide as the mask.
        folder: Folder of the slabs.
        shape: Height and width of the mask.
        outputs: Names of the outputs.

    Returns:
        The number of tiles, how many of them were not passed to the network, and the blocks that could not be read.
    """
    try:
        return _predict_missing(task, rows, folder, shape, outputs)
    except GeosegError as error:
        bare = type(error)(error.message, error.hint)
    raise bare  # without its cause: GDAL errors cannot be pickled, and Dask would send only the text of the error


def _predict_missing(
    task: PredictionTask, rows: Window, folder: Path, shape: tuple[int, int], outputs: tuple[str, ...]
) -> tuple[int, int, set[Window]]:
    partial_rasters = PartialRasters(folder, shape, [make_output(name, task.card.legend) for name in outputs])
    write = _write_unless_restarted(partial_rasters)
    with task.scene, silent(0, "") as progress_task:
        counter = TileCounter(progress_task)
        runner = _make_runner(task, partial_rasters, counter)
        require_memory(task, [runner.predictor])
        for missing in partial_rasters.missing:
            part = rows.intersection(missing)
            if not part.is_empty:
                predict_rows(task.strategy, part, write, runner, outputs)
    damaged = task.scene.damaged if isinstance(task.scene, DamageTolerantScene) else set()
    return counter.tiles, counter.skipped, damaged


def _write_unless_restarted(partial_rasters: PartialRasters) -> WriteFn:
    """Return a function that writes slabs, and fails once the prediction is restarted and this part is obsolete."""
    settings = partial_rasters.settings

    def write(window: Window, pixels: OutputPixels) -> None:
        if partial_rasters.settings != settings:
            raise GeosegError(f"the prediction in {partial_rasters.folder} has been restarted")
        partial_rasters.write(window, pixels)

    return write


def _make_runner(task: PredictionTask, partial_rasters: PartialRasters, counter: TileCounter) -> TileRunner:
    options, cache = task.options, _cache(task.source, Path(task.source).stat().st_mtime_ns)
    device = list_devices(options.device)[0]
    predictor = cache.get(device, options.precision, options.engine, pixels=task.input_pixels)
    choose = partial(cache.batch_size, options.batch, predictor, task.plan.tile)
    return TileRunner(predictor, partial_rasters.shared_value("batch", choose), counter)


@functools.lru_cache(maxsize=1)
def _cache(source: str, _modified: int) -> PredictorCache:
    """Return a cache that keeps the predictors of a model file between parts, unless the file changes."""
    return PredictorCache(source)


def _with_shared_paths(task: PredictionTask, folder: Path) -> PredictionTask:
    """Return the task with paths that are valid on all machines that share the files."""
    if not task.source:
        raise ConfigError(
            "a model that is not stored in a file cannot be sent to workers", "save it first: bundle.save(path)"
        )
    options = replace(task.options, aoi=None if task.options.aoi is None else _absolute(str(task.options.aoi)))
    with Scene.open(_on_disk(task.scene.path, folder)) as scene:
        kind = DamageTolerantScene if options.on_read_error == "skip" else Scene
        return make_task(scene.reopen(kind), task.card, options, source=_absolute(task.source))


def _on_disk(path: str, folder: Path) -> str:
    """Return the path of a scene; an in-memory mosaic is first written to the folder."""
    if path.startswith(IN_MEMORY):
        if not path.endswith(".vrt"):
            raise ConfigError("an in-memory raster cannot be sent to workers", "write it to a file first")
        return write_vrt(path, folder / "scene.vrt")
    return path if "://" in path or path.startswith("/vsi") else _absolute(path)


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100  (links are not resolved)


def _parse_count(address: str) -> int:
    count = address.removeprefix(LOCAL_PREFIX)
    if not count.isdecimal() or int(count) < 1:
        raise ConfigError(f"invalid number of workers in {address!r}", "use local:4 for four workers")
    return int(count)
