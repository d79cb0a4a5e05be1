"""Draw docs/pictures/simplified.png and docs/pictures/right_angles.png: polygons before and after generalization.

python benchmarks/polygon_pictures.py ../shared/data/derived_scenes
"""

import io
import sys
import tempfile
from pathlib import Path

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import rasterio
import shapely
from PIL import Image
from polygonize import random_mask, write_mask
from rasterio.plot import plotting_extent

from geoseg.vector.io.qgis_style import read_legend
from geoseg.vector.polygonize import polygonize

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
COLOURS = ["#8fb3d9", "#7fae6b", "#e3d28b", "#c98f6a", "#b7b7b7", "#d7a3c1"]


def save(figure: plt.Figure, name: str) -> None:
    """Save a figure as a small PNG with a color palette."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, bbox_inches="tight")
    image = Image.open(buffer).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    image.save(PICTURES / name, optimize=True)
    print(name, (PICTURES / name).stat().st_size // 1024, "kB")


def draw(axes: plt.Axes, frame: gpd.GeoDataFrame, title: str) -> None:
    frame.plot(ax=axes, color=[COLOURS[k] for k in frame["class_index"]], edgecolor="#333333", linewidth=0.6)
    points = shapely.get_num_coordinates(frame.geometry.to_numpy()).sum()
    axes.set_title(f"{title}\n{points} vertices", fontsize=9)
    axes.set_axis_off()


def simplified(folder: Path) -> None:
    write_mask(folder / "mask.tif", random_mask(48, 14, 0.0, seed=5))
    traced = polygonize(folder / "mask.tif", folder / "a.gpkg").frame
    alone = traced.set_geometry(traced.simplify(0.9), crs=traced.crs)
    polygonize_options = {"simplify_m": 0.9, "min_area_m2": 2}
    straight = polygonize(folder / "mask.tif", folder / "b.gpkg", **polygonize_options).frame
    smooth = polygonize(folder / "mask.tif", folder / "c.gpkg", smooth=True, **polygonize_options).frame
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.4))
    draw(axes[0], traced, "as traced\n")
    draw(axes[1], alone, "each alone:\ngaps red, overlaps black")
    shapes = alone.geometry.to_numpy()
    gaps = shapely.box(*traced.total_bounds) - shapely.union_all(shapes)
    one, other = shapely.STRtree(shapes).query(shapes, predicate="overlaps")
    overlaps = shapely.get_parts(shapely.intersection(shapes[one], shapes[other]))
    overlaps = overlaps[shapely.area(overlaps) > 0]
    gpd.GeoSeries([gaps]).plot(ax=axes[1], color="red", edgecolor="red", linewidth=0.5)
    gpd.GeoSeries(overlaps).plot(ax=axes[1], color="black", edgecolor="black", linewidth=0.5)
    draw(axes[2], straight, "--min-area 2\n--simplify 0.9")
    draw(axes[3], smooth, "--min-area 2\n--simplify 0.9 --smooth")
    save(figure, "simplified.png")


def right_angles(folder: Path, data: Path) -> None:
    mask = data / "oam_B_z21_mask.tif"
    traced = polygonize(mask, folder / "d.gpkg", classes=["1"]).frame
    square = polygonize(mask, folder / "e.gpkg", classes=["1"], orthogonalize=["1"], simplify_m=0.3).frame
    legend = read_legend(folder / "e.gpkg")  # the colors in QGIS
    colour = tuple(part / 255 for part in legend.entries[legend.index_of("1")].colour)
    with rasterio.open(data / "oam_B_z21.tif") as scene:
        image, extent = np.moveaxis(scene.read([1, 2, 3]), 0, -1), plotting_extent(scene)
    figure, axes = plt.subplots(1, 2, figsize=(12, 6))
    left, right, bottom, top = extent
    for panel, frame, title in zip(
        axes, (traced, square), ("as traced", "--simplify 0.3 --orthogonalize"), strict=True
    ):
        panel.imshow(image, extent=extent)
        frame.plot(ax=panel, facecolor=(*colour, 0.35), edgecolor="white", linewidth=1.2)
        panel.set_xlim(left, left + (right - left) * 0.55)
        panel.set_ylim(bottom + (top - bottom) * 0.45, top)
        panel.set_title(title, fontsize=10)
        panel.set_axis_off()
    save(figure, "right_angles.png")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        simplified(Path(name))
        right_angles(Path(name), Path(sys.argv[1]))
