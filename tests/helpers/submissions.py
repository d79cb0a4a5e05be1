"""Submissions and test sets small enough to be made by the hundred: four images of 16 x 16 pixels."""

import contextlib
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from geoseg.evaluation.submission import check_loveda as submission_check
from geoseg.evaluation.submission import loveda as submission

SIDE = 16
NUMBERS = range(4191, 4195)
DOMAINS = {"rural": range(4191, 4193), "urban": range(4193, 4195)}


@contextlib.contextmanager
def small_set(side=SIDE):
    """Lets LoveDA's test set be one of :data:`NUMBERS`, of images of some side."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submission, "IMAGE_SIZE", side)
        patch.setattr(submission_check, "IMAGE_SIZE", side)
        for phase, numbers in {"all": NUMBERS, **DOMAINS}.items():
            patch.setitem(submission_check.PHASES, phase, numbers)
        yield


def classes(number, side=SIDE):
    """The class indices of an image, axes (row, col): all of them occur."""
    return (np.arange(side * side).reshape(side, side) + number).astype(np.uint8) % 7


def png(pixels, *, mode=None, kind="PNG", **options):
    """An array as the bytes of a picture."""
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(buffer, kind, **options)
    return buffer.getvalue()


def image(number, side=SIDE):
    """A test image whose red band holds the class indices, and the others something else."""
    red = classes(number, side)
    return png(np.stack([red, red + 50, red + 100], axis=-1))


def zipped(members, method=zipfile.ZIP_STORED):
    """The bytes of a zip of (name, content) pairs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def good_members(numbers=NUMBERS, side=SIDE):
    """The (name, content) pairs of a valid submission."""
    return [(f"{number}.png", png(classes(number, side))) for number in numbers]


def domain_of(number):
    """``Rural`` or ``Urban``, as folders are called."""
    return next(domain for domain, numbers in DOMAINS.items() if number in numbers).capitalize()
