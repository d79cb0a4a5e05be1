"""Polygons in every format with every option, and pictures of them."""

import shutil

from command import INPUTS, case, geoseg

FORMATS = ("gpkg", "geojson", "fgb", "parquet", "shp")

OPTIONS = {
    "plain": (),
    "connectivity": ("--connectivity", "8"),
    "fill-holes": ("--fill-holes", "1.5"),
    "min-area": ("--min-area", "2"),
    "simplify": ("--simplify", "0.5"),
    "smooth": ("--smooth",),
    "simplify-smooth": ("--simplify", "0.4", "--smooth"),
    "orthogonalize": ("--orthogonalize", "building"),
    "classes": ("--classes", "building,tree"),
    "dissolve": ("--dissolve",),
    "confidence": ("--confidence", INPUTS / "confidence.tif"),
    "probabilities": ("--confidence", INPUTS / "probabilities.tif"),
    "crs": ("--crs", "EPSG:25833"),
    "all": ("--min-area", "2", "--fill-holes", "1", "--simplify", "0.4", "--smooth", "--orthogonalize", "building,car",
            "--confidence", INPUTS / "confidence.tif", "--connectivity", "8"),
    "all-dissolved": ("--min-area", "2", "--simplify", "0.4", "--classes", "building,tree,car", "--dissolve"),
}  # fmt: skip
"""Every option alone, then many of them together."""

MASK = INPUTS / "mask.tif"
LABELS = INPUTS / "sample/labels/school.tif"
"""An index raster that no model made: large, regular shapes."""


@case("polygons-options")
def options() -> None:
    """Try each option on a mask of many small polygons and on one of regular shapes."""
    for name, words in OPTIONS.items():
        geoseg("polygonize", MASK, "-o", f"{name}.gpkg", *words)
        geoseg("polygonize", MASK, "-o", f"{name}.parquet", *words)
    for name in ("plain", "min-area", "simplify-smooth", "fill-holes", "connectivity", "dissolve"):
        geoseg("polygonize", LABELS, "-o", f"labels-{name}.parquet", *OPTIONS[name])


@case("polygons-formats")
def formats() -> None:
    """Write each format, bare and with many options."""
    for suffix in FORMATS:
        for name in ("plain", "all", "all-dissolved"):
            geoseg("polygonize", MASK, "-o", f"{name}.{suffix}", *OPTIONS[name])
        geoseg("polygonize", MASK, "-o", f"per-class.{suffix}", "--per-class", *OPTIONS["min-area"])
    geoseg("polygonize", INPUTS / "scenes/plain.tif", "-o", "none.gpkg", code=1)


@case("polygons-append")
def append() -> None:
    """Append to each format, and overwrite."""
    for suffix in FORMATS:
        geoseg("polygonize", MASK, "-o", f"twice.{suffix}", *OPTIONS["min-area"])
        geoseg("polygonize", MASK, "-o", f"twice.{suffix}", *OPTIONS["all"][:-4], "--append")
        geoseg("polygonize", MASK, "-o", f"twice.{suffix}", "--append", "--classes", "tree")
        geoseg("polygonize", MASK, "-o", f"twice.{suffix}", code=1)
        geoseg("polygonize", MASK, "-o", f"over.{suffix}")
        geoseg("polygonize", MASK, "-o", f"over.{suffix}", *OPTIONS["dissolve"], "--overwrite")
    geoseg("polygonize", MASK, "-o", "new.gpkg", "--append")


@case("polygons-of-polygons")
def polygons() -> None:
    """Generalise polygons, and draw them."""
    geoseg("polygonize", MASK, "-o", "first.gpkg", "--min-area", "1")
    for name in ("plain", "fill-holes", "min-area", "simplify-smooth", "orthogonalize", "dissolve", "classes"):
        geoseg("polygonize", "first.gpkg", "-o", f"{name}.gpkg", *OPTIONS[name])
    shutil.copy(MASK, "mask.tif")
    geoseg("polygonize", "mask.tif")
    scene = INPUTS / "scenes/scene.tif"
    geoseg("picture", scene, "-o", "outlines.png", "--polygons", "first.gpkg")
    geoseg("picture", scene, "-o", "all.png", "--mask", MASK, "--polygons", "first.gpkg", "--longest", "300")
