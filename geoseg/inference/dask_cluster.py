"""Many machines: parts of a scene are predicted by the workers of a Dask cluster, each writing slabs of its own.

Workers see the same files under the same paths (a shared folder, or addresses); nothing but a description of the work and
counts goes over the network. A worker that is killed costs the part it was at: Dask gives that part to another, which
writes the slabs that are missing anew. The slabs are joined where ``predict`` was called (docs/scaling.md).
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
from geoseg.inference.parallel import Counts, Write, predict_rows
from geoseg.inference.predictor import Predictor
from geoseg.inference.predictor_cache import Predictors
from geoseg.inference.task import Job, make_job
from geoseg.progress import silent
from geoseg.raster.damage_tolerant import TolerantScene
from geoseg.raster.prediction_outputs import make_product
from geoseg.raster.scene import Scene
from geoseg.raster.vrt import IN_MEMORY, copy_vrt
from geoseg.raster.writers.partial import Pixels, Slabs

LOCAL = "local:"
"""How an address begins that asks for worker processes on this machine."""

CONNECT_SECONDS = 10
"""How long a scheduler is waited for."""

HINT = 'install it with geoseg: pip install "geoseg[dask]"'


@dataclass(frozen=True)
class Cluster:
    """A cluster that is connected; made by :func:`open_cluster`."""

    client: Any
    """Dask's client."""

    @property
    def workers(self) -> int:
        """How many workers there are now, at least one."""
        return max(len(self.client.scheduler_info(n_workers=-1)["workers"]), 1)

    def predict(self, job: Job, slabs: Slabs, parts: Sequence[Window], counts: Counts) -> str:
        """Predict parts of the mask; says where. :class:`GeosegError` of a worker, or if workers are lost repeatedly."""
        from distributed import KilledWorker, as_completed

        job, here = _for_everyone(job, slabs.folder.absolute()), job
        resources = {"GPU": 1} if self._have_gpus() else None
        folder = slabs.folder.absolute()
        products = tuple(product.name for product in slabs.products)
        arguments = [(job, rows, folder, slabs.shape, products) for rows in parts]
        futures = [self.client.submit(predict_part, *each, resources=resources, pure=False) for each in arguments]
        try:
            for _, (tiles, skipped, damaged) in as_completed(futures, with_results=True):
                counts.add(tiles, skipped)
                if isinstance(here.scene, TolerantScene):
                    here.scene.damaged |= damaged
        except KilledWorker as error:
            raise GeosegError(
                "workers were lost again and again at the same part of the scene",
                "look at their memory: --plan says what a part takes; smaller tiles (--tile) or batches take less",
            ) from error
        finally:
            self.client.cancel(futures)
        return f"{self.workers} workers of {self.client.scheduler.addr}"

    def _have_gpus(self) -> bool:
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return any(worker.get("resources", {}).get("GPU") for worker in workers)


@contextlib.contextmanager
def open_cluster(address: str) -> Iterator[Cluster]:
    """The cluster whose scheduler has that address, or ``local:N`` for N worker processes on this machine.

    :class:`ConfigError` if Dask is not installed, the address makes no sense, or nobody answers there.
    """
    try:
        import distributed
    except ImportError:
        raise ConfigError("predicting on a cluster takes Dask, which is not installed", HINT) from None
    with contextlib.ExitStack() as stack:
        if address.startswith(LOCAL):
            logging.getLogger("distributed.nanny").setLevel(logging.ERROR)  # it tells of every worker it stops
            cluster = distributed.LocalCluster(
                n_workers=_number(address), threads_per_worker=1, processes=True, dashboard_address=None
            )
            address = stack.enter_context(cluster)
        try:
            client = stack.enter_context(distributed.Client(address, timeout=f"{CONNECT_SECONDS}s"))
        except (OSError, ValueError, TimeoutError) as error:
            raise ConfigError(
                f"no Dask scheduler answers at {address}: {error}", "write tcp://HOST:8786, or local:4"
            ) from error
        yield Cluster(client)


def predict_part(
    job: Job, rows: Window, folder: Path, shape: tuple[int, int], products: tuple[str, ...]
) -> tuple[int, int, set[Window]]:
    """A worker's task: the slabs of some rows that are not there yet.

    Tells how many tiles it took, how many of them the network did not see, and which blocks could not be read.
    """
    try:
        return _predict_missing(job, rows, folder, shape, products)
    except GeosegError as error:
        bare = type(error)(error.message, error.hint)
    raise bare  # without what led to it: GDAL's errors cannot be sent, and Dask then sends no more than their words


def _predict_missing(
    job: Job, rows: Window, folder: Path, shape: tuple[int, int], products: tuple[str, ...]
) -> tuple[int, int, set[Window]]:
    slabs = Slabs(folder, shape, [make_product(name, job.card.legend) for name in products])
    write = _while_same(slabs)
    predictor, batch = _predictor(job, slabs)
    with job.scene, silent(0, "") as task:
        counts = Counts(task)
        for missing in slabs.missing:
            part = rows.intersection(missing)
            if not part.is_empty:
                predict_rows(job.method, part, write, predictor, counts, batch=batch, products=products)
    damaged = job.scene.damaged if isinstance(job.scene, TolerantScene) else set()
    return counts.tiles, counts.skipped, damaged


def _while_same(slabs: Slabs) -> Write:
    """Writes slabs as long as nobody begins anew: a worker may be at a part that nobody waits for any more."""
    begun = slabs.settings

    def write(window: Window, pixels: Pixels) -> None:
        if slabs.settings != begun:
            raise GeosegError(f"{slabs.folder} has been begun anew")
        slabs.write(window, pixels)

    return write


def _predictor(job: Job, slabs: Slabs) -> tuple[Predictor, int]:
    """The network and how many tiles it is shown at once."""
    options, ready = job.options, _ready(job.source, Path(job.source).stat().st_mtime_ns)
    predictor = ready.get(options.devices[0], options.precision, options.engine, pixels=job.pixels)
    return predictor, slabs.remember("batch", partial(ready.batch, options.batch, predictor, job.plan.tile))


@functools.lru_cache(maxsize=1)
def _ready(source: str, _changed: int) -> Predictors:
    """The predictors of a model's file, kept from one part to the next, unless the file changes."""
    return Predictors.of(source)


def _for_everyone(job: Job, folder: Path) -> Job:
    """The job with paths that are right on every machine that sees the same files."""
    if not job.source:
        raise ConfigError("a model without a file cannot be sent to workers", "save it first: bundle.save(path)")
    options = replace(job.options, aoi=None if job.options.aoi is None else _absolute(str(job.options.aoi)))
    with Scene.open(_on_disk(job.scene.path, folder)) as scene:
        kind = TolerantScene if options.on_read_error == "skip" else Scene
        return make_job(scene.reopened(kind), job.card, options, source=_absolute(job.source))


def _on_disk(path: str, folder: Path) -> str:
    """The path of a scene, and of one in memory (a mosaic) that of a copy in the folder."""
    if path.startswith(IN_MEMORY):
        return copy_vrt(path, folder / "scene.vrt")
    return path if "://" in path or path.startswith("/vsi") else _absolute(path)


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100  (no links followed)


def _number(address: str) -> int:
    count = address.removeprefix(LOCAL)
    if not count.isdecimal() or int(count) < 1:
        raise ConfigError(f"{address!r} names no number of workers", "write local:4 for four")
    return int(count)
