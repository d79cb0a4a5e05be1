"""Check that a LoveDA submission contains exactly the images of a phase, each as a PNG of class indices.

The server (Codabench competition 13030, or 13037 for the two domain adaptation phases) requires PNG files named after
the test images (``4191.png``), without folders. Each PNG has one byte per pixel: the class index, starting at 0. The
published *labels* start at 1, and so does the output of programs that write predictions as labels. This module does not
import torch.
"""

import contextlib
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from PIL import Image

from geoseg._text import did_you_mean, join_names
from geoseg.data.datasets._benchmark_files import MAX_NAMES
from geoseg.data.datasets.loveda import IDS, LEGEND
from geoseg.errors import ConfigError, DataError
from geoseg.legend import IGNORE_INDEX
from geoseg.progress import Progress, silent

IMAGE_SIZE = 1024
"""Height and width of an image in pixels."""
TEST = IDS["test"]
PHASES: Mapping[str, range] = {
    "all": range(TEST["rural"].start, TEST["urban"].stop),
    "urban": TEST["urban"],
    "rural": TEST["rural"],
}
"""Image numbers of each phase: the whole test set, or one of its domains."""

MAX_UNPACKED_BYTES = 16 << 20
"""Uncompressed size in bytes above which zip members are not read; no valid PNG of a test image is larger."""

PNG_HEADER = struct.Struct(">8s4x4sIIBB")
"""Beginning of a PNG: signature, name of the first chunk (its length is skipped), width, height, bits, color type.

Pillow is not sufficient: it opens 2-bit and 4-bit grayscale images in the same mode as 8-bit ones.
"""
COLOUR_TYPES = {0: "gray", 2: "RGB", 3: "palette", 4: "gray and alpha", 6: "RGB and alpha"}
"""PNG color types (section 11.2.1 of the PNG specification)."""
VALUE_HINTS = {
    len(LEGEND): "write class indices without adding one: labels start at 1, submissions at 0",
    IGNORE_INDEX: "every pixel needs a class, but 255 marks pixels that were not predicted",
}
"""Hints for values with a likely cause."""
GENERAL_HINT = "write class indices, not colors or stretched gray values"
"""Hint for other values that are not class indices."""
READ_ERRORS = (
    *(OSError, EOFError, RuntimeError, ValueError, SyntaxError),
    *(struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
"""Errors that zipfile and Pillow raise for damaged files: RuntimeError for encryption, SyntaxError for a broken PNG."""


@dataclass(frozen=True)
class SubmissionCheck:
    """Result of checking a submission."""

    phase: str
    """Phase that the zip was checked against, a key of :data:`PHASES`."""
    images: int
    """Number of the phase's images that are in the zip."""
    classes: tuple[str, ...]
    """Names of the classes that occur."""
    problems: tuple[DataError, ...]
    """Reasons why the server would reject the zip; empty if it is valid."""

    def __str__(self) -> str:
        return (
            f"{'not valid' if self.problems else 'valid'} for {self.benchmark}: {self.images} images, "
            f"classes present: {', '.join(self.classes) or 'none'}"
        )

    @property
    def benchmark(self) -> str:
        """Description of the benchmark and phase."""
        return "LoveDA test" if self.phase == "all" else f"LoveDA test ({self.phase} phase)"

    def require_valid(self) -> Self:
        """Return this object, or raise :class:`DataError` with the first problem if the zip is not valid."""
        if not self.problems:
            return self
        first, more = self.problems[0], len(self.problems) - 1
        count = f" (and {more} more {'problem' if more == 1 else 'problems'})" if more else ""
        raise DataError(f"not valid for {self.benchmark}: {first.message}{count}", first.hint)


def check_submission(path: str | Path, *, phase: str | None = None, progress: Progress = silent) -> SubmissionCheck:
    """Check a zip against a phase of the benchmark, and collect all problems.

    Images are read one at a time.

    Args:
        path: Path of the zip.
        phase: ``all``, ``urban`` or ``rural``; by default, the one that best matches the images in the zip.
        progress: Reports the number of checked images.

    Raises:
        DataError: If the file is missing or not a zip.
        ConfigError: If the phase is unknown.

    Example:
        >>> import geoseg
        >>> geoseg.check_submission("submission.zip").require_valid()  # doctest: +SKIP
    """
    if phase is not None:
        require_phase(phase)
    with _open_zip(Path(path)) as archive:
        members = archive.infolist()
        numbers = Counter(number for member in members if (number := _image_number(member)) is not None)
        phase = phase or _best_phase(numbers)
        problems = [*_layout_problems(members), *_number_problems(numbers, phase)]
        images = [member for member in members if _image_number(member) in PHASES[phase]]
        values: set[int] = set()
        with progress(len(images), "checking") as task:
            for member in images:
                try:
                    values |= _read_member(archive, member)
                except DataError as error:
                    problems.append(error)
                task.advance(note=member.filename)
    classes = tuple(name for index, name in enumerate(LEGEND.names) if index in values)
    return SubmissionCheck(phase, sum(number in numbers for number in PHASES[phase]), classes, tuple(problems))


def require_phase(phase: str) -> None:
    """Raise :class:`ConfigError` if the phase is unknown."""
    if phase not in PHASES:
        raise ConfigError(f"LoveDA has no phase {phase!r}", did_you_mean(phase, PHASES))


@contextlib.contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    if not path.is_file():
        raise DataError(f"there is no file {path}", "specify the zip file to check")
    try:
        with _wrap_read_errors():
            archive = zipfile.ZipFile(path)
    except DataError as error:
        raise DataError(
            f"{path} {error.message}", "use a zip file that contains PNG files, or create it again"
        ) from None
    with archive:
        yield archive


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> set[int]:
    """Return the class indices in an image of the zip; raise :class:`DataError` with the file name if it is invalid."""
    if member.file_size > MAX_UNPACKED_BYTES:
        message = f"{member.filename} would expand to {member.file_size} bytes"
        raise DataError(message, "write PNG files with one byte per pixel")
    try:
        with _wrap_read_errors():
            png = archive.read(member)
        return _read_class_indices(png)
    except DataError as error:
        raise DataError(f"{member.filename} {error.message}", error.hint) from None


def _read_class_indices(png: bytes) -> set[int]:
    """Return the class indices in a PNG; raise :class:`DataError` without the file name if it is invalid."""
    _require_grey_png(png)
    with _wrap_read_errors(), Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        values = {value for value, count in enumerate(image.histogram()) if count}
    highest, last = max(values), len(LEGEND) - 1
    if highest > last:
        raise DataError(
            f"contains the value {highest}, but class indices are 0 to {last}", VALUE_HINTS.get(highest, GENERAL_HINT)
        )
    return values


def _require_grey_png(png: bytes) -> None:
    """Raise :class:`DataError` unless the header declares one byte per pixel and the expected size."""
    header = png[: PNG_HEADER.size].ljust(PNG_HEADER.size, b"\0")
    signature, chunk, width, height, bits, colour_type = PNG_HEADER.unpack(header)
    if (signature, chunk) != (b"\x89PNG\r\n\x1a\n", b"IHDR"):
        raise DataError("is not a PNG", "write PNG files, not JPEG or TIFF files with the wrong extension")
    if colour_type != 0:
        kind = COLOUR_TYPES.get(colour_type, f"of color type {colour_type}")
        raise DataError(f"is {kind}, not a single channel", "write class indices as gray values, not colors")
    if bits != 8:
        raise DataError(f"has {bits} bits per pixel, not 8", "write it as uint8")
    if (height, width) != (IMAGE_SIZE, IMAGE_SIZE):
        raise DataError(
            f"has {height} x {width} pixels, not {IMAGE_SIZE} x {IMAGE_SIZE}",
            "predict whole images at their original size",
        )


@contextlib.contextmanager
def _wrap_read_errors() -> Iterator[None]:
    """Convert errors caused by damaged files to :class:`DataError` without the file name."""
    try:
        yield
    except READ_ERRORS as error:
        raise DataError(f"cannot be read: {error}", "write it again, or copy the zip again") from None


def _image_number(member: zipfile.ZipInfo) -> int | None:
    """Return 4191 for ``4191.png`` in any folder; None for any other name."""
    match = re.fullmatch(r"(0|[1-9][0-9]{0,8})\.png", PurePosixPath(member.filename).name)
    return int(match[1]) if match and not member.is_dir() else None


def _best_phase(numbers: Iterable[int]) -> str:
    """Return the phase whose image numbers have the largest intersection over union with the given numbers."""
    present = set(numbers)
    return max(PHASES, key=lambda phase: len(present & {*PHASES[phase]}) / len(present | {*PHASES[phase]}))


def _layout_problems(members: Sequence[zipfile.ZipInfo]) -> Iterator[DataError]:
    nested = [member.filename for member in members if "/" in member.filename]
    others = [member.filename for member in members if _image_number(member) is None and not member.is_dir()]
    if nested:
        message = f"it contains folders: {join_names(nested, limit=MAX_NAMES)}"
        yield DataError(message, "zip only the files: zip -j FILE FOLDER/*.png")
    if others:
        message = f"it contains unexpected files: {join_names(others, limit=MAX_NAMES)}"
        yield DataError(message, "keep only images with names such as 4191.png")


def _number_problems(numbers: Counter[int], phase: str) -> Iterator[DataError]:
    expected = PHASES[phase]
    missing = [number for number in expected if number not in numbers]
    extra = sorted(number for number in numbers if number not in expected)
    repeated = sorted(number for number, count in numbers.items() if count > 1)
    hint = f"it should contain each of {expected[0]}.png to {expected[-1]}.png once"
    if missing:
        yield DataError(f"it lacks {len(missing)} of {len(expected)} images: {_join_files(missing)}", hint)
    if extra:
        yield DataError(f"it contains images with unexpected numbers: {_join_files(extra)}", hint)
    if repeated:
        yield DataError(f"it contains more than one {_join_files(repeated)}", hint)


def _join_files(numbers: Iterable[int]) -> str:
    return join_names((f"{number}.png" for number in numbers), limit=MAX_NAMES)
