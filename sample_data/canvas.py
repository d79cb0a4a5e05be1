"""A canvas of color, class index and height per pixel, and functions that paint on it.

Units are meters. A `Frame` is a position and a heading on the ground. Objects are defined along and across this heading, so
that they can be painted at any angle. Heights are painted as well; light.py computes sunlight and shadows from them.

Positions are (row, col) in meters from the upper left corner of the canvas; rows increase to the south.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Floats = NDArray[np.floating]  # float32 everywhere, for speed
Bools = NDArray[np.bool_]
Colour = tuple[float, float, float]

# Correlation lengths of the noise fields in meters: speckle, unevenness within objects, variation across a garden.
NOISE_SCALES_M = (0.25, 0.9, 7.0)


@dataclass(frozen=True)
class Frame:
    """A position and a heading on the ground; at heading 0, `along` points east and `across` south."""

    row_m: float
    col_m: float
    heading: float = 0.0
    """Radians, clockwise seen from above: `along` is (sin, cos) in (row, col), `across` (cos, -sin)."""

    def at(self, along: float, across: float, turn: float = 0.0) -> Frame:
        """Return the frame at a distance of `along` and `across` meters, rotated by `turn` radians."""
        sin, cos = math.sin(self.heading), math.cos(self.heading)
        row = self.row_m + along * sin + across * cos
        col = self.col_m + along * cos - across * sin
        return Frame(row, col, self.heading + turn)


@dataclass(frozen=True)
class Material:
    """Appearance of a surface, as red, green and blue reflectance between 0 and 1."""

    colour: Colour
    other: Colour
    """Second color, which varies over several meters (dry grass, worn asphalt)."""
    grain: float = 0.04
    """Relative strength of pixel-sized speckle."""
    mottle: float = 0.04
    """Relative strength of unevenness of about a meter."""

    def varied(self, rng: np.random.Generator, brightness: float = 0.12, tint: float = 0.05) -> Material:
        """Return the material with a slightly different brightness and color."""
        gain = rng.uniform(1 - brightness, 1 + brightness) * rng.uniform(1 - tint, 1 + tint, 3)
        return replace(self, colour=_scaled(self.colour, gain), other=_scaled(self.other, gain))

    def pixels(self, noise: Floats) -> Floats:
        """Return the reflectance (row, col, band) for noise fields (row, col, scale)."""
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
    """Meters along the heading of the frame, (row, col)."""
    across: Floats
    """Meters across the heading of the frame, (row, col)."""

    def box(self, length_m: float, width_m: float) -> Bools:
        """Return True inside a rectangle that is centered on the frame."""
        return (np.abs(self.along) <= length_m / 2) & (np.abs(self.across) <= width_m / 2)

    def blob(self, radius_m: float, waves: NDArray[np.float64]) -> Floats:
        """Return 0 at the center of the frame, 1 on a wavy round outline; `waves` are phases in radians."""
        angle = np.arctan2(self.across, self.along)
        outline = np.ones_like(angle)
        for order, phase in enumerate(waves, start=2):
            outline += 0.16 / order * np.sin(order * angle + np.float32(phase))
        return np.hypot(self.along, self.across) / (radius_m * outline)


class Canvas:
    """Reflectance, class index, height and slope per pixel, all indexed (row, col)."""

    def __init__(self, height: int, width: int, gsd: float, rng: np.random.Generator) -> None:
        """Create bare level ground of `height` rows and `width` columns, `gsd` meters per pixel."""
        self.gsd = gsd
        self.albedo: Floats = np.zeros((height, width, 3), np.float32)
        self.label: NDArray[np.uint8] = np.zeros((height, width), np.uint8)
        self.height_m: Floats = np.zeros((height, width), np.float32)
        self.slope: Floats = np.zeros((height, width, 2), np.float32)
        scales = [scale / gsd for scale in NOISE_SCALES_M]
        self.noise: Floats = np.stack([smooth_noise(rng, (height, width), s) for s in scales], axis=-1)

    @property
    def size_m(self) -> tuple[float, float]:
        """Height and width in meters."""
        height, width = self.label.shape
        return height * self.gsd, width * self.gsd

    def patch(self, frame: Frame, reach_m: float) -> Patch:
        """Return the pixels within `reach_m` of a frame in rows and columns; may be empty outside the canvas."""
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

        With `class_index` None the class is unchanged (road markings, roof windows), with `height_m` None the height.
        `shade` multiplies the reflectance: a number, or an array with one per pixel of the patch.
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
        """Set height and slope; the slope is computed before masking, so that edges are not bright."""
        self.height_m[patch.window][inside] = height_m[inside]
        slope = np.stack(list(np.gradient(height_m, self.gsd)), axis=-1)
        self.slope[patch.window][inside] = slope[inside]

    def box(
        self, frame: Frame, length_m: float, width_m: float, material: Material, class_index: int | None = None,
        *, height_m: float | None = None, shade: float = 1.0,
    ) -> None:  # fmt: skip
        """Paint a rectangle that is centered on a frame, at the height `height_m` if given."""
        patch = self.patch(frame, math.hypot(length_m, width_m) / 2 + self.gsd)
        level = None if height_m is None else np.full_like(patch.along, height_m)
        self.paint(patch, patch.box(length_m, width_m), material, class_index, height_m=level, shade=shade)

    def share(self, patch: Patch, inside: Bools, classes: tuple[int, ...]) -> float:
        """Return the share of the pixels inside that belong to one of the classes; 0 without pixels."""
        labels = self.label[patch.window][inside]
        return float(np.isin(labels, classes).mean()) if labels.size else 0.0


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Floats:
    """Return Gaussian noise of unit variance, smoothed by `sigma` pixels."""
    field: Floats = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma, mode="wrap", truncate=3)
    field -= field.mean()
    field /= field.std()
    return field
