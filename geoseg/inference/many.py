"""Many scenes: a mask for each, or one mask for all of them as a mosaic.

A scene that cannot be predicted stops none of the others. What concerns all of them (a mask that exists already, two of
one name) is found before the first is begun.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoseg.bundle import Bundle
from geoseg.errors import ConfigError, GeosegError, OutputError
from geoseg.inference.predict import Prediction, predict
from geoseg.progress import Progress, silent
from geoseg.raster.listing import MASK_ENDING
from geoseg.raster.mosaic import open_mosaic
from geoseg.raster.output import check_writable, output_errors


@dataclass(frozen=True)
class Outcome:
    """What came of one scene of many: either ``prediction`` or ``error`` is there."""

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
    model: str | Path | Bundle,
    overwrite: bool = False,
    progress: Progress = silent,
    **options: Any,
) -> Iterator[Outcome]:
    """Predict scene by scene, each into ``folder/NAME_mask.tif``; ``options`` are those of :func:`predict`.

    Raises at the first step, with nothing done: :class:`OutputError` if the folder cannot be made, a mask exists already
    or two would get one name, :class:`BundleError` if the model cannot be loaded. Later errors belong to one scene and
    are in its outcome, but for :class:`ConfigError`: an option that makes no sense makes none for the other scenes.
    """
    paths = mask_paths(scenes, folder, overwrite=overwrite)
    bundle = model if isinstance(model, Bundle) else Bundle.load(model)
    with progress(len(scenes), "predicting scenes") as task:
        for number, (scene, path) in enumerate(zip(scenes, paths, strict=True), start=1):
            inner = _numbered(progress, f"{number}/{len(scenes)} ")
            try:
                yield Outcome(scene, predict(scene, path, model=bundle, overwrite=overwrite, progress=inner, **options))
            except ConfigError:
                raise
            except GeosegError as error:
                yield Outcome(scene, error=error)
            task.advance()


def predict_mosaic(scenes: Sequence[str], output: str | Path, **options: Any) -> Prediction:
    """Predict scenes that fit together as one scene; ``options`` are those of :func:`predict`.

    :class:`SceneError` that names the scene that does not fit; others as :func:`predict`.
    """
    _keep_apart(scenes, [Path(output)])
    with open_mosaic(scenes) as mosaic:
        return predict(mosaic, output, **options)


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
    _make(folder)
    for path in paths:
        check_writable(path, overwrite)
    return paths


def _make(folder: Path) -> None:
    if folder.is_file() or (folder.suffix.lower() in (".tif", ".tiff") and not folder.is_dir()):
        raise OutputError(
            f"{folder} is no folder for many masks", "name a folder, or make one mask of all with --mosaic"
        )
    with output_errors(folder):
        folder.mkdir(exist_ok=True)


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
