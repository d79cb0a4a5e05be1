"""The plan of a synthetic small town: streets, the blocks between them, and the use of each block.

A place is planned in a rotated frame at the center of the canvas. Streets run along and across it, and the rectangles
between them are blocks. Uses are assigned to blocks from the center outward, so that the first uses of a place are always
in the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import things
from canvas import Bools, Canvas, Floats, Frame, Patch
from things import ASPHALT, BRICK, CLUTTER, GRAVEL, IMPERVIOUS, LAWN, LOW_VEGETATION, PAVEMENT, SOIL, WHITE

QUARTER = math.pi / 2
LANE, WALK = 3.0, 1.6  # meters: half a roadway, one sidewalk


@dataclass(frozen=True)
class Street:
    """A slightly winding street."""

    axis: Frame
    """Center of the street, with the heading along it."""
    bend_m: float
    """Amplitude of the winding in meters."""
    period_m: float
    """Meters along the street per radian of the winding."""

    def spot(self, along: float, across: float) -> Frame:
        """Return a frame on the street with its heading, `across` meters from the center line."""
        turn = math.atan(self.bend_m / self.period_m * math.cos(along / self.period_m))
        return self.axis.at(along, self.bend_m * math.sin(along / self.period_m) + across, turn)

    def offsets(self, canvas: Canvas) -> tuple[Patch, Floats]:
        """Return all pixels in the frame of the street, and their distance from its center line in meters."""
        patch = canvas.patch(self.axis, 2 * max(canvas.size_m))
        return patch, np.abs(patch.across - self.bend_m * np.sin(patch.along / self.period_m))


@dataclass(frozen=True)
class Block:
    """A rectangle between streets: its center with the heading along its longer side, and its sides in meters."""

    frame: Frame
    length: float
    depth: float


def build(canvas: Canvas, heading_deg: float, uses: tuple[str, ...], rng: np.random.Generator) -> None:
    """Paint a place on a bare canvas: ground, streets, blocks, then trees and cars along the streets."""
    height, width = canvas.size_m
    middle = Frame(height / 2, width / 2, math.radians(heading_deg))
    everywhere = canvas.patch(middle, height + width)
    canvas.paint(everywhere, np.ones(canvas.label.shape, bool), LAWN.varied(rng), LOW_VEGETATION)
    reach = math.hypot(height, width) / 2
    lines = _lines(reach, rng), _lines(reach, rng)
    streets = _streets(middle, lines, rng)
    _pave(canvas, streets, rng)
    for number, block in enumerate(_blocks(middle, lines)):
        USES[uses[number % len(uses)]](canvas, block, rng)
    _line_streets(canvas, streets, reach, rng)


def _lines(reach: float, rng: np.random.Generator) -> list[float]:
    """Return the positions of streets on an axis, in meters from the center, slightly beyond `reach`."""
    lines = [-rng.uniform(24, 44)]
    while lines[0] > -reach:
        lines.insert(0, lines[0] - rng.uniform(56, 80))
    while lines[-1] < reach:
        lines.append(lines[-1] + rng.uniform(56, 80))
    return lines


def _streets(middle: Frame, lines: tuple[list[float], list[float]], rng: np.random.Generator) -> list[Street]:
    """Return the streets across the lines of the first axis, then of the second."""
    axes = [middle.at(along, 0.0, QUARTER) for along in lines[0]]
    axes += [middle.at(0.0, across) for across in lines[1]]
    return [Street(axis, rng.uniform(-1.8, 1.8), rng.uniform(15, 30)) for axis in axes]


def _blocks(middle: Frame, lines: tuple[list[float], list[float]]) -> list[Block]:
    """Return the rectangles between the lines without streets and verges, ordered by distance from the center."""
    blocks = []
    margin = 2 * (LANE + WALK + 1.9)
    for left, right in zip(lines[0], lines[0][1:], strict=False):
        for top, bottom in zip(lines[1], lines[1][1:], strict=False):
            along, across = (left + right) / 2, (top + bottom) / 2
            sides = right - left - margin, bottom - top - margin
            turn = 0.0 if sides[0] >= sides[1] else QUARTER
            blocks.append((math.hypot(along, across), middle.at(along, across, turn), sides))
    blocks.sort(key=lambda entry: entry[0])
    return [Block(frame, max(sides), min(sides)) for _, frame, sides in blocks]


def _pave(canvas: Canvas, streets: list[Street], rng: np.random.Generator) -> None:
    """Paint sidewalks, roadways and markings of all streets together, so that junctions are connected."""
    shape = canvas.label.shape
    offsets = [street.offsets(canvas) for street in streets]
    patch = offsets[0][0]
    near = np.min([distance for _, distance in offsets], axis=0)
    crossings = np.sum([distance < LANE + 3.5 for _, distance in offsets], axis=0) > 1
    canvas.paint(patch, near < LANE + WALK, PAVEMENT.varied(rng), IMPERVIOUS)
    canvas.paint(patch, near < LANE + 0.3, PAVEMENT, IMPERVIOUS, shade=1.12)
    canvas.paint(patch, near < LANE, ASPHALT.varied(rng), IMPERVIOUS, shade=0.94 + 0.05 * np.cos(near * 3.7))
    dashes: Bools = np.zeros(shape, bool)
    for own, distance in offsets:
        dashes |= (distance < 0.18) & (np.mod(own.along, 6.0) < 3.0)
    canvas.paint(patch, dashes & ~crossings, WHITE)
    _zebras(canvas, offsets, rng)


def _zebras(canvas: Canvas, offsets: list[tuple[Patch, Floats]], rng: np.random.Generator) -> None:
    """Paint crosswalks at the junctions of some streets."""
    for own, distance in offsets:
        if rng.random() < 0.5:
            continue
        others = [far for patch, far in offsets if patch is not own]
        nearest = np.min(others, axis=0)
        stripes = np.mod(distance, 1.2) < 0.6
        band = (nearest > LANE + 2.4) & (nearest < LANE + 4.6) & (distance < LANE - 0.2)
        canvas.paint(own, band & stripes, WHITE)


def _line_streets(canvas: Canvas, streets: list[Street], reach: float, rng: np.random.Generator) -> None:
    """Paint parked and moving cars, then rows of trees, along every street."""
    for street in streets:
        for along in np.arange(-reach, reach, 6.3):
            side, driving = rng.choice([-1, 1]), rng.random() < 0.3
            spot = street.spot(along + rng.uniform(-0.6, 0.6), side * (1.6 if driving else LANE - 1.2))
            if rng.random() < 0.3:
                things.car(canvas, spot, rng)
        side, spacing = rng.choice([-1, 1]), rng.uniform(8, 12)
        for along in np.arange(-reach, reach, spacing):
            if rng.random() < 0.7:
                things.tree(canvas, street.spot(along, side * (LANE + WALK + 2.2)), rng.uniform(2.0, 3.4), rng)


def _scatter_trees(canvas: Canvas, block: Block, count: int, radius_m: tuple[float, float],
                   rng: np.random.Generator) -> None:  # fmt: skip
    """Paint trees at random places of a block."""
    for _ in range(count):
        along, across = rng.uniform(-0.5, 0.5, 2) * (block.length, block.depth)
        things.tree(canvas, block.frame.at(along, across), rng.uniform(*radius_m), rng)


def _houses(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Paint two rows of lots with house, driveway and garden."""
    lots = max(2, round(block.length / rng.uniform(13, 16)))
    lot_length = block.length / lots
    for side in (-1, 1):
        for lot in range(lots):
            along = (lot + 0.5) * lot_length - block.length / 2
            # The heading is such that +across always points to the street in front.
            frame = block.frame.at(along, side * block.depth / 4, 0.0 if side > 0 else math.pi)
            _lot(canvas, Block(frame, lot_length, block.depth / 2), rng)
    _scatter_trees(canvas, block, 26, (1.4, 4.2), rng)


def _lot(canvas: Canvas, lot: Block, rng: np.random.Generator) -> None:
    """Paint a house lot: lawn in its own shade of green, driveway with a car, house, patio, shed or pool, trees."""
    canvas.box(lot.frame, lot.length - 0.6, lot.depth, LAWN.varied(rng, 0.15, 0.08), LOW_VEGETATION)
    drive = lot.frame.at(lot.length / 2 - 2.0, lot.depth / 4 + 1.5)
    canvas.box(drive, 3.0, lot.depth / 2 + 5, things.pick(rng, (PAVEMENT, BRICK, GRAVEL)), IMPERVIOUS)
    size = lot.length * rng.uniform(0.64, 0.76), rng.uniform(8.5, 11)
    turn = rng.normal(0, 0.06) + (QUARTER if rng.random() < 0.2 else 0.0)
    terrace = lot.frame.at(-1.5, -4.5)
    canvas.box(terrace, size[0] * 0.6, 6.5, things.pick(rng, (PAVEMENT, BRICK)), IMPERVIOUS)
    things.house(canvas, lot.frame.at(-1.3, 1.0, turn + math.pi), size, rng)
    corner = lot.frame.at(lot.length * rng.uniform(-0.3, 0.3), -lot.depth / 2 + 2.0)
    if rng.random() < 0.3:
        things.pitched_roof(canvas, corner, (3.6, 2.8), 2.2, things.pick(rng, things.TILES))
    elif rng.random() < 0.3:
        canvas.box(corner, 6.6, 3.6, PAVEMENT, IMPERVIOUS)
        canvas.box(corner, 5.4, 2.7, things.POOL, CLUTTER)
    if rng.random() < 0.75:
        things.car(canvas, drive.at(0.0, 1.5, QUARTER), rng)


def _rows(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Paint two long rows of row houses, with gardens and trees between them and driveways in front."""
    canvas.box(block.frame, block.length, block.depth, LAWN.varied(rng), LOW_VEGETATION)
    for side, turn in ((-1, math.pi), (1, 0.0)):
        front = block.frame.at(0.0, side * block.depth * 0.43, turn)
        canvas.box(front, block.length * 0.9, block.depth * 0.14, things.pick(rng, (PAVEMENT, BRICK)), IMPERVIOUS)
        row = block.frame.at(0.0, side * block.depth * 0.25, turn)
        things.pitched_roof(canvas, row, (block.length * 0.88, 10.5), 5.0, things.pick(rng, things.TILES))
        for along in np.arange(-0.4, 0.41, 0.16) * block.length:
            canvas.box(row.at(along, 1.2), 0.9, 0.9, BRICK, height_m=10.0)
            canvas.box(row.at(along + 2.5, 3.0), 1.0, 1.4, things.GLASS)
            things.car(canvas, front.at(along + rng.uniform(0, 3), 0.0, QUARTER), rng)
    _scatter_trees(canvas, Block(block.frame, block.length, block.depth * 0.2), 18, (1.6, 3.4), rng)


def _flats(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Paint flat-roofed buildings in a court, with a row of parked cars."""
    court = things.pick(rng, (ASPHALT, PAVEMENT, BRICK))
    canvas.box(block.frame, block.length, block.depth * 0.96, court, IMPERVIOUS)
    tall = rng.uniform(6, 11)
    main = block.frame.at(0.0, -block.depth * 0.24, rng.normal(0, 0.02))
    things.flat_roof(canvas, main, (block.length * 0.86, block.depth * 0.38), tall, rng)
    wing = main.at(-block.length * 0.28, block.depth * 0.34)
    things.flat_roof(canvas, wing, (block.length * 0.3, block.depth * 0.3), tall * 0.8, rng)
    green = block.frame.at(block.length * 0.1, block.depth * 0.12)
    canvas.box(green, block.length * 0.42, block.depth * 0.2, LAWN.varied(rng), LOW_VEGETATION)
    for along in (-0.1, 0.1):
        things.tree(canvas, green.at(along * block.length, 0.0), block.depth * 0.1, rng)
    _bay(canvas, block.frame.at(block.length * 0.1, block.depth * 0.4), block.length * 0.7, 0.7, rng)


def _bay(canvas: Canvas, frame: Frame, length: float, full: float, rng: np.random.Generator) -> None:
    """Paint a row of marked parking spaces; `full` is the occupied share."""
    for along in np.arange(-length / 2, length / 2, 2.7):
        canvas.box(frame.at(along - 1.35, 0.0), 0.3, 5.0, WHITE)
        if rng.random() < full:
            turn = rng.choice([-1, 1]) * QUARTER + rng.normal(0, 0.03)
            things.car(canvas, frame.at(along, rng.normal(0, 0.2), turn), rng)


def _parking(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Paint a parking lot with rows of spaces and green strips with small trees."""
    canvas.box(block.frame, block.length, block.depth, ASPHALT.varied(rng), IMPERVIOUS)
    for across in np.arange(-block.depth / 2 + 3.2, block.depth / 2 - 2.5, 11.5):
        _bay(canvas, block.frame.at(0.0, across), block.length - 5, rng.uniform(0.3, 0.7), rng)
        strip = block.frame.at(0.0, across + 3.9)
        canvas.box(strip, block.length - 7, 2.2, LAWN.varied(rng), LOW_VEGETATION)
        for along in np.arange(-block.length / 2 + 5, block.length / 2 - 4, 9.0):
            things.tree(canvas, strip.at(along, 0.0), rng.uniform(1.3, 1.8), rng)


def _park(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Paint a park: lawn, crossing gravel paths, groups of trees."""
    canvas.box(block.frame, block.length, block.depth, LAWN.varied(rng), LOW_VEGETATION, shade=0.95)
    for turn in rng.uniform(0.3, 0.9, 2) * (1, -1):
        canvas.box(block.frame.at(0.0, 0.0, turn), block.length * 1.05, 2.4, GRAVEL, IMPERVIOUS)
    for _ in range(6):
        along, across = rng.uniform(-0.36, 0.36, 2) * (block.length, block.depth)
        group = Block(block.frame.at(along, across), 15, 15)
        _scatter_trees(canvas, group, 10, (2.2, 5.0), rng)


def _field(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Paint a field in rows, green or dry, with trees on its edge."""
    patch = canvas.patch(block.frame, math.hypot(block.length, block.depth) / 2)
    rows = 1 + 0.14 * np.sin(patch.across * (2 * np.pi / 1.8))
    crop = things.pick(rng, (things.CROP, things.STUBBLE))
    canvas.paint(patch, patch.box(block.length, block.depth), crop, LOW_VEGETATION, shade=rows)
    edge = Block(block.frame.at(0.0, -block.depth / 2), block.length, 4)
    _scatter_trees(canvas, edge, 14, (1.6, 3.6), rng)


def _site(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Paint a construction site: bare soil, wheel tracks, heaps, containers."""
    patch = canvas.patch(block.frame, math.hypot(block.length, block.depth) / 2)
    ragged = patch.box(block.length * 0.9, block.depth * 0.9) & (canvas.noise[patch.window][..., 2] < 1.6)
    canvas.paint(patch, ragged, SOIL.varied(rng), CLUTTER)
    track = np.abs(np.abs(patch.across - 3 * np.sin(patch.along / 7)) - 0.9) < 0.35
    canvas.paint(patch, track & ragged, SOIL, shade=0.78)
    for _ in range(7):
        along, across = rng.uniform(-0.33, 0.33, 2) * (block.length, block.depth)
        things.heap(canvas, block.frame.at(along, across), rng.uniform(2.2, 5.5), rng)
    for number in range(4):
        spot = block.frame.at((number - 1.5) * 7, block.depth * 0.37, rng.normal(0, 0.08))
        things.container(canvas, spot, rng)


def _pond(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Paint a pond on a meadow with trees."""
    canvas.box(block.frame, block.length, block.depth, LAWN.varied(rng), LOW_VEGETATION)
    things.pond(canvas, block.frame, block.depth * 0.3, rng)
    _scatter_trees(canvas, block, 40, (1.8, 4.6), rng)


USES: dict[str, Callable[[Canvas, Block, np.random.Generator], None]] = {
    "houses": _houses,
    "rows": _rows,
    "flats": _flats,
    "parking": _parking,
    "park": _park,
    "field": _field,
    "site": _site,
    "pond": _pond,
}
