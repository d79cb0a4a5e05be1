"""Puts other shapes in the place of some polygons of a coverage, so that it stays one: neighbours give way or fill up.

All borders around are cut where they cross, and the faces between them given out: what lies in a new shape is its own;
what lies in another polygon stays that one's; what an old shape left goes to the neighbour with the longest border.
"""

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.generalize.merge_small import borders
from geoseg.vector.tracing.connected_components import Integers

Geometries = NDArray[np.object_]

NOBODY = -1


def replaced(geometries: Geometries, chosen: Integers, shapes: Geometries) -> tuple[Geometries, Integers]:
    """The coverage with ``shapes`` for the polygons at the ``chosen`` positions; and the position each came from."""
    changed = ~shapely.equals(geometries[chosen], shapes)
    chosen, shapes = chosen[changed], shapes[changed]
    if not len(chosen):
        return geometries, np.arange(len(geometries))
    around = shapely.STRtree(geometries).query(np.concatenate([shapes, geometries[chosen]]), predicate="intersects")[1]
    others = np.setdiff1d(around, chosen)
    faces = _faces(np.concatenate([geometries[others], geometries[chosen], shapes]))
    owner = _owners(faces, geometries, chosen, shapes, others)
    owner = _given_out(faces, owner)
    owner[owner < 0] = NOBODY
    faces, owner = faces[owner != NOBODY], owner[owner != NOBODY]
    order = np.argsort(owner, kind="stable")
    names, starts = np.unique(owner[order], return_index=True)
    rebuilt = [shapely.coverage_union_all(faces[some]) for some in np.split(order, starts[1:])]
    result = geometries.copy()
    result[names] = rebuilt
    gone = np.setdiff1d(np.concatenate([others, chosen]), names)
    left = np.setdiff1d(np.arange(len(geometries)), gone)
    return result[left], left


def _faces(geometries: Geometries) -> Geometries:
    """The areas between all borders."""
    lines = shapely.union_all(shapely.boundary(geometries))
    return shapely.get_parts(shapely.polygonize([lines]))


def _owners(
    faces: Geometries, geometries: Geometries, chosen: Integers, shapes: Geometries, others: Integers
) -> Integers:
    """The position of the polygon each face belongs to; NOBODY for what an old shape left, -2 for what was nobody's."""
    points = shapely.point_on_surface(faces)
    owner = np.full(len(faces), -2)
    for areas, names in (
        (geometries[chosen], np.full(len(chosen), NOBODY)), (geometries[others], others), (shapes, chosen),
    ):  # fmt: skip
        face, which = shapely.STRtree(areas).query(points, predicate="within")
        owner[face] = names[which]
    return owner


def _given_out(faces: Geometries, owner: Integers) -> Integers:
    """Owners, where what an old shape left belongs to the owner it shares the longest border with."""
    owner = owner.copy()
    first, second, length = borders(faces)
    while True:
        open_ = (owner[first] == NOBODY) & (owner[second] >= 0)
        if not open_.any():
            return owner
        gap, to, side = first[open_], owner[second[open_]], length[open_]
        pairs, position = np.unique(np.stack([gap, to], axis=1), axis=0, return_inverse=True)
        sums = np.bincount(position, side)
        best = np.lexsort((-sums, pairs[:, 0]))
        best = best[np.diff(pairs[best, 0], prepend=-1) > 0]
        owner[pairs[best, 0]] = pairs[best, 1]
