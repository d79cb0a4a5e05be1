"""Pictures of scenes and masks for people to look at: what reports, previews and quicklooks are put together from.

Images are uint8 arrays (row, col, 3) of red, green, blue. Positions on them are (row, col) in pixels from the corner of
the first pixel, as everywhere in geoseg.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from geoseg._files import output_errors, part_path, remove
from geoseg.legend import IGNORE_INDEX, Colour, Legend, LegendEntry
from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene

Picture = NDArray[np.uint8]
"""Axes (row, col, 3): red, green, blue."""

WRONG: Colour = (214, 39, 40)
"""The colour of wrongly predicted pixels in an error map."""
NOT_PREDICTED: Colour = (255, 152, 0)
"""The colour of labelled pixels for which there is no prediction in an error map."""
INK, PAPER, EDGE = (33, 33, 33), (255, 255, 255), (150, 150, 150)


def overview(scene: Scene, longest: int = 1024) -> Raster:
    """The whole scene in at most ``longest`` pixels along its longer side; never enlarged. Masks keep their classes."""
    factor = min(1.0, longest / max(scene.grid.shape))
    shape = scene.grid.resampled(factor).shape
    return scene.read(scene.grid.window, shape=shape, nearest=scene.legend is not None)


def shown_bands(bands: Sequence[str]) -> tuple[int, int, int]:
    """Positions of the bands to show as red, green, blue: those of these names, else the first three (or the first)."""
    names = [name.lower() for name in bands]
    if {"red", "green", "blue"} <= set(names):
        return names.index("red"), names.index("green"), names.index("blue")
    return (0, 1, 2) if len(names) >= 3 else (0, 0, 0)


def stretch(raster: Raster, bands: Sequence[int] = (0, 1, 2)) -> Picture:
    """Three bands as red, green and blue (the first as grey if there are fewer), with a checker where not valid.

    uint8 stays as it is; anything else is stretched, band by band, from the 2nd to the 98th percentile of valid pixels.
    """
    chosen = list(bands) if max(bands) < len(raster.values) else [0, 0, 0]
    shown = [band if band.dtype == np.uint8 else _stretched(band, raster.valid) for band in raster.values[chosen]]
    picture: Picture = np.where(raster.valid[..., np.newaxis], np.stack(shown, axis=-1), _checker(raster.valid.shape))
    return picture


def _stretched(band: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    seen = band[valid]
    if seen.size == 0:
        return np.zeros(band.shape, np.uint8)
    low, high = np.percentile(seen[:: max(1, seen.size // 1_000_000)], (2, 98))
    share = (band.astype(np.float64) - low) / (high - low or 1.0)
    grey: NDArray[np.uint8] = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    return grey


def _checker(shape: tuple[int, ...], side: int = 8) -> Picture:
    rows, cols = np.indices(shape[:2]) // side
    return np.where((rows + cols) % 2 == 0, np.uint8(255), np.uint8(232))[..., np.newaxis].repeat(3, axis=-1)


def shrink(image: Picture, longest: int) -> Picture:
    """The image in at most ``longest`` pixels along its longer side, each the mean of what it covers."""
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return image
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def blend(image: Picture, colours: Picture, *, opacity: float = 0.5, valid: NDArray[np.bool_] | None = None) -> Picture:
    """``colours`` laid over ``image``; ``opacity`` 0 shows the image, 1 the colours.

    ``valid`` (row, col) is True where there is something to lay over; everywhere by default.
    """
    weight = np.full(image.shape[:2], opacity) if valid is None else np.where(valid, opacity, 0.0)
    mixed = image + (colours.astype(np.float64) - image) * weight[..., np.newaxis]
    return np.rint(mixed).astype(np.uint8)


def outlined(
    image: Picture, lines: Sequence[NDArray[Any]], *, colour: Colour = (255, 255, 0), width: int = 2
) -> Picture:
    """The image with lines drawn on it, each an array (point, 2) of (row, col); ``width`` in pixels."""
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    for line in lines:
        # Pillow counts from the centre of the first pixel and takes x before y.
        draw.line([(col - 0.5, row - 0.5) for row, col in line.tolist()], fill=colour, width=width, joint="curve")
    return np.asarray(canvas)


def error_map(image: NDArray[np.uint8], predicted: NDArray[np.uint8], reference: NDArray[np.uint8]) -> Picture:
    """Where a mask is wrong, over the image (row, col) or (row, col, 3) in grey.

    Right pixels show the image, wrong ones are red, labelled ones without a prediction orange, and pixels without a
    label pale. ``predicted`` and ``reference`` are class indices (row, col), 255 = none.
    """
    grey = image if image.ndim == 2 else np.rint(image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    base = grey[..., np.newaxis].repeat(3, axis=-1)
    labelled, guessed = reference != IGNORE_INDEX, predicted != IGNORE_INDEX
    base = blend(base, np.full_like(base, 255), opacity=0.75, valid=~labelled)
    for colour, where in ((WRONG, labelled & guessed & (predicted != reference)), (NOT_PREDICTED, labelled & ~guessed)):
        base = blend(base, np.broadcast_to(np.array(colour, np.uint8), base.shape), opacity=0.75, valid=where)
    return base


def panel(
    images: Sequence[tuple[str, Picture]], *, legend: Legend | None = None, columns: int | None = None
) -> Image.Image:
    """Titled images side by side, ``columns`` to a row (all in one by default), and below them the legend's colours."""
    columns = min(columns or len(images), len(images))
    cell_height = max(image.shape[0] for _, image in images)
    cell_width = max(image.shape[1] for _, image in images)
    text = max(13, min(28, cell_width // 22))
    gap, title = text, 2 * text
    rows = -(-len(images) // columns)
    width = columns * (cell_width + gap) + gap
    strip = [] if legend is None else _legend_places(legend, width - 2 * gap, text)
    body = rows * (cell_height + title + gap // 2)
    legend_height = strip[-1][2] + 2 * text if strip else 0
    canvas = Image.new("RGB", (width, body + legend_height + gap), PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, (name, image) in enumerate(images):
        left = gap + number % columns * (cell_width + gap)
        top = number // columns * (cell_height + title + gap // 2) + title
        draw.text((left, top - text // 3), name, fill=INK, font=_font(text), anchor="ls")
        canvas.paste(Image.fromarray(image), (left, top))
    for entry, x, y in strip:
        _draw_entry(draw, entry, (gap + x, body + gap // 2 + y), text)
    return canvas


def _legend_places(legend: Legend, width: int, text: int) -> list[tuple[LegendEntry, int, int]]:
    """Each class with the (x, y) of its swatch, in as many lines as ``width`` pixels ask for."""
    places, x, y = [], 0, 0
    for entry in legend.entries:
        needed = round(2 * text + _font(text).getlength(entry.name)) + text
        if x > 0 and x + needed > width:
            x, y = 0, y + round(1.6 * text)
        places.append((entry, x, y))
        x += needed
    return places


def _draw_entry(draw: ImageDraw.ImageDraw, entry: LegendEntry, at: tuple[int, int], text: int) -> None:
    x, y = at
    draw.rectangle((x, y, x + text, y + text), fill=entry.colour, outline=EDGE)
    draw.text((x + 1.5 * text, y + text / 2), entry.name, fill=INK, font=_font(text), anchor="lm")


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)  # Pillow brings one along that can be scaled
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def write_png(path: str | Path, image: Picture | Image.Image) -> None:
    """Write a PNG that appears whole or not at all; replaces one that is there. :class:`OutputError` if it cannot."""
    path = Path(path)
    part = part_path(path)
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    try:
        with output_errors(path):
            picture.save(part, format="PNG", optimize=True)
            part.replace(path)
    finally:
        remove(part)
