"""Compare prediction with mmsegmentation's sliding-window inference and a loop over torchgeo's GridGeoSampler.

    python benchmarks/parity benchmarks/predict.py               12 minutes per round on 2 cores (--rounds, --times, --model)
    python benchmarks/predict.py --device cuda                   on a GPU, with the libraries that are installed

All libraries use the same weights: OpenMMLab's DeepLabV3+ with ResNet-18 and output stride 8, trained for a few minutes
on the sample data. They read the same GeoTIFF and write a mask: mmsegmentation with its test pipeline, as a PNG;
torchgeo with the usual loop, in which probabilities are summed on a canvas of the size of the scene, as a GeoTIFF; and
geoseg in the same way as `geoseg predict`, with colors and overviews. *Forward* is only geoseg's engine, on the same
tiles in memory. Libraries alternate. Prints Markdown: medians, ratios within a round, and mean IoU against the labels.
"""

import argparse
import math
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
import torch

from geoseg.bundle import Bundle
from geoseg.config.load import load_recipe
from geoseg.grid.tiling import tiles
from geoseg.inference.options import PredictOptions
from geoseg.inference.predict import predict
from geoseg.inference.predictor import Predictor
from geoseg.inference.predictor_cache import PredictorCache
from geoseg.inference.task import open_task
from geoseg.metrics import ConfusionMatrix
from geoseg.training.train import train

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "sample_data"
NETWORK = "deeplabv3plus_r18-d8_4xb4-80k_potsdam-512x512"
TILE, STRIDE, HALO = 512, 341, 64
BATCH = 4
PLAIN: dict[str, Any] = {"precision": "float32", "engine": "torch"}


class Side(NamedTuple):
    """A library that predicts the mask."""

    name: str
    run: Callable[[], None]
    mask: Callable[[], np.ndarray] | None
    """Function that returns the class indices (row, col) of the last run."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--times", type=int, default=8, help="copies of the sample scene along each axis; even")
    parser.add_argument("--iterations", type=int, default=150, help="iterations of training, if no model is given")
    parser.add_argument("--model", type=Path, help="a model of OpenMMLab's R-18 network trained on the sample data")
    parser.add_argument("--skip", nargs="+", default=[], help="words in the names of sides to skip")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        contest(Path(folder), options)


def contest(folder: Path, options: argparse.Namespace) -> None:
    """Run all libraries in alternation."""
    sys.path.insert(0, str(ROOT / "benchmarks" / "parity"))
    scene, labels = made_scene(folder, options.times)
    path = options.model or trained(folder, options)
    bundle, device = Bundle.load(path), options.device
    sides = [
        geoseg("geoseg", scene, folder / "a.tif", path, device=device),
        geoseg("geoseg, float32", scene, folder / "b.tif", path, device=device, precision="float32"),
        geoseg("geoseg, torch, float32", scene, folder / "c.tif", path, device=device, **PLAIN),
        geoseg("geoseg --mode slide", scene, folder / "d.tif", path, device=device, mode="slide", stride=STRIDE),
        forward(scene, path, device),
    ]
    if find_spec("mmseg"):
        sides.append(mmsegmentation(scene, folder / "e.png", mmsegmentation_network(bundle).to(device)))
    if find_spec("torchgeo"):
        sides.append(torchgeo(scene, folder / "f.tif", bundle, device))
    sides = [side for side in sides if not any(word in side.name for word in options.skip)]
    seconds: dict[str, list[float]] = {side.name: [] for side in sides}
    for _ in range(options.rounds):
        for side in sides:
            begun = time.perf_counter()
            side.run()
            seconds[side.name].append(time.perf_counter() - begun)
            print(f"{side.name}: {seconds[side.name][-1]:.1f} s", file=sys.stderr, flush=True)
    show(sides, seconds, labels)


def show(sides: list[Side], seconds: dict[str, list[float]], labels: np.ndarray) -> None:
    """Print the table."""
    height, width = labels.shape
    place = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    print(f"{height} x {width} pixels, torch {torch.__version__}, {place}\n")
    print("| | seconds | Mpx/s | times geoseg's | mean IoU |")
    print("|---|--:|--:|--:|--:|")
    for side in sides:
        taken = seconds[side.name]
        median = statistics.median(taken)
        ratio = statistics.median(mine / first for mine, first in zip(taken, seconds["geoseg"], strict=True))
        iou = "" if side.mask is None else f"{100 * mean_iou(side.mask(), labels):.2f}"
        print(f"| {side.name} | {median:.1f} | {height * width / 1e6 / median:.2f} | {ratio:.2f} | {iou} |")


def mean_iou(mask: np.ndarray, labels: np.ndarray) -> float:
    counts = ConfusionMatrix(6)
    counts.update(mask, labels)
    return counts.mean_iou


def made_scene(folder: Path, times: int) -> tuple[Path, np.ndarray]:
    """Write a large scene that consists of mirrored copies of a sample scene; return its path and labels (row, col)."""
    found = []
    for kind in ("images", "labels"):
        with rasterio.open(SAMPLE / kind / "school.tif") as file:
            pixels, profile = file.read(), file.profile
        rows = np.concatenate([pixels, pixels[:, ::-1]], axis=1)
        block = np.concatenate([rows, rows[:, :, ::-1]], axis=2)
        found.append(np.tile(block, (1, times // 2, times // 2)))
        if kind == "images":
            profile.update(height=found[0].shape[1], width=found[0].shape[2], blockxsize=512, blockysize=512)
            with rasterio.open(folder / "scene.tif", "w", **profile) as file:
                file.write(found[0])
    return folder / "scene.tif", found[1][0]


def trained(folder: Path, options: argparse.Namespace) -> Path:
    """Train OpenMMLab's network for a short time, with mmsegmentation's configuration if it is installed."""
    sample = [f"data.root={SAMPLE}", f"data.prepared={folder}/prepared", f"train.device={options.device}"]
    recipe = load_recipe("sample.yaml", [*sample, "model.output_stride=8"])
    if find_spec("mmseg"):
        import peer
        from networks import imported

        path = next(path for path in peer.configurations() if path.stem == NETWORK)
        recipe = recipe.model_copy(update={"model": imported(peer.build(path), path).model})
    count = options.iterations
    steps = {"iterations": count, "validate_every": count, "warmup": min(20, count // 4)}
    recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update=steps)})
    return Path(train(recipe, runs=folder / "runs").bundle.source)


def geoseg(name: str, scene: Path, output: Path, model: Path, **options: Any) -> Side:
    """Return the run of ``geoseg predict``, including loading the model."""
    given: dict[str, Any] = {"tile": TILE, "batch": BATCH}
    given |= options if "mode" in options else {"halo": HALO, **options}
    return Side(
        name, lambda: predict(scene, output, model=model, overwrite=True, **given) and None, lambda: read(output)
    )


def forward(scene: Path, model: Path, device: str) -> Side:
    """Return the run of geoseg's engine only, on tiles in memory."""
    options = PredictOptions(tile=TILE, halo=HALO, device=device, batch=BATCH)
    with open_task(scene, PredictorCache.of(model), options) as job:
        height, width = job.grid.shape
        views = [tile.view for tile in tiles(height, width, TILE, HALO)]
        rasters = [job.scene.read(view) for view in views]
        per_row = math.ceil(width / (TILE - 2 * HALO))
        batches = [
            rasters[row + first : min(row + first + BATCH, row + per_row)]
            for row in range(0, len(rasters), per_row)
            for first in range(0, per_row, BATCH)
        ]
        pixels = job.input_pixels

    predictor = Predictor(Bundle.load(model), device, "auto", "auto", pixels=pixels)

    def run() -> None:
        for batch in batches:
            predictor.logits(batch)
        if predictor.device.type == "cuda":
            torch.cuda.synchronize()

    return Side("forward of the same tiles", run, None)


def mmsegmentation_network(bundle: Bundle) -> Any:
    """Build mmsegmentation's network with the weights and the normalization of the bundle."""
    import peer
    from mmengine.config import ConfigDict

    from geoseg.models.weights.openmmlab_names import to_geoseg_name

    theirs = peer.build(next(path for path in peer.configurations() if path.stem == NETWORK), auxiliary=False)
    ours = bundle.network.state_dict()
    theirs.load_state_dict({key: ours[to_geoseg_name(key)] for key in theirs.state_dict()})
    theirs.test_cfg = ConfigDict(mode="slide", crop_size=(TILE, TILE), stride=(STRIDE, STRIDE))
    for name in ("mean", "std"):
        getattr(theirs.data_preprocessor, name)[:] = torch.tensor(getattr(bundle.card, name)).reshape(3, 1, 1)
    return theirs.eval()


def mmsegmentation(scene: Path, output: Path, theirs: Any) -> Side:
    """Return the run of mmsegmentation: test pipeline, sliding-window inference, and writing the mask as a PNG."""
    from mmcv.transforms import Compose
    from PIL import Image

    pipeline = Compose([{"type": "LoadImageFromFile"}, {"type": "PackSegInputs"}])

    def run() -> None:
        data = pipeline({"img_path": str(scene)})
        with torch.inference_mode():
            (found,) = theirs.test_step({"inputs": [data["inputs"]], "data_samples": [data["data_samples"]]})
        Image.fromarray(found.pred_sem_seg.data[0].cpu().numpy().astype(np.uint8)).save(output)

    return Side("mmsegmentation, slide", run, lambda: np.asarray(Image.open(output)))


def torchgeo(scene: Path, output: Path, bundle: Bundle, device: str) -> Side:
    """Return the run of torchgeo: GridGeoSampler, DataLoader, averaging probabilities on a canvas, writing a GeoTIFF."""
    from torch.utils.data import DataLoader
    from torchgeo.datasets import RasterDataset, stack_samples
    from torchgeo.samplers import GridGeoSampler

    network = bundle.network.eval().to(device)
    mean, std = (torch.tensor(getattr(bundle.card, name)).reshape(1, 3, 1, 1).to(device) for name in ("mean", "std"))

    def run() -> None:
        with rasterio.open(scene) as file:
            profile, (height, width), inverse = file.profile, file.shape, ~file.transform
        dataset = RasterDataset(scene)
        loader = DataLoader(
            dataset, batch_size=BATCH, sampler=GridGeoSampler(dataset, TILE, STRIDE), collate_fn=stack_samples
        )
        # The sampler starts at the lower left corner and extends beyond the upper and right edges.
        canvas, seen = torch.zeros(6, height + TILE, width + TILE), torch.zeros(height + TILE, width + TILE)
        for batch in loader:
            with torch.inference_mode():
                probabilities = network((batch["image"].to(device) - mean) / std).softmax(1).cpu()
            for bounds, each in zip(batch["bounds"], probabilities, strict=True):
                col, row = map(round, inverse * (bounds[0].start, bounds[1].stop))
                row += TILE
                canvas[:, row : row + TILE, col : col + TILE] += each
                seen[row : row + TILE, col : col + TILE] += 1
        mask = (canvas / seen.clamp(min=1))[:, TILE:, :width].argmax(0).numpy().astype(np.uint8)
        profile.update(count=1, photometric=None, predictor=1, compress="deflate")
        with rasterio.open(output, "w", **{key: value for key, value in profile.items() if value is not None}) as file:
            file.write(mask, 1)

    return Side("torchgeo, GridGeoSampler", run, lambda: read(output))


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        pixels: np.ndarray = file.read(1)
    return pixels


if __name__ == "__main__":
    main()
