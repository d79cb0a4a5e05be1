"""Convert a painted canvas to a photograph: sun and shadow, then atmosphere, lens and sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from canvas import Canvas, Floats
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

# Sunlight is slightly warm and skylight blue, so shadows in aerial photographs are bluish.
SUN_COLOUR = np.array([0.82, 0.80, 0.76], np.float32)
SKY_COLOUR = np.array([0.30, 0.35, 0.42], np.float32)
STEEPEST = 1.3  # rise over run; limits the shading of steep crowns
BLUR = 0.55  # pixels (sigma): the point spread of lens and sensor


@dataclass(frozen=True)
class Light:
    """Illumination and exposure of a scene; they differ between scenes like flights on different days."""

    azimuth_deg: float
    """Azimuth of the sun in degrees, clockwise from north."""
    elevation_deg: float
    """Elevation of the sun above the horizon in degrees."""
    exposure: float = 1.0
    """Overall brightness."""
    warmth: float = 0.0
    """Color balance: relative gain of red and loss of blue."""
    haze: float = 0.0
    """Light scattered into the lens, as a share of full scale."""

    def towards_sun(self) -> tuple[float, float, float]:
        """Return the unit vector (row, col, up) from the ground to the sun."""
        azimuth, elevation = math.radians(self.azimuth_deg), math.radians(self.elevation_deg)
        flat = math.cos(elevation)
        return -math.cos(azimuth) * flat, math.sin(azimuth) * flat, math.sin(elevation)


def photograph(canvas: Canvas, light: Light, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the aerial image (band, row, col) of the canvas in red, green, blue; no pixel is 0 in any band."""
    sunlit = _facing_sun(canvas, light) * (1 - _shadow(canvas, light))
    radiance = canvas.albedo * (SUN_COLOUR * sunlit[..., None] + SKY_COLOUR)
    return _expose(radiance, light, rng)


def _facing_sun(canvas: Canvas, light: Light) -> Floats:
    """Return the sunlight on each surface by its slope (Lambert), relative to level ground."""
    row, col, up = light.towards_sun()
    steepness = np.hypot(canvas.slope[..., 0], canvas.slope[..., 1])
    slope = canvas.slope * np.minimum(1, STEEPEST / np.maximum(steepness, 1e-6))[..., None]
    cosine = up - row * slope[..., 0] - col * slope[..., 1]
    cosine /= np.sqrt(1 + (slope**2).sum(axis=-1))
    return np.clip(cosine / up, 0.0, 1.5).astype(np.float32)


def _shadow(canvas: Canvas, light: Light) -> Floats:
    """Return the strength of the shadow, 0 to 1, from obstacles between every pixel and the sun.

    np.roll wraps at the borders; make.py crops a margin that is wider than any shadow.
    """
    row, col, up = light.towards_sun()
    flat = math.hypot(row, col)
    climb = canvas.gsd * up / flat  # rise of the ray in meters per pixel
    hidden = np.zeros(canvas.label.shape, bool)
    for step in range(1, math.ceil(float(canvas.height_m.max()) / climb) + 1):
        move = (-round(step * row / flat), -round(step * col / flat))
        obstacle = np.roll(canvas.height_m, move, axis=(0, 1))
        hidden |= obstacle > canvas.height_m + np.float32(step * climb + 0.15)
    shadow: Floats = 0.92 * gaussian_filter(hidden.astype(np.float32), 0.6)
    return shadow


def _expose(radiance: Floats, light: Light, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Convert radiance (row, col, band) to counts (band, row, col): blur, color balance, haze, noise, rounding."""
    balance = np.array([1 + light.warmth, 1.0, 1 - light.warmth], np.float32)
    seen = gaussian_filter(radiance, (BLUR, BLUR, 0)) * balance * np.float32(light.exposure * 255)
    seen = seen * np.float32(1 - light.haze) + np.float32(light.haze * 255)
    noise = rng.standard_normal(seen.shape, dtype=np.float32)
    counts = seen + noise * (1.0 + 0.11 * np.sqrt(np.maximum(seen, 0)))
    # 0 is reserved for nodata: the darkest valid pixel is 1.
    pixels: NDArray[np.uint8] = np.clip(np.rint(counts), 1, 255).astype(np.uint8)
    return pixels.transpose(2, 0, 1)
