"""Predict masks for LoveDA's test images and write them to a zip for its evaluation server."""

import io
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoseg._output_files import atomic_path, check_writable, output_errors
from geoseg._text import join_names
from geoseg.bundle import Bundle, read_card
from geoseg.data.datasets._benchmark_files import MAX_NAMES, find_files
from geoseg.data.datasets.loveda import GSD, LEGEND
from geoseg.errors import BundleError, DataError, OutputError
from geoseg.evaluation.submission.check_loveda import (
    IMAGE_SIZE,
    PHASES,
    SubmissionCheck,
    check_submission,
    require_phase,
)
from geoseg.grid.grid import is_same_gsd
from geoseg.inference.predict import predict
from geoseg.inference.predictor_cache import PredictorCache
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.model_card import ModelCard
from geoseg.models.hardware_options import check_device_name
from geoseg.progress import NOTICE, Progress, silent
from geoseg.raster.archive import list_files, zip_member_path
from geoseg.raster.scene import Scene
from geoseg.raster.writers.memory import MemoryWriter

IMAGE_PATTERN = r"(?:.*/)?(?:images_png|img_dir/test)/(\d+)\.png"
"""Image paths as published or as written by OpenMMLab's converter; the number identifies the test image."""

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
) -> SubmissionCheck:
    """Predict masks for LoveDA's test images, write them to a submission file, and check it.

    The zip is written only if it is valid.

    Args:
        model: Model file or loaded model, trained on LoveDA's classes.
        data: Folder that contains the test images, as ``Test.zip`` or extracted.
        output: Path of the zip.
        phase: ``all``, ``urban`` or ``rural``.
        whole: Predict each image as a whole instead of in tiles of the model's size.
        device: Device to run the network on: auto, cpu, cuda or mps.
        overwrite: Replace an existing file.
        progress: Reports the number of finished images.

    Returns:
        The result of the check.

    Raises:
        BundleError: If the model's classes differ from LoveDA's.
        DataError: If images are missing, have an unexpected size, or contain invalid pixels.
        OutputError: If ``output`` exists or cannot be written.

    Example:
        >>> import geoseg
        >>> geoseg.submit("best.safetensors", "LoveDA", "submission.zip")  # doctest: +SKIP
    """
    output = Path(output)
    require_phase(phase)
    check_writable(output, overwrite)
    check_device_name(device)
    card = model.card if isinstance(model, Bundle) else read_card(model)
    map_classes(card.legend)
    images = find_test_images(data, PHASES[phase])
    _refuse_to_replace_images(images, output)
    _log_options(card, whole=whole)
    cache = PredictorCache.of(model, scenes=len(images))
    with output_errors(output), atomic_path(output) as temporary:
        _write_zip(temporary, images, cache, whole=whole, device=device, progress=progress)
        return check_submission(temporary, phase=phase, progress=progress).require_valid()


def map_classes(legend: Legend) -> NDArray[np.uint8]:
    """Return a lookup table (256,) from a model's class indices to LoveDA's, matched by name.

    Raises:
        BundleError: If the model's classes differ from LoveDA's.
    """
    missing = [name for name in LEGEND.names if name not in legend.names]
    unknown = [name for name in legend.names if name not in LEGEND.names]
    hint = "use a model trained on LoveDA's classes: geoseg train loveda"
    if missing:
        raise BundleError(f"the model lacks classes of LoveDA: {join_names(missing)}", hint)
    if unknown:
        raise BundleError(f"the model has classes that LoveDA does not: {join_names(unknown)}", hint)
    return legend.mapping_to(LEGEND)


def find_test_images(data: str | Path, numbers: range) -> dict[int, Path]:
    """Find the image with each number in a folder, including its zip files.

    Raises:
        DataError: If images are missing.
    """
    matches = find_files(list_files(Path(data).resolve()), IMAGE_PATTERN)
    found = {int(number): path for (number,), path in matches.items()}
    missing = [f"{number}.png" for number in numbers if number not in found]
    if missing:
        raise DataError(
            f"{data} lacks {len(missing)} of {len(numbers)} test images: {join_names(missing, limit=MAX_NAMES)}",
            "put LoveDA's Test.zip into the folder, zipped or extracted",
        )
    return {number: found[number] for number in numbers}


def _write_zip(
    path: Path, images: Mapping[int, Path], model: PredictorCache, *, whole: bool, device: str, progress: Progress
) -> None:
    """Write the zip, with only one image in memory at a time."""
    to_loveda = map_classes(model.card.legend)
    with zipfile.ZipFile(path, "w") as archive, progress(len(images), "predicting LoveDA test") as task:
        for number, image in images.items():
            mask = _predict_image(image, model, whole=whole, device=device, progress=progress)
            archive.writestr(_zip_info(number), _encode_png(to_loveda[mask]))
            task.advance(note=f"{number}.png")


def _predict_image(
    image: Path, model: PredictorCache, *, whole: bool, device: str, progress: Progress
) -> NDArray[np.uint8]:
    """Return the class indices of an image (row, col); raise :class:`DataError` if its size or any pixel is invalid."""
    writer = MemoryWriter()
    tile, halo = (IMAGE_SIZE, 0) if whole else (None, None)
    with Scene.open(image) as scene:
        height, width = scene.grid.shape
        if (height, width) != (IMAGE_SIZE, IMAGE_SIZE):
            raise DataError(
                f"{image} has {height} x {width} pixels, not {IMAGE_SIZE} x {IMAGE_SIZE}", "use Test.zip as published"
            )
        predict(scene, writer, model=model, tile=tile, halo=halo, device=device, precision="float32", progress=progress)
    invalid = np.count_nonzero(writer.mask == IGNORE_INDEX)
    if invalid:
        raise DataError(
            f"{invalid} pixels of {image} were not predicted because they are invalid",
            "use Test.zip as published; its images have no such pixels",
        )
    return writer.mask


def _encode_png(mask: NDArray[np.uint8]) -> bytes:
    """Encode class indices (row, col) as a PNG with one byte per pixel."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, format="PNG")
    return buffer.getvalue()


def _refuse_to_replace_images(images: Mapping[int, Path], output: Path) -> None:
    output = output.resolve()
    if any(image == output or image.is_relative_to(zip_member_path(output, "")) for image in images.values()):
        raise OutputError(f"the submission would replace the images in {output}", "choose a different name")


def _log_options(card: ModelCard, *, whole: bool) -> None:
    way = "as a whole" if whole else f"in {card.tile}-pixel tiles with a {card.halo}-pixel halo, as stored in the model"
    logger.log(NOTICE, "each image of %d x %d pixels is predicted %s", IMAGE_SIZE, IMAGE_SIZE, way)
    if card.gsd is not None and not is_same_gsd(card.gsd, GSD):
        message = "the model was trained at %.3g m, but LoveDA has a GSD of %.3g m; pixels are not resampled"
        logger.warning(message, card.gsd, GSD)


def _zip_info(number: int) -> zipfile.ZipInfo:
    """Return a zip member without a folder or date, readable by all, so that identical masks produce identical bytes."""
    member = zipfile.ZipInfo(f"{number}.png")
    member.external_attr = 0o644 << 16
    return member
