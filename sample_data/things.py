"""Objects of the town and their materials: roofs, tree crowns, cars, heaps, containers, water.

Each function paints one object at a frame. Some classes share colors on purpose (gray roofs and asphalt, brown roofs and
soil, green roofs and lawns, blue cars and pools), so that only shape and context separate them, as in real photographs.
"""

from __future__ import annotations

import math

import numpy as np
from canvas import Bools, Canvas, Floats, Frame, Material, Patch

IMPERVIOUS, BUILDING, LOW_VEGETATION, TREE, CAR, CLUTTER = range(6)

ASPHALT = Material((0.43, 0.43, 0.44), (0.51, 0.50, 0.48), 0.03, 0.035)
PAVEMENT = Material((0.60, 0.58, 0.55), (0.53, 0.51, 0.49), 0.04, 0.02)
BRICK = Material((0.56, 0.43, 0.37), (0.50, 0.42, 0.38), 0.05, 0.03)
GRAVEL = Material((0.62, 0.55, 0.45), (0.56, 0.50, 0.42), 0.06, 0.04)
WHITE = Material((0.86, 0.86, 0.84), (0.78, 0.78, 0.77), 0.02, 0.04)
LAWN = Material((0.37, 0.45, 0.25), (0.50, 0.50, 0.33), 0.06, 0.05)
CROP = Material((0.38, 0.46, 0.24), (0.58, 0.53, 0.34), 0.06, 0.05)
STUBBLE = Material((0.62, 0.54, 0.38), (0.55, 0.47, 0.34), 0.05, 0.05)
SOIL = Material((0.58, 0.48, 0.37), (0.48, 0.39, 0.30), 0.06, 0.07)
WATER = Material((0.20, 0.28, 0.27), (0.25, 0.33, 0.29), 0.01, 0.01)
POOL = Material((0.33, 0.60, 0.70), (0.40, 0.66, 0.74), 0.01, 0.03)
GLASS = Material((0.14, 0.16, 0.19), (0.18, 0.20, 0.23), 0.03, 0.02)
SOLAR = Material((0.15, 0.18, 0.27), (0.19, 0.22, 0.31), 0.02, 0.02)

TILES = (
    Material((0.60, 0.35, 0.27), (0.54, 0.33, 0.27), 0.05, 0.03),
    Material((0.50, 0.37, 0.28), (0.45, 0.34, 0.27), 0.05, 0.04),
    Material((0.48, 0.48, 0.49), (0.43, 0.43, 0.44), 0.03, 0.03),
    Material((0.30, 0.31, 0.33), (0.34, 0.34, 0.35), 0.04, 0.03),
    Material((0.38, 0.43, 0.49), (0.42, 0.45, 0.48), 0.03, 0.03),
)
SHEETS = (
    Material((0.47, 0.47, 0.47), (0.52, 0.51, 0.49), 0.03, 0.05),
    Material((0.66, 0.64, 0.60), (0.60, 0.58, 0.55), 0.04, 0.05),
    Material((0.38, 0.44, 0.27), (0.50, 0.47, 0.34), 0.05, 0.07),
    Material((0.45, 0.49, 0.53), (0.41, 0.45, 0.50), 0.02, 0.03),
)
LEAVES = (
    Material((0.22, 0.31, 0.15), (0.30, 0.37, 0.19), 0.12, 0.12),
    Material((0.32, 0.40, 0.19), (0.40, 0.43, 0.24), 0.12, 0.12),
    Material((0.19, 0.27, 0.18), (0.25, 0.31, 0.20), 0.12, 0.12),
    Material((0.38, 0.29, 0.21), (0.45, 0.39, 0.24), 0.12, 0.12),
)
PAINTS = (
    (0.83, 0.83, 0.82), (0.66, 0.67, 0.68), (0.45, 0.46, 0.48), (0.17, 0.17, 0.18), (0.10, 0.11, 0.12),
    (0.60, 0.15, 0.13), (0.18, 0.27, 0.50), (0.24, 0.36, 0.27), (0.55, 0.48, 0.38), (0.36, 0.37, 0.39),
)  # fmt: skip


def pick(rng: np.random.Generator, materials: tuple[Material, ...]) -> Material:
    """Return a variation of a random material."""
    return materials[rng.integers(len(materials))].varied(rng)


def _only_higher(canvas: Canvas, patch: Patch, inside: Bools, height_m: Floats) -> Bools:
    """Return the pixels of an object that are visible from above, where it is higher than others."""
    return inside & (height_m > canvas.height_m[patch.window])


def pitched_roof(canvas: Canvas, frame: Frame, size_m: tuple[float, float], eave_m: float, tile: Material,
                 *, hipped: bool = False) -> None:  # fmt: skip
    """Paint a gabled or hipped roof, with the ridge along the frame; `size_m` is (along, across)."""
    length, width = size_m
    patch = canvas.patch(frame, math.hypot(length, width) / 2 + 1)
    run = width / 2 - np.abs(patch.across)
    if hipped:
        run = np.minimum(run, length / 2 - np.abs(patch.along))
    height = (eave_m + 0.75 * run).astype(np.float32)
    inside = _only_higher(canvas, patch, patch.box(length, width), height)
    courses = 1 + 0.05 * np.sin(patch.across * (2 * np.pi / 1.05))
    canvas.paint(patch, inside, tile, BUILDING, height_m=height, shade=courses)
    ridge = inside & (np.abs(patch.across) < 0.2) & (run > width / 2 - 0.25)
    canvas.paint(patch, ridge, tile, shade=1.25)


def house(canvas: Canvas, frame: Frame, size_m: tuple[float, float], rng: np.random.Generator) -> None:
    """Paint a house: pitched roof, sometimes L-shaped, with chimney and sometimes solar panels."""
    length, width = size_m
    tile, eave, hipped = pick(rng, TILES), rng.uniform(3.2, 6.0), rng.random() < 0.25
    pitched_roof(canvas, frame, size_m, eave, tile, hipped=hipped)
    if rng.random() < 0.45:
        side = rng.choice([-1, 1])
        wing = frame.at(side * (length / 2 - width * 0.36), width * 0.55, math.pi / 2)
        pitched_roof(canvas, wing, (width * 1.1, width * 0.72), eave, tile, hipped=hipped)
    if rng.random() < 0.3 and not hipped:
        canvas.box(frame.at(0.0, -width * 0.26), length * 0.6, width * 0.27, SOLAR)
    chimney = frame.at(rng.uniform(-0.3, 0.3) * length, rng.choice([-0.12, 0.12]) * width)
    canvas.box(chimney, 0.9, 0.9, BRICK, height_m=eave + 0.38 * width + 0.9)


def flat_roof(canvas: Canvas, frame: Frame, size_m: tuple[float, float], tall_m: float,
              rng: np.random.Generator) -> None:  # fmt: skip
    """Paint an apartment building, shop or hall: flat roof with parapet, equipment and roof windows."""
    length, width = size_m
    sheet = pick(rng, SHEETS)
    canvas.box(frame, length, width, sheet, BUILDING, height_m=tall_m + 0.5, shade=1.15)
    canvas.box(frame, length - 1.2, width - 1.2, sheet, BUILDING, height_m=tall_m)
    for _ in range(int(length * width / 60)):
        spot = frame.at(rng.uniform(-0.4, 0.4) * length, rng.uniform(-0.38, 0.38) * width)
        if rng.random() < 0.5:
            canvas.box(spot, rng.uniform(1.5, 3.5), rng.uniform(1.2, 2.2), SHEETS[1], height_m=tall_m + 1.3)
        else:
            canvas.box(spot, 1.5, 1.2, WHITE.varied(rng, 0.3))


def tree(canvas: Canvas, frame: Frame, radius_m: float, rng: np.random.Generator) -> None:
    """Paint a tree crown, unless it hides too much of roofs, cars or streets."""
    leaf, tall, waves = pick(rng, LEAVES), radius_m * rng.uniform(1.5, 2.1) + 1.5, rng.uniform(0, 6.28, 4)
    patch = canvas.patch(frame, radius_m * 1.4)
    lumps = canvas.noise[patch.window][..., 1]
    rim = patch.blob(radius_m, waves) + 0.07 * lumps
    crown = rim < 1
    hidden = canvas.share(patch, crown, (BUILDING, CAR, CLUTTER))
    if hidden > 0.02 or canvas.share(patch, crown, (IMPERVIOUS,)) > 0.4:
        return
    dome = np.sqrt(np.clip(1 - rim**2, 0, 1))
    height = (tall * (0.45 + 0.55 * dome) + 0.55 * lumps).astype(np.float32)
    visible = _only_higher(canvas, patch, crown, height)
    canvas.paint(patch, visible, leaf, TREE, height_m=height, shade=0.75 + 0.3 * dome)


def car(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint a car of about 4.5 x 1.9 m, sometimes a van; only on free paved ground."""
    van = rng.random() < 0.08
    length, width, tall = (6.2, 2.2, 2.5) if van else (rng.uniform(4.1, 4.9), rng.uniform(1.8, 2.05), 1.4)
    paint = PAINTS[0 if van else rng.integers(len(PAINTS))]
    body = Material(paint, paint, 0.02, 0.02).varied(rng, 0.15)
    patch = canvas.patch(frame, length / 2 + 1)
    if canvas.share(patch, patch.box(length + 0.5, width + 0.5), (IMPERVIOUS,)) < 1:
        return
    rounded = patch.box(length, width) & (np.abs(patch.along) / length + np.abs(patch.across) / width < 0.93)
    canvas.paint(patch, rounded, body, CAR, height_m=np.full_like(patch.along, tall))
    front = 0.42 * length if van else 0.16 * length
    canvas.box(frame.at(front, 0.0), 0.75, width * 0.8, GLASS)
    if not van:
        canvas.box(frame.at(-0.31 * length, 0.0), 0.6, width * 0.76, GLASS)


def container(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Paint a corrugated steel container of 6 x 2.4 m; it has the colors of cars but is clutter."""
    paint = PAINTS[rng.choice([0, 2, 5, 6, 7, 8])]
    patch = canvas.patch(frame, 3.5)
    ribs = 1 + 0.12 * np.sign(np.sin(patch.along * (2 * np.pi / 0.9)))
    steel, level = Material(paint, paint).varied(rng), np.full_like(patch.along, 2.6)
    canvas.paint(patch, patch.box(6.0, 2.4), steel, CLUTTER, height_m=level, shade=ribs)


def heap(canvas: Canvas, frame: Frame, radius_m: float, rng: np.random.Generator) -> None:
    """Paint a heap of earth or rubble."""
    material = SOIL.varied(rng, 0.2, 0.06)
    patch = canvas.patch(frame, radius_m * 1.4)
    rim = patch.blob(radius_m, rng.uniform(0, 6.28, 4))
    lumps = canvas.noise[patch.window][..., 1]
    height = (radius_m * 0.55 * np.clip(1 - rim, 0, 1) + 0.12 * lumps).astype(np.float32)
    canvas.paint(patch, _only_higher(canvas, patch, rim < 1, height), material, CLUTTER, height_m=height)


def pond(canvas: Canvas, frame: Frame, radius_m: float, rng: np.random.Generator) -> None:
    """Paint a pond; the water is clutter, its muddy rim low vegetation."""
    patch = canvas.patch(frame, radius_m * 1.6)
    rim = patch.blob(radius_m, rng.uniform(0, 6.28, 4))
    canvas.paint(patch, rim < 1.1, LAWN, LOW_VEGETATION, shade=0.7)
    canvas.paint(patch, rim < 1, WATER.varied(rng), CLUTTER, shade=0.85 + 0.2 * rim)
