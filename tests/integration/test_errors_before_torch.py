"""Errors that need no network are reported before torch, GeoPandas and other libraries that take seconds are imported."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import rasterio
from helpers.prepared import labelled_folder
from helpers.rasters import make_raster, noise
from pyproj import CRS
from rasterio.transform import from_origin
from safetensors.numpy import save_file

from geoseg.bundle import make_header
from geoseg.config.recipe import ModelSection
from geoseg.legend import Legend
from geoseg.model_card import ModelCard

HEAVY = ("torch", "torchvision", "lightning", "torchmetrics", "timm", "torchgeo", "openvino", "numba", "matplotlib",
         "geopandas", "pandas", "pyogrio", "sklearn", "scipy")  # fmt: skip
"""Libraries whose import takes longer than the answer."""

RUN_COMMANDS = """
import json, sys
from click.testing import CliRunner
from geoseg_cli.main import main
rows = []
for line in json.load(sys.stdin):
    result = CliRunner().invoke(main, line)
    imported = [name for name in json.loads(sys.argv[1]) if name in sys.modules]
    rows.append([line, result.exit_code, result.output, imported])
print(json.dumps(rows))
"""

RUN_CALLS = """
import json, sys
import geoseg
rows = []
for verb, arguments, options in json.load(sys.stdin):
    try:
        getattr(geoseg, verb)(*arguments, **options)
        error = ""
    except geoseg.GeosegError as raised:
        error = str(raised)
    imported = [name for name in json.loads(sys.argv[1]) if name in sys.modules]
    rows.append([verb, arguments, options, error, imported])
print(json.dumps(rows))
"""

TOWN = "data: {dataset: folder, root: town, legend: {a: null, b: null, c: null}, splits: {train: a, val: b}}\n"

TRAIN = [
    "absent.yaml", "town.yaml --set train.batchs=2", "town.yaml --set train.batch=many", "broken.yaml",
    "town.yaml --set model.head=deeplabv4", "town.yaml --set model.head.chanels=3", "town.yaml --set model.head.channels=0",
    "town.yaml --set model.backbone=resnet5O", "town.yaml --set train.sampler.size=3",
    "town.yaml --set train.sampler.attempts=0", "town.yaml --set loss=[{name:dice,smoth:1}]",
    "town.yaml --set loss=[{name:cross_entropy,class_weights:[1,2]}]", "town.yaml --set loss=[dice,dice]",
    "town.yaml --set train.device=gpu", "town.yaml --set train.monitor=iou_a", "town.yaml --set data.root=absent",
    "town.yaml --set data.legnd=[a]", "town.yaml --name a/b", "town.yaml --runs town.yaml", "town.yaml --device gpu",
    "town.yaml --devices many",
]  # fmt: skip

COMMANDS = {
    "train": TRAIN,
    "prepare": [
        "absent", "town.yaml absent", "town.yaml --set data.legnd=[a]", "town.yaml --set data.colunm=a",
        "town.yaml -o filled", "town.yaml --check --set data.root=absent",
    ],
    "tile": ["absent.tif -o crops", "scene.tif -o filled", "scene.tif -o crops --layout qgis", "scene.tif"],
    "predict": [
        "scene.tif -o new.tif --model absent.safetensors", "scene.tif -o new.tif --model broken.yaml",
        "absent.tif -o new.tif --model model.safetensors", "broken.yaml -o new.tif --model model.safetensors",
        "scene.tif -o mask.tif --model model.safetensors", "scene.tif -o absent/new.tif --model model.safetensors",
        "scene.tif -o new.jpg --model model.safetensors", "scene.tif -o new.tif --model model.safetensors --device gpu",
        "scene.tif -o new.tif --model model.safetensors --tta all",
        "scene.tif -o new.tif --model model.safetensors --bands red,grin,blue",
        "scene.tif -o new.tif --model model.safetensors --aoi absent.gpkg",
        "scene.tif -o new.tif --model model.safetensors --bbox 0,0,1,1",
        "scene.tif -o new.tif --model model.safetensors --mode slide --stride 9999",
        "scene.tif -o new.tif --model model.safetensors --confidence mask.tif",
        "scene.tif -o new.tif --model model.safetensors --preview absent/new.png",
        "mask.tif -o new.tif --model model.safetensors", "absent/*.tif -o filled --model model.safetensors",
        "scene.tif mask.tif -o absent/new --model model.safetensors",
    ],
    "evaluate": [
        "absent.yaml --model model.safetensors", "town.yaml --model absent.safetensors",
        "town.yaml --model model.safetensors --split tset", "town.yaml --set data.rot=a --model model.safetensors",
        "town.yaml --model model.safetensors --protocol absent", "town.yaml --model model.safetensors --objects d",
        "town.yaml --model model.safetensors --device gpu", "town.yaml --model model.safetensors --json scores.json",
        "--mask absent.tif --reference mask.tif", "--mask mask.tif --reference absent.tif",
        "--mask mask.tif --reference absent.gpkg", "--mask mask.tif --reference mask.tif --objects d",
        "--mask scene.tif --reference mask.tif", "--scene absent.tif --reference mask.tif --model model.safetensors",
        "--scene scene.tif --reference mask.tif --model absent.safetensors",
        "--scene scene.tif --reference absent.tif --model model.safetensors",
    ],
    "report": [
        "absent", "model.safetensors -o scores.json", "model.safetensors --recipe absent.yaml -o new.html",
        "model.safetensors -o absent/new.html", "model.safetensors --recipe town.yaml --split tset -o new.html",
        "--mask absent.tif --reference mask.tif -o new.html", "model.safetensors -o new.html",
        "model.safetensors --device gpu -o new.html",
    ],
    "gap": [
        "absent.tif scene.tif -o new.html", "scene.tif absent.tif -o new.html", "scene.tif -o new.html",
        "scene.tif --model absent.safetensors -o new.html", "scene.tif scene.tif -o scores.html",
        "town.yaml:tset scene.tif -o new.html", "scene.tif scene.tif --device gpu -o new.html",
        "scene.tif scene.tif -o absent/new.html",
    ],
    "import": [
        "absent.pth -o new.safetensors", "broken.yaml -o new.safetensors", "broken.yaml -o new.pth",
        "broken.yaml -o model.safetensors", "broken.yaml -o new.safetensors --recipe absent.yaml",
        "broken.yaml -o absent/new.safetensors",
    ],
    "polygonize": [
        "absent.tif", "scene.tif", "mask.tif -o absent/new.gpkg", "mask.tif -o new.xyz", "mask.tif -o layer.gpkg",
        "mask.tif -o new.gpkg --crs EPSG:1", "mask.tif -o new.gpkg --confidence absent.tif",
        "mask.tif -o new.gpkg --classes lake",
        "mask.tif -o new.geojson --crs EPSG:3857", "mask.tif -o new.gpkg --append --overwrite",
    ],
    "picture": [
        "absent.tif -o new.png", "scene.tif -o scores.json", "scene.tif -o new.png --mask absent.tif",
        "scene.tif -o new.png --polygons absent.gpkg", "scene.tif -o new.png --reference absent.gpkg",
    ],
    "info": ["absent.tif", "absent.gpkg", "absent.safetensors", "absent.yaml", "broken.yaml", "absent"],
    "submit": [
        "loveda --model absent.safetensors --data . -o new.zip", "loveda --model model.safetensors --data . -o new.zip",
        "loveda --model lake.safetensors --data absent -o new.zip", "--check absent.zip", "--check broken.yaml",
        "loveda --model model.safetensors --data . -o scores.json",
    ],
    "recipes": ["--jsn"],
}  # fmt: skip
"""Wrong calls of each command."""

CALLS = [
    ("train", ["town.yaml"], {"overrides": ["train.device=gpu"]}),
    ("train", ["absent.yaml"], {}),
    ("prepare", ["absent.yaml"], {}),
    ("tile", [["absent.tif"], "crops"], {}),
    ("predict", ["absent.tif"], {"model": "model.safetensors"}),
    ("predict", ["scene.tif"], {"model": "model.safetensors", "precision": "half"}),
    ("predict", ["scene.tif"], {"model": "model.safetensors", "engine": "tensorrt"}),
    ("predict", ["scene.tif"], {"model": "model.safetensors", "device": "gpu"}),
    ("predict", ["scene.tif", "mask.tif"], {"model": "model.safetensors"}),
    ("evaluate", ["town.yaml"], {"model": "absent.safetensors"}),
    ("evaluate", ["town.yaml"], {"model": "model.safetensors", "tta": "all"}),
    ("evaluate_mask", ["absent.tif", "mask.tif"], {}),
    ("evaluate_scenes", ["absent.tif", "mask.tif"], {"model": "model.safetensors"}),
    ("report", ["absent.safetensors", "new.html"], {}),
    ("measure_shift", ["absent.tif", "scene.tif"], {}),
    ("import_checkpoint", ["absent.pth", "new.safetensors"], {}),
    ("polygonize", ["absent.tif"], {}),
    ("polygonize", ["mask.tif", "new.gpkg"], {"connectivity": 6}),
    ("describe", ["absent.tif"], {}),
    ("load", ["absent.safetensors"], {}),
    ("load_recipe", ["absent.yaml"], {}),
    ("submit", ["absent.safetensors", ".", "new.zip"], {}),
    ("check_submission", ["absent.zip"], {}),
]
"""Wrong calls of Python functions: name, arguments, options."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files to make mistakes with: scene, mask, model, recipe with data, and outputs that exist."""
    root = tmp_path_factory.mktemp("errors")
    grid = {"crs": CRS(32633).to_wkt(), "transform": from_origin(400_000, 5_000_000, 1, 1)}
    make_raster(root / "scene.tif", noise(3, 64, 64), **grid)
    legend = Legend.of({"a": None, "b": None, "c": None})
    with rasterio.open(
        make_raster(root / "mask.tif", np.zeros((1, 64, 64), np.uint8), nodata=255, **grid), "r+"
    ) as mask:
        mask.update_tags(GEOSEG_CLASSES=legend.to_json())
    write_model(root / "model.safetensors", legend)
    labelled_folder(root / "town")
    (root / "town.yaml").write_text(TOWN)
    (root / "broken.yaml").write_text("data: [\n")
    for name in ("layer.gpkg", "scores.json", "scores.html"):
        (root / name).write_text("")
    (root / "filled").mkdir()
    (root / "filled/notes.txt").write_text("")
    return root


def write_model(path, legend):
    """Write a model with a card and without a network."""
    card = ModelCard(
        model=ModelSection(), legend=legend, bands=("red", "green", "blue"), mean=(0.0,) * 3, std=(1.0,) * 3,
        minimum=(0.0,) * 3, maximum=(255.0,) * 3, dtype="uint8", gsd=1.0, crop=64, tile=64, halo=8,
    )  # fmt: skip
    save_file({"weight": np.zeros(1, np.float32)}, path, metadata=make_header(card.to_json(), "none"))


def run(code, content, folder):
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(HEAVY)],
        input=json.dumps(content), cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_call_of_a_command_imports_nothing_heavy(command, folder):
    lines = [[command, *line.split()] for line in COMMANDS[command]]
    for line, exit_code, output, imported in run(RUN_COMMANDS, lines, folder):
        assert exit_code in (1, 2), (line, output)
        assert "Error: " in output, (line, output)
        assert imported == [], (line, output)


def test_every_command_is_called_wrongly(geoseg_command):
    assert set(COMMANDS) == set(geoseg_command.list_commands(None))


def test_a_wrong_call_of_a_function_imports_nothing_heavy(folder):
    for verb, arguments, options, error, imported in run(RUN_CALLS, CALLS, folder):
        assert error, (verb, arguments, options)
        assert imported == [], (verb, arguments, options, error)


def test_an_error_takes_seconds_on_a_slow_computer_at_most(folder):
    """The promise is a second; a busy computer gets ten times that, less than importing torch takes there."""
    start = time.monotonic()
    run(RUN_COMMANDS, [["train", "town.yaml", "--set", "train.batchs=2"]], folder)
    assert time.monotonic() - start < 10
