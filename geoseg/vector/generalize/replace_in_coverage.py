"""Replace polygons of a coverage by other shapes, so that it remains a coverage.

All borders around are cut where they cross, and the faces between them are assigned: a face inside a new shape belongs to
this shape; a face inside another polygon stays with that polygon; a face that only an old shape covered goes to the
neighbor with the longest shared border.
"""

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.generalize.adjacency import find_shared_borders
from geoseg.vector.tracing.ragged_arrays import IntArray

UNASSIGNED = -1
"""Owner of faces that only an old shape covered."""

OUTSIDE = -2
"""Owner of faces outside all polygons."""


def replace_in_coverage(
    geometries: NDArray[np.object_], positions: IntArray, shapes: NDArray[np.object_]
) -> tuple[NDArray[np.object_], IntArray]:
    """Replace polygons, and adapt their neighbors.

    Args:
        geometries: Polygons and MultiPolygons, a coverage.
        positions: Which of them to replace.
        shapes: The shape that replaces each.

    Returns:
        The remaining polygons, and the position that each had before.
    """
    is_changed = ~shapely.equals(geometries[positions], shapes)
    positions, shapes = positions[is_changed], shapes[is_changed]
    if not len(positions):
        return geometries, np.arange(len(geometries))
    old = geometries[positions]
    around = shapely.STRtree(geometries).query(np.concatenate([shapes, old]), predicate="intersects")[1]
    others = np.setdiff1d(around, positions)
    faces = _find_faces(np.concatenate([geometries[others], old, shapes]))
    owner = np.full(len(faces), OUTSIDE)
    points = shapely.point_on_surface(faces)
    for areas, names in (
        (old, np.full(len(positions), UNASSIGNED)), (geometries[others], others), (shapes, positions),
    ):  # fmt: skip
        face, area = shapely.STRtree(areas).query(points, predicate="within")
        owner[face] = names[area]
    owner = _assign_rest(faces, owner)
    faces, owner = faces[owner >= 0], owner[owner >= 0]
    order = np.argsort(owner, kind="stable")
    rebuilt, starts = np.unique(owner[order], return_index=True)
    result = geometries.copy()
    result[rebuilt] = [shapely.coverage_union_all(faces[some]) for some in np.split(order, starts[1:])]
    removed = np.setdiff1d(np.concatenate([others, positions]), rebuilt)
    remaining = np.setdiff1d(np.arange(len(geometries)), removed)
    return result[remaining], remaining


def _find_faces(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Find the areas between all borders."""
    lines = shapely.union_all(shapely.boundary(geometries))
    return shapely.get_parts(shapely.polygonize([lines]))


def _assign_rest(faces: NDArray[np.object_], owner: IntArray) -> IntArray:
    """Assign the unassigned faces to the owner with the longest shared border, neighbors of owners first."""
    owner = owner.copy()
    first, second, length = find_shared_borders(faces)
    while True:
        is_open = (owner[first] == UNASSIGNED) & (owner[second] >= 0)
        if not is_open.any():
            return owner
        gap, neighbor, side = first[is_open], owner[second[is_open]], length[is_open]
        pairs, position = np.unique(np.stack([gap, neighbor], axis=1), axis=0, return_inverse=True)
        sums = np.bincount(position, side)
        best = np.lexsort((-sums, pairs[:, 0]))
        best = best[np.diff(pairs[best, 0], prepend=-1) > 0]
        owner[pairs[best, 0]] = pairs[best, 1]
