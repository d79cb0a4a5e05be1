"""``submit``: a model on LoveDA's test images, as the zip that its server takes."""

import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg._files import check_writable, output_errors, part_path, remove
from geoseg.bundle import Bundle, ModelCard, read_card
from geoseg.data.datasets._archive_files import find, listed
from geoseg.data.datasets.loveda import GSD, LEGEND
from geoseg.errors import BundleError, DataError, OutputError
from geoseg.evaluation.submission.check_loveda import PHASES, Checked, check_submission, require_phase
from geoseg.evaluation.submission.loveda_png import SIDE, encode
from geoseg.grid.grid import is_same_gsd
from geoseg.inference.predict import predict
from geoseg.inference.predictor_cache import Predictors
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.progress import NOTICE, Progress, silent
from geoseg.raster.archive import entries, packed
from geoseg.raster.scene import Scene
from geoseg.raster.writers.memory import MemorySink

IMAGE = r"(?:.*/)?(?:images_png|img_dir/test)/(\d+)\.png"
"""Places of images: as published, or as OpenMMLab's converter puts them. The number tells test images from others."""

logger = logging.getLogger(__name__)


def submit(
    model: str | Path | Bundle,
    data: str | Path,
    output: str | Path,
    *,
    phase: str = "all",
    whole: bool = False,
    device: str = "auto",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Checked:
    """Predicts LoveDA's test images below the folder ``data``, zipped or not, into a submission, and checks that.

    ``phase`` is "all", "urban" or "rural". Images are seen in the model's own tiles or, with ``whole``, at once. The zip
    appears when it is found valid, or not at all. :class:`BundleError` for a model of other classes, :class:`DataError`
    for images that are missing, of another size, or with pixels that cannot be predicted, :class:`OutputError` if
    ``output`` cannot be written.
    """
    output = Path(output)
    require_phase(phase)
    check_writable(output, overwrite)
    card = model.card if isinstance(model, Bundle) else read_card(model)
    class_mapping(card.legend)
    images = find_images(data, PHASES[phase])
    _refuse_to_replace(images, output)
    _tell(card, whole=whole)
    ready = Predictors.of(model, scenes=len(images))
    part = part_path(output)
    try:
        with output_errors(output):
            _write(part, images, ready, whole=whole, device=device, progress=progress)
            checked = check_submission(part, phase=phase, progress=progress).require_valid()
            part.replace(output)
    finally:
        remove(part)
    return checked


def _write(
    path: Path, images: Mapping[int, Path], model: Predictors, *, whole: bool, device: str, progress: Progress
) -> None:
    """The zip; one image is in memory at a time."""
    to_loveda = class_mapping(model.card.legend)
    with zipfile.ZipFile(path, "w") as archive, progress(len(images), "predicting LoveDA test") as task:
        for number, image in images.items():
            mask = predict_image(image, model, whole=whole, device=device, progress=progress)
            archive.writestr(_member(number), encode(to_loveda[mask]))
            task.advance(note=f"{number}.png")


def class_mapping(legend: Legend) -> NDArray[np.uint8]:
    """A look-up table (256,) from a model's class indices to LoveDA's, by name; :class:`BundleError` if they differ."""
    missing = [name for name in LEGEND.names if name not in legend.names]
    unknown = [name for name in legend.names if name not in LEGEND.names]
    hint = "submit a model that learnt LoveDA's classes: geoseg train loveda"
    if missing:
        raise BundleError(f"LoveDA's {', '.join(missing)} {_is(missing)} no class of the model", hint)
    if unknown:
        raise BundleError(f"the model's {', '.join(unknown)} {_is(unknown)} no class of LoveDA", hint)
    return legend.mapping_to(LEGEND)


def find_images(data: str | Path, numbers: range) -> dict[int, Path]:
    """Each number's image below a folder, zips included; :class:`DataError` that names those that are missing."""
    found = {int(number): path for (number,), path in find(entries(Path(data).resolve()), IMAGE).items()}
    missing = [f"{number}.png" for number in numbers if number not in found]
    if missing:
        raise DataError(
            f"{data} lacks {len(missing)} of {len(numbers)} test images: {listed(missing)}",
            "put LoveDA's Test.zip into the folder, as it is or unpacked",
        )
    return {number: found[number] for number in numbers}


def predict_image(image: Path, model: Predictors, *, whole: bool, device: str, progress: Progress) -> NDArray[np.uint8]:
    """The model's class indices (row, col) of an image; :class:`DataError` if it is of another size or has a hole."""
    sink = MemorySink()
    tile, halo = (SIDE, 0) if whole else (None, None)
    options: dict[str, Any] = {"tile": tile, "halo": halo, "device": device, "precision": "float32"}
    with Scene.open(image) as scene:
        height, width = scene.grid.shape
        if (height, width) != (SIDE, SIDE):
            raise DataError(f"{image} has {height} x {width} pixels, not {SIDE} x {SIDE}", "take Test.zip as published")
        predict(scene, sink, model=model, progress=progress, **options)
    holes = np.count_nonzero(sink.mask == IGNORE_INDEX)
    if holes:
        raise DataError(
            f"{holes} pixels of {image} were not predicted: the file says they hold nothing",
            "take Test.zip as published, whose images have no such pixels",
        )
    return sink.mask


def _refuse_to_replace(images: Mapping[int, Path], output: Path) -> None:
    output = output.resolve()
    if any(image == output or image.is_relative_to(packed(output, "")) for image in images.values()):
        raise OutputError(f"the submission would replace the images in {output}", "give it a name of its own")


def _tell(card: ModelCard, *, whole: bool) -> None:
    seen = "whole" if whole else f"in tiles of {card.tile} pixels with a halo of {card.halo}, as the model says"
    logger.log(NOTICE, "Each image of %d x %d pixels is seen %s.", SIDE, SIDE, seen)
    if card.gsd is not None and not is_same_gsd(card.gsd, GSD):
        logger.warning("the model learnt at %.3g m, LoveDA's pixels measure %.3g m: taken as they are", card.gsd, GSD)


def _member(number: int) -> zipfile.ZipInfo:
    """Flat, without a date (the same masks make the same bytes), readable by everyone who unpacks it."""
    member = zipfile.ZipInfo(f"{number}.png")
    member.external_attr = 0o644 << 16
    return member


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
