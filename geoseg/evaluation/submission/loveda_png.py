"""One image of a submission: a mask as PNG, and whether some bytes are the PNG that LoveDA's server takes.

Such a PNG has one byte per pixel, the class index from 0. The published *labels* count from 1, and so do programs that
write predictions as if they were labels.
"""

import contextlib
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geoseg.data.datasets.loveda import LEGEND
from geoseg.errors import DataError
from geoseg.legend import IGNORE_INDEX

SIDE = 1024
"""Height and width of an image, pixels."""

HEADER = struct.Struct(">8s4x4sIIBB")
"""How a PNG begins: signature, (length of the first chunk), its name, width, height, bits per channel, colour type."""

HINTS = {
    len(LEGEND): "write class indices without adding one: labels count from 1, submissions from 0",
    IGNORE_INDEX: "every pixel needs a class; 255 stands for those that were not predicted",
}
GENERAL_HINT = "write class indices, not colours or stretched grey values"
"""What to do about a value that is no class index."""

COLOUR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey and alpha", 6: "RGB and alpha"}
"""Colour types of PNG (section 11.2.1 of its specification)."""

DAMAGE = (
    *(OSError, EOFError, RuntimeError, ValueError, SyntaxError),
    *(struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
"""What zipfile and Pillow say of damaged files; an encrypted one is a RuntimeError, a broken PNG a SyntaxError."""


def encode(mask: NDArray[np.uint8]) -> bytes:
    """A mask of class indices (row, col) as PNG of one byte per pixel."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, format="PNG")
    return buffer.getvalue()


def values_in(png: bytes) -> set[int]:
    """The class indices that occur in a PNG; :class:`DataError`, which lacks the file's name in front, if it is wrong."""
    _require_kind(png)
    with no_damage(), Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        values = {value for value, count in enumerate(image.histogram()) if count}
    highest, most = max(values), len(LEGEND) - 1
    if highest > most:
        raise DataError(f"holds the value {highest}, class indices are 0 to {most}", HINTS.get(highest, GENERAL_HINT))
    return values


def _require_kind(png: bytes) -> None:
    """:class:`DataError` unless the header promises one byte per pixel, and the right size."""
    signature, chunk, width, height, bits, colour = HEADER.unpack(png[: HEADER.size].ljust(HEADER.size, b"\0"))
    if (signature, chunk) != (b"\x89PNG\r\n\x1a\n", b"IHDR"):
        raise DataError("is no PNG", "write PNG files, not JPEG or TIFF under another name")
    if colour != 0:
        kind = COLOUR_TYPES.get(colour, f"of colour type {colour}")
        raise DataError(f"is {kind}, not a single channel", "write class indices as grey values, not colours")
    if bits != 8:
        raise DataError(f"has {bits} bits per pixel, not 8", "write it as uint8")
    if (height, width) != (SIDE, SIDE):
        raise DataError(f"has {height} x {width} pixels, not {SIDE} x {SIDE}", "predict whole images at their own size")


@contextlib.contextmanager
def no_damage() -> Iterator[None]:
    """Turns what a damaged file brings up into a :class:`DataError`, which lacks the file's name in front."""
    try:
        yield
    except DAMAGE as error:
        raise DataError(f"cannot be read: {error}", "write it, or copy the zip, again") from None
