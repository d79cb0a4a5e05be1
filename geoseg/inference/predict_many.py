"""Many scenes: a mask for each, or one mask for all of them as a mosaic.

A scene that cannot be predicted stops none of the others. What concerns all of them (a mask that exists already, two of
one name) is found before the first is begun.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geoseg._files import check_writable, output_errors
from geoseg.errors import ConfigError, GeosegError, OutputError
from geoseg.inference.estimate import Forecast
from geoseg.inference.predict import Model, Prediction, predict, predict_plan
from geoseg.inference.predictor_cache import Predictors
from geoseg.progress import Progress, silent
from geoseg.raster.discovery import MASK_ENDING
from geoseg.raster.mosaic import open_mosaic
from geoseg.raster.writers.cog import is_unfinished

if TYPE_CHECKING:
    from geoseg.inference.dask_cluster import Cluster


@dataclass(frozen=True)
class Outcome:
    """What came of one scene of many: ``prediction`` or ``error`` is there, or neither if its mask was there before."""

    scene: str
    """The scene, as given."""
    prediction: Prediction | None = None
    """Its prediction, which knows the mask's path."""
    error: GeosegError | None = None
    """Why there is none."""


def predict_each(
    scenes: Sequence[str],
    folder: str | Path,
    *,
    model: Model,
    shares: Mapping[str, str | Path] | None = None,
    preview: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    cluster: "Cluster | None" = None,
    progress: Progress = silent,
    **options: Any,
) -> Iterator[Outcome]:
    """Predict scene by scene, each into ``folder/NAME_mask.tif``; ``options`` and the rest as in :func:`predict`.

    ``shares`` and ``preview`` name folders here, for files like ``NAME_confidence.tif`` and ``NAME_preview.png``. With
    ``resume``, scenes whose mask is there are left out. On a ``cluster``, several scenes are worked on at a time.
    Raises at the first step, with nothing done: :class:`OutputError` if a folder cannot be made, a mask exists already or
    two would get one name, :class:`BundleError` if the model cannot be loaded. Later errors belong to one scene and are
    in its outcome, but for :class:`ConfigError`: an option that makes no sense makes none for the other scenes.
    """
    paths = mask_paths(scenes, folder, overwrite=overwrite or resume)
    places = {name: _made(where) for name, where in (shares or {}).items()}
    pictures = None if preview is None else _made(preview)
    ready = Predictors.of(model, scenes=len(scenes))

    def one(number: int) -> Outcome:
        scene, mask = scenes[number], paths[number]
        if resume and mask.exists() and not is_unfinished(mask):
            return Outcome(scene)
        stem = mask.stem.removesuffix(MASK_ENDING)
        try:
            prediction = predict(
                scene,
                mask,
                model=ready,
                shares={name: place / f"{stem}_{name}.tif" for name, place in places.items()},
                preview=None if pictures is None else pictures / f"{stem}_preview.png",
                overwrite=overwrite,
                resume=resume,
                cluster=cluster,
                progress=_numbered(progress, f"{number + 1}/{len(scenes)} "),
                **options,
            )
        except ConfigError:
            raise
        except GeosegError as error:
            return Outcome(scene, error=error)
        return Outcome(scene, prediction)

    with progress(len(scenes), "predicting scenes") as task:
        for outcome in _in_order(one, len(scenes), at_a_time=1 if cluster is None else cluster.workers):
            task.advance()
            yield outcome


def _in_order(one: Callable[[int], Outcome], count: int, *, at_a_time: int) -> Iterator[Outcome]:
    """The outcomes, in order; scenes that wait for a cluster's workers take a thread each."""
    if at_a_time == 1:
        yield from map(one, range(count))
        return
    with ThreadPoolExecutor(at_a_time, thread_name_prefix="geoseg-scene") as pool:
        try:
            yield from pool.map(one, range(count))
        finally:
            pool.shutdown(cancel_futures=True)


def predict_mosaic(scenes: Sequence[str], output: str | Path, **options: Any) -> Prediction:
    """Predict scenes that fit together as one scene; ``options`` are those of :func:`predict`.

    :class:`SceneError` that names the scene that does not fit; others as :func:`predict`.
    """
    _keep_apart(scenes, [Path(output)])
    with open_mosaic(scenes) as mosaic:
        return predict(mosaic, output, **options)


def mosaic_plan(scenes: Sequence[str], **options: Any) -> Forecast:
    """What :func:`predict_mosaic` would take; ``options`` are those of :func:`predict_plan`."""
    with open_mosaic(scenes) as mosaic:
        return predict_plan(mosaic, **options)


def mask_paths(scenes: Sequence[str], folder: str | Path, *, overwrite: bool) -> list[Path]:
    """Where the scenes' masks go; makes the folder. :class:`OutputError` if any of them could not be written."""
    folder = Path(folder)
    paths = [folder / f"{Path(scene).stem}{MASK_ENDING}.tif" for scene in scenes]
    users = defaultdict(list)
    for path, scene in zip(paths, scenes, strict=True):
        users[path.name.casefold()].append(scene)  # some file systems do not tell capitals apart
    for path in paths:
        first, *more = users[path.name.casefold()]
        if more:
            raise OutputError(f"{first} and {more[0]} would both become {path}", "predict them into different folders")
    _keep_apart(scenes, paths)
    _made(folder)
    for path in paths:
        check_writable(path, overwrite)
    return paths


def _made(folder: str | Path) -> Path:
    """The folder, which exists now."""
    folder = Path(folder)
    if folder.is_file() or (folder.suffix.lower() in (".tif", ".tiff", ".png") and not folder.is_dir()):
        raise OutputError(
            f"{folder} is no folder for many results", "name a folder, or make one mask of all with --mosaic"
        )
    with output_errors(folder):
        folder.mkdir(exist_ok=True)
    return folder


def _keep_apart(scenes: Sequence[str], outputs: Sequence[Path]) -> None:
    """:class:`OutputError` if a mask would take the place of a scene."""
    places = {Path(scene).resolve() for scene in scenes if Path(scene).exists()}
    for output in outputs:
        if output.resolve() in places:
            raise OutputError(f"the mask would replace the scene {output}", "give the mask a place of its own")


def _numbered(progress: Progress, number: str) -> Progress:
    """The same progress, whose tasks say first which scene of how many it is."""

    def begin(total: int, description: str, *, done: int = 0) -> Any:
        return progress(total, f"{number}{description}", done=done)

    return begin
