"""Prepared files of every kind of data set, and crops on disk in every layout."""

from pathlib import Path

from command import INPUTS, case, geoseg

ARCHIVES = INPUTS / "archives"
PREPARED = INPUTS / "prepared"
INCOMPLETE = "data.complete=false"

BENCHMARKS = {
    "potsdam": {
        "rgb": (),
        "irrg-full": ("data.images=irrg", "data.labels=full"),
        "rgbir": ("data.images=rgbir",),
        "coarse": ("data.gsd=0.1",),
        "bands": ("data.bands=[green, red]",),
    },
    "vaihingen": {"eroded": (), "full": ("data.labels=full",)},
    "isaid": {"plain": (INCOMPLETE,)},
    "loveda": {
        "all": (INCOMPLETE,),
        "urban": (INCOMPLETE, "data.domain=urban"),
        "shift": (INCOMPLETE, "data.domain=rural-to-urban"),
        "train-target": (
            INCOMPLETE,
            "data.domain=urban-to-rural",
            "data.protocol=train-target",
            "data.validate_on=target",
        ),
        "oracle": (INCOMPLETE, "data.domain=urban-to-rural", "data.baseline=oracle"),
    },
}
"""Changes of the recipe for each benchmark's archives, by name."""

TORCHGEO = """
data:
  dataset: torchgeo
  name: LoveDA
  root: {root}
  splits: {{train: train, val: {{share: 0.3}}}}
"""

FOLDER = """
data:
  dataset: folder
  root: {root}
  images: "images/{{name}}.tif"
  labels: {labels}
  legend: {{a: "#FF0000", b: "#00FF00", c: "#0000FF"}}
  splits: {{train: a, val: b}}
"""

KINDS = {
    "colour": '"colour/{name}.tif"',
    "palette": '"palette/{name}.png"',
    "index": '"index/{name}.tif"',
    "polygons": "polygons.gpkg\n  column: kind",
}
"""Patterns of labels by their kind."""


def prepare(
    recipe: object, root: object, output: str, *changes: str, words: tuple[str, ...] = (), code: int = 0
) -> None:
    """Prepare a data set into a folder.

    Args:
        recipe: The recipe.
        root: Folder of the archives, or None for the recipe's own.
        output: The folder.
        *changes: Changes of the recipe.
        words: More options.
        code: The exit code that is right.
    """
    settings = [word for change in changes for word in ("--set", change)]
    roots = () if root is None else (root,)
    geoseg("prepare", recipe, *roots, "-o", output, *settings, *words, code=code)


@case("prepare-benchmarks")
def benchmarks() -> None:
    """Prepare the archives of each benchmark as each recipe may want them."""
    for name, kinds in BENCHMARKS.items():
        for kind, changes in kinds.items():
            prepare(name, ARCHIVES / name, f"{name}-{kind}", *changes)


@case("prepare-shift")
def shift() -> None:
    """Prepare the shift between two cities, and compressed scenes."""
    prepare("potsdam-to-vaihingen", ARCHIVES / "shift", "shift", INCOMPLETE)
    prepare("potsdam-to-vaihingen", ARCHIVES / "shift", "back", INCOMPLETE, "data.source=vaihingen", "data.gsd=0.05")
    prepare("vaihingen", ARCHIVES / "vaihingen", "compressed", words=("--compress",))


@case("prepare-folders")
def folders() -> None:
    """Prepare labels of every kind, the sample scenes, the town, and a data set of torchgeo."""
    for kind, labels in KINDS.items():
        Path(f"{kind}.yaml").write_text(FOLDER.format(root=INPUTS / "kinds", labels=labels))
        prepare(f"{kind}.yaml", None, kind)
    prepare(INPUTS / "sample.yaml", None, "sample")
    prepare(INPUTS / "tiny.yaml", None, "town")
    Path("torchgeo.yaml").write_text(TORCHGEO.format(root=ARCHIVES / "loveda-unpacked"))
    prepare("torchgeo.yaml", None, "torchgeo")


@case("tile")
def tile() -> None:
    """Cut scenes and prepared folders into crops, by each rule, in each layout."""
    images, labels = INPUTS / "sample/images", INPUTS / "sample/labels"
    small = ("--size", "64", "--stride", "48")
    counts = []
    for rule in ("plain", "isprs", "isaid"):
        words = (*small, "--rule", rule)
        counts.append(geoseg("tile", images, "--count", *words))
        geoseg("tile", images / "mill.tif", images / "collar.tif", "-o", f"scenes-{rule}", *words, "--labels", labels)
        geoseg("tile", INPUTS / "scenes/scene.tif", "-o", f"empty-{rule}", *words, "--keep-empty")
    for name in ("potsdam", "vaihingen", "isaid", "loveda"):
        rule = ("--rule", "isaid" if name == "isaid" else "isprs")
        half = ("--size", "32", "--stride", "24")
        geoseg("tile", PREPARED / name, "-o", f"{name}-geotiff", *half)
        counts.append(geoseg("tile", PREPARED / name, "--count", "--layout", "published", *rule, *half))
        geoseg("tile", PREPARED / name, "-o", f"{name}-published", "--layout", "published", *rule, *half)
    Path("counts.txt").write_text("".join(counts))
