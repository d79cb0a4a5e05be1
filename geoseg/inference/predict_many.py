"""``predict_many``: one mask for each of many scenes.

An error in one scene does not affect the others. Problems that affect the whole batch (masks that
already exist, two masks with the same name) are reported before the first prediction.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geoseg._concurrency import ordered_map
from geoseg._output_files import check_writable, output_errors
from geoseg.errors import ConfigError, GeosegError, OutputError
from geoseg.grid.grid import Bounds
from geoseg.inference.destination import Destination
from geoseg.inference.options import (
    BlendName,
    BorderName,
    ModeName,
    OnReadError,
    PredictOptions,
    TtaName,
    WindowName,
)
from geoseg.inference.predict import run_prediction
from geoseg.inference.prediction import Prediction
from geoseg.inference.predictor_cache import Model, PredictorCache
from geoseg.models.hardware_options import EngineName, Precision
from geoseg.progress import Progress, silent
from geoseg.raster.discovery import MASK_ENDING
from geoseg.raster.writers.cog import has_partial

if TYPE_CHECKING:
    from geoseg.inference.dask_cluster import DaskCluster


@dataclass(frozen=True)
class SceneOutcome:
    """The outcome for one of many scenes: a prediction, an error, or neither if its mask already existed."""

    scene: str
    """The scene, as given."""
    prediction: Prediction | None = None
    """Its prediction, with the mask's path."""
    error: GeosegError | None = None
    """Why there is no prediction."""


def predict_many(
    scenes: Sequence[str],
    folder: str | Path,
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
) -> Iterator[SceneOutcome]:
    """Predict one mask per scene, written to ``folder/NAME_mask.tif``.

    Args:
        scenes: The files of the scenes.
        folder: Folder for the masks; created if missing.
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
        probabilities: Folder for files named ``NAME_probabilities.tif``, with one band per class.
        confidence: Folder for files named ``NAME_confidence.tif``.
        entropy: Folder for files named ``NAME_entropy.tif``.
        preview: Folder for files named ``NAME_preview.png``.
        overwrite: Replace existing files.
        resume: Skip scenes whose mask already exists, and continue interrupted predictions.
        cluster: Dask cluster that runs the predictions; several scenes are then predicted in parallel.
        progress: Reports the number of finished scenes and tiles.

    Yields:
        The outcome for each scene, in order, including errors of individual scenes.

    Raises:
        OutputError: If a folder cannot be created, a mask already exists, or two masks would have the same name; raised
            in the first iteration, before anything is written.
        BundleError: If the model cannot be loaded; raised in the first iteration.
        ConfigError: If an option is invalid.
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
    paths = mask_paths(scenes, folder, overwrite=overwrite or resume)
    share_folders = {"probabilities": probabilities, "confidence": confidence, "entropy": entropy}
    shares = {name: _make_folder(path) for name, path in share_folders.items() if path is not None}
    previews = None if preview is None else _make_folder(preview)
    cache = PredictorCache.of(model, scenes=len(scenes))
    _ = cache.bundle  # loads the model, so that its errors are raised now

    def predict_one(number: int) -> SceneOutcome:
        scene, mask = scenes[number], paths[number]
        if resume and mask.exists() and not has_partial(mask):
            return SceneOutcome(scene)
        stem = mask.stem.removesuffix(MASK_ENDING)
        destination = Destination(
            mask,
            shares={name: share_folder / f"{stem}_{name}.tif" for name, share_folder in shares.items()},
            preview=None if previews is None else previews / f"{stem}_preview.png",
            overwrite=overwrite,
            resume=resume,
        )
        numbered = _prefix_progress(progress, f"{number + 1}/{len(scenes)} ")
        try:
            prediction = run_prediction(scene, destination, cache, options, cluster=cluster, progress=numbered)
        except ConfigError:  # it would also be raised for the other scenes
            raise
        except GeosegError as error:
            return SceneOutcome(scene, error=error)
        return SceneOutcome(scene, prediction)

    with progress(len(scenes), "predicting scenes") as task:
        for outcome in _map_in_order(predict_one, len(scenes), threads=1 if cluster is None else cluster.workers):
            task.advance()
            yield outcome


def _map_in_order(predict_one: Callable[[int], SceneOutcome], count: int, *, threads: int) -> Iterator[SceneOutcome]:
    """Yield the outcomes in order; with several threads, scenes wait for the workers of a cluster concurrently."""
    if threads == 1:
        yield from map(predict_one, range(count))
        return
    yield from ordered_map(predict_one, range(count), threads=threads, ahead=count)


def mask_paths(scenes: Sequence[str], folder: str | Path, *, overwrite: bool) -> list[Path]:
    """Return the paths of the masks, and create their folder.

    Args:
        scenes: The scenes' files.
        folder: The folder.
        overwrite: Accept existing masks.

    Raises:
        OutputError: If a mask cannot be written, or two scenes have the same name.
    """
    folder = Path(folder)
    paths = [folder / f"{Path(scene).stem}{MASK_ENDING}.tif" for scene in scenes]
    scenes_by_name = defaultdict(list)
    for path, scene in zip(paths, scenes, strict=True):
        scenes_by_name[path.name.casefold()].append(scene)  # some file systems are case-insensitive
    for path in paths:
        first, *others = scenes_by_name[path.name.casefold()]
        if others:
            raise OutputError(
                f"the masks of {first} and {others[0]} would both be written to {path}",
                "write them to different folders",
            )
    _require_not_scenes(scenes, paths)
    _make_folder(folder)
    for path in paths:
        check_writable(path, overwrite)
    return paths


def _make_folder(path: str | Path) -> Path:
    """Return the folder, created if necessary."""
    folder = Path(path)
    if folder.is_file() or (folder.suffix.lower() in (".tif", ".tiff", ".png") and not folder.is_dir()):
        raise OutputError(
            f"the masks of several scenes require a folder, but {folder} is not one",
            "use a folder, or write a single mask for all scenes with --mosaic",
        )
    with output_errors(folder):
        folder.mkdir(exist_ok=True)
    return folder


def _require_not_scenes(scenes: Sequence[str], outputs: Sequence[Path]) -> None:
    """Raise :class:`OutputError` if a mask would replace a scene."""
    sources = {Path(scene).resolve() for scene in scenes if Path(scene).exists()}
    for output in outputs:
        if output.resolve() in sources:
            raise OutputError(f"the mask would replace the scene {output}", "use a different folder for the masks")


def _prefix_progress(progress: Progress, prefix: str) -> Progress:
    """Return a progress whose descriptions start with the number of the scene."""

    def begin(total: int, description: str, *, done: int = 0) -> Any:
        return progress(total, f"{prefix}{description}", done=done)

    return begin
