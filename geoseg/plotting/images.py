"""Composition of RGB images: downsampling, overlays, outlines, error maps, titled panels with a legend, PNG files.

Images are uint8 arrays (row, col, 3). Positions are (row, col) in pixels from the corner of the first pixel.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from geoseg._output_files import atomic_path, output_errors
from geoseg.legend import IGNORE_INDEX, Colour, Legend, LegendEntry
from geoseg.raster.display import RgbImage

WRONG: Colour = (214, 39, 40)
"""Color of wrongly predicted pixels in an error map, unless a class has a similar color."""
NOT_PREDICTED: Colour = (255, 152, 0)
"""Color of labeled pixels without a prediction in an error map, unless a class has a similar color."""
OTHER_MARKS: tuple[Colour, ...] = ((225, 0, 190), (60, 60, 255), (0, 200, 220), (120, 60, 0), (150, 230, 0))
"""Alternatives if a class has a color similar to one of the above: magenta, blue, cyan, brown, lime."""
MIN_COLOUR_DISTANCE = 90.0
"""Colors that are closer than this Euclidean distance in RGB space are considered similar."""
TEXT_COLOUR, BACKGROUND_COLOUR, BORDER_COLOUR = (33, 33, 33), (255, 255, 255), (150, 150, 150)
"""Text, background and border colors of a panel."""


def downsample(image: RgbImage, longest: int) -> RgbImage:
    """Downsample an image by averaging to at most ``longest`` pixels along its longer side; never enlarge it."""
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return image
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def blend(
    image: RgbImage, colours: RgbImage, *, opacity: float = 0.5, valid: NDArray[np.bool_] | None = None
) -> RgbImage:
    """Blend an overlay into an image.

    Args:
        image: The image, axes (row, col, 3).
        colours: The overlay, axes (row, col, 3).
        opacity: Opacity of the overlay, 0 to 1.
        valid: Axes (row, col); True where the overlay is visible; by default, everywhere.
    """
    weight = np.full(image.shape[:2], opacity) if valid is None else np.where(valid, opacity, 0.0)
    mixed = image + (colours.astype(np.float64) - image) * weight[..., np.newaxis]
    return np.rint(mixed).astype(np.uint8)


def draw_lines(
    image: RgbImage, lines: Sequence[NDArray[Any]], *, colour: Colour = (255, 255, 0), width: int = 2
) -> RgbImage:
    """Draw lines on a copy of an image.

    Args:
        image: The image, axes (row, col, 3).
        lines: Points (row, col) of each line, shape (point, 2).
        colour: Color of the lines.
        width: Width of the lines in pixels.
    """
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    for line in lines:
        # Pillow's coordinates are (x, y), relative to the center of the first pixel.
        draw.line([(col - 0.5, row - 0.5) for row, col in line.tolist()], fill=colour, width=width, joint="curve")
    return np.asarray(canvas)


class ErrorColours(NamedTuple):
    """Colors of the marks in an error map."""

    wrong: Colour = WRONG
    """Wrongly predicted pixels."""
    not_predicted: Colour = NOT_PREDICTED
    """Labeled pixels without a prediction."""

    @classmethod
    def for_legend(cls, legend: Legend) -> "ErrorColours":
        """Choose red and orange, or other colors if a class has a similar one, so that no error looks like a class."""
        used = [entry.colour for entry in legend.entries]
        wrong = _most_different([WRONG, *OTHER_MARKS], used)
        return cls(wrong, _most_different([NOT_PREDICTED, *OTHER_MARKS], [*used, wrong]))


def _most_different(candidates: Sequence[Colour], used: Sequence[Colour]) -> Colour:
    """Return the first candidate that is not similar to any used color, or else the one farthest from all of them."""
    distances = {colour: min(math.dist(colour, other) for other in used) for colour in candidates}
    different = [colour for colour, distance in distances.items() if distance >= MIN_COLOUR_DISTANCE]
    return different[0] if different else max(distances, key=lambda colour: distances[colour])


ERROR_COLOURS = ErrorColours()
"""The default colors of the marks: red and orange."""


def error_map(
    image: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    colours: ErrorColours = ERROR_COLOURS,
) -> RgbImage:
    """Mark the errors of a mask on a grayscale image.

    Correct pixels show the image. Wrong pixels and labeled pixels without a prediction are marked, and pixels without a
    label are lightened.

    Args:
        image: The image, axes (row, col) or (row, col, 3).
        predicted: Predicted class indices, axes (row, col); 255 = none.
        reference: Reference class indices, axes (row, col); 255 = none.
        colours: Colors of the marks.
    """
    gray = image if image.ndim == 2 else np.rint(image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    base = gray[..., np.newaxis].repeat(3, axis=-1)
    is_labeled, is_predicted = reference != IGNORE_INDEX, predicted != IGNORE_INDEX
    base = blend(base, np.full_like(base, 255), opacity=0.75, valid=~is_labeled)
    is_wrong = is_labeled & is_predicted & (predicted != reference)
    for colour, pixels in ((colours.wrong, is_wrong), (colours.not_predicted, is_labeled & ~is_predicted)):
        base = blend(base, np.broadcast_to(np.array(colour, np.uint8), base.shape), opacity=0.75, valid=pixels)
    return base


def compose_panel(
    images: Sequence[tuple[str, RgbImage]], *, legend: Legend | None = None, columns: int | None = None
) -> Image.Image:
    """Arrange titled images in rows, with a legend below.

    Args:
        images: Title and image for each cell.
        legend: Classes to list; None for no legend.
        columns: Images per row; by default, all in one row.
    """
    columns = min(columns or len(images), len(images))
    cell_height = max(image.shape[0] for _, image in images)
    cell_width = max(image.shape[1] for _, image in images)
    text = max(13, min(28, cell_width // 22))
    gap, title = text, 2 * text
    rows = -(-len(images) // columns)
    width = columns * (cell_width + gap) + gap
    entries = [] if legend is None else _layout_legend(legend, width - 2 * gap, text)
    body = rows * (cell_height + title + gap // 2)
    legend_height = entries[-1][2] + 2 * text if entries else 0
    canvas = Image.new("RGB", (width, body + legend_height + gap), BACKGROUND_COLOUR)
    draw = ImageDraw.Draw(canvas)
    for number, (name, image) in enumerate(images):
        left = gap + number % columns * (cell_width + gap)
        top = number // columns * (cell_height + title + gap // 2) + title
        draw.text((left, top - text // 3), name, fill=TEXT_COLOUR, font=_font(text), anchor="ls")
        canvas.paste(Image.fromarray(image), (left, top))
    for entry, x, y in entries:
        _draw_entry(draw, entry, (gap + x, body + gap // 2 + y), text)
    return canvas


def _layout_legend(legend: Legend, width: int, text: int) -> list[tuple[LegendEntry, int, int]]:
    """Return the position (x, y) of each class's color swatch, in lines of at most ``width`` pixels."""
    positions, x, y = [], 0, 0
    for entry in legend.entries:
        needed = round(2 * text + _font(text).getlength(entry.name)) + text
        if x > 0 and x + needed > width:
            x, y = 0, y + round(1.6 * text)
        positions.append((entry, x, y))
        x += needed
    return positions


def _draw_entry(draw: ImageDraw.ImageDraw, entry: LegendEntry, position: tuple[int, int], text: int) -> None:
    x, y = position
    draw.rectangle((x, y, x + text, y + text), fill=entry.colour, outline=BORDER_COLOUR)
    draw.text((x + 1.5 * text, y + text / 2), entry.name, fill=TEXT_COLOUR, font=_font(text), anchor="lm")


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)  # Pillow includes a scalable font
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def write_png(path: str | Path, image: RgbImage | Image.Image) -> None:
    """Write a PNG file; an existing file is replaced only once the new one is complete.

    Args:
        path: The file to write.
        image: An array (row, col, 3) or a Pillow image.

    Raises:
        OutputError: If the file cannot be written.
    """
    path = Path(path)
    converted = image if isinstance(image, Image.Image) else Image.fromarray(image)
    with output_errors(path), atomic_path(path) as temporary:
        converted.save(temporary, format="PNG", optimize=True)
