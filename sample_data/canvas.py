"""A canvas of ground: colour, class index and height of every pixel, and the ways to paint on it.

Things are painted in metres. A `Frame` is a place and a heading on the ground; what is painted there is
described along and across that heading, so a house is written once and stands at any angle. Heights are
painted too, because sunlight and cast shadows then follow from them (see light.py) and need no drawing.

Positions are (row, col) in metres from the canvas' upper left corner, rows growing southwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Floats = NDArray[np.floating]  # float32 throughout, to be quick
Bools = NDArray[np.bool_]
Colour = tuple[float, float, float]

# Sizes of the noise fields in metres: speckle within things, unevenness of things, drift over a garden.
NOISE_SCALES_M = (0.25, 0.9, 7.0)


@dataclass(frozen=True)
class Frame:
    """A place and a heading on the ground; at heading 0 `along` points east and `across` south."""

    row_m: float
    col_m: float
    heading: float = 0.0
    """Radians, clockwise as seen from above: `along` is (sin, cos) in (row, col), `across` (cos, -sin)."""

    def at(self, along: float, across: float, turn: float = 0.0) -> Frame:
        """The frame `along` and `across` metres away, turned by `turn` radians."""
        sin, cos = math.sin(self.heading), math.cos(self.heading)
        row = self.row_m + along * sin + across * cos
        col = self.col_m + along * cos - across * sin
        return Frame(row, col, self.heading + turn)


@dataclass(frozen=True)
class Material:
    """The look of a surface, as red, green, blue reflectance between 0 and 1."""

    colour: Colour
    other: Colour
    """The colour it drifts to over several metres (grass drying out, asphalt wearing)."""
    grain: float = 0.04
    """Relative strength of pixel-sized speckle."""
    mottle: float = 0.04
    """Relative strength of metre-sized unevenness."""

    def varied(self, rng: np.random.Generator, brightness: float = 0.12, tint: float = 0.05) -> Material:
        """Another piece of the same material: a little brighter or darker, a little off in colour."""
        gain = rng.uniform(1 - brightness, 1 + brightness) * rng.uniform(1 - tint, 1 + tint, 3)
        return replace(self, colour=_scaled(self.colour, gain), other=_scaled(self.other, gain))

    def pixels(self, noise: Floats) -> Floats:
        """Reflectance (row, col, band) under noise fields (row, col, scale)."""
        blend = np.clip(0.5 + 0.45 * noise[..., 2:], 0, 1)
        start, end = np.array(self.colour, np.float32), np.array(self.other, np.float32)
        rough = 1 + self.grain * noise[..., :1] + self.mottle * noise[..., 1:2]
        pixels: Floats = (start + (end - start) * blend) * rough
        return pixels


def _scaled(colour: Colour, gain: NDArray[np.float64]) -> Colour:
    red, green, blue = (float(c * g) for c, g in zip(colour, gain, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class Patch:
    """The pixels around a frame, with their coordinates in that frame."""

    window: tuple[slice, slice]
    """Rows and columns on the canvas."""
    along: Floats
    """Metres along the frame's heading, (row, col)."""
    across: Floats
    """Metres across the frame's heading, (row, col)."""

    def box(self, length_m: float, width_m: float) -> Bools:
        """True inside a rectangle centred on the frame."""
        return (np.abs(self.along) <= length_m / 2) & (np.abs(self.across) <= width_m / 2)

    def blob(self, radius_m: float, waves: NDArray[np.float64]) -> Floats:
        """0 at the frame's centre, 1 on a round but wavy outline; `waves` are phases in radians."""
        angle = np.arctan2(self.across, self.along)
        outline = np.ones_like(angle)
        for order, phase in enumerate(waves, start=2):
            outline += 0.16 / order * np.sin(order * angle + np.float32(phase))
        return np.hypot(self.along, self.across) / (radius_m * outline)


class Canvas:
    """Ground to paint on: reflectance, class index, height and slope per pixel, all indexed (row, col)."""

    def __init__(self, height: int, width: int, gsd: float, rng: np.random.Generator) -> None:
        """Bare level ground of `height` rows and `width` columns, `gsd` metres per pixel."""
        self.gsd = gsd
        self.albedo: Floats = np.zeros((height, width, 3), np.float32)
        self.label: NDArray[np.uint8] = np.zeros((height, width), np.uint8)
        self.height_m: Floats = np.zeros((height, width), np.float32)
        self.slope: Floats = np.zeros((height, width, 2), np.float32)
        scales = [scale / gsd for scale in NOISE_SCALES_M]
        self.noise: Floats = np.stack([smooth_noise(rng, (height, width), s) for s in scales], axis=-1)

    @property
    def size_m(self) -> tuple[float, float]:
        """Height and width in metres."""
        height, width = self.label.shape
        return height * self.gsd, width * self.gsd

    def patch(self, frame: Frame, reach_m: float) -> Patch:
        """The pixels within `reach_m` of a frame, rows and columns each; may be empty off the canvas."""
        spans = [
            slice(*(int(np.clip(round((middle + side * reach_m) / self.gsd), 0, size)) for side in (-1, 1)))
            for middle, size in zip((frame.row_m, frame.col_m), self.label.shape, strict=True)
        ]
        rows, cols = spans
        south = ((np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) * self.gsd - frame.row_m)[:, None]
        east = ((np.arange(cols.start, cols.stop, dtype=np.float32) + 0.5) * self.gsd - frame.col_m)[None, :]
        sin, cos = np.float32(math.sin(frame.heading)), np.float32(math.cos(frame.heading))
        return Patch((rows, cols), south * sin + east * cos, south * cos - east * sin)

    def paint(
        self,
        patch: Patch,
        inside: Bools,
        material: Material,
        class_index: int | None = None,
        *,
        height_m: Floats | None = None,
        shade: Floats | float = 1.0,
    ) -> None:
        """Paint the pixels where `inside` is True.

        `class_index` None leaves the class (road markings, roof windows); `height_m` None leaves the height.
        `shade` multiplies the reflectance: a number, or one per pixel of the patch.
        """
        if min(inside.shape) < 2 or not inside.any():
            return
        colour = material.pixels(self.noise[patch.window])
        self.albedo[patch.window][inside] = (colour * np.asarray(shade, np.float32)[..., None])[inside]
        if class_index is not None:
            self.label[patch.window][inside] = class_index
        if height_m is not None:
            self._raise(patch, inside, height_m)

    def _raise(self, patch: Patch, inside: Bools, height_m: Floats) -> None:
        """Set height and slope; the slope is taken before cutting out, so that edges do not shine."""
        self.height_m[patch.window][inside] = height_m[inside]
        slope = np.stack(list(np.gradient(height_m, self.gsd)), axis=-1)
        self.slope[patch.window][inside] = slope[inside]

    def box(
        self, frame: Frame, length_m: float, width_m: float, material: Material, class_index: int | None = None,
        *, height_m: float | None = None, shade: float = 1.0,
    ) -> None:  # fmt: skip
        """Paint a rectangle centred on a frame, level at `height_m` if given."""
        patch = self.patch(frame, math.hypot(length_m, width_m) / 2 + self.gsd)
        level = None if height_m is None else np.full_like(patch.along, height_m)
        self.paint(patch, patch.box(length_m, width_m), material, class_index, height_m=level, shade=shade)

    def share(self, patch: Patch, inside: Bools, classes: tuple[int, ...]) -> float:
        """Share of the pixels inside that belong to one of the classes; 0 where there are none."""
        labels = self.label[patch.window][inside]
        return float(np.isin(labels, classes).mean()) if labels.size else 0.0


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Floats:
    """Gaussian noise of unit variance, smoothed by `sigma` pixels."""
    field: Floats = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma, mode="wrap", truncate=3)
    field -= field.mean()
    field /= field.std()
    return field
