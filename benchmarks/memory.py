"""Measure the memory use of prediction for scenes of different widths and heights; it depends only on the width.

    python benchmarks/memory.py            6 minutes on 2 cores: scenes of up to 40,000 x 40,000 pixels
    python benchmarks/memory.py --scale 8  the same with an eighth of the width and height

Scenes are sparse files of zeros, which take no disk space, and all their pixels are valid. The network is a stub, so that
only geoseg is measured: reading, blending 6 classes in 512-pixel tiles with a halo of 64, and writing the Cloud
Optimized GeoTIFF. Each scene is predicted in its own process, and the peak memory of that process (VmHWM), including
libraries, is reported.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rasterio
import torch
from affine import Affine
from torch import Tensor, nn

from geoseg.bundle import Bundle
from geoseg.config.recipe import ModelSection
from geoseg.inference.predict import predict
from geoseg.legend import make_numbered_legend
from geoseg.model_card import ModelCard

SCENES = ((10_000, 10_000), (10_000, 40_000), (40_000, 40_000))
"""(height, width) in pixels."""
CLASSES = 6


class Stub(nn.Module):
    """Network that returns logits at almost no cost."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the first band, multiplied by the number of each class."""
        return images[:, :1].expand(-1, CLASSES, -1, -1) * torch.arange(CLASSES)[:, None, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=1, help="divisor of all sides")
    parser.add_argument(
        "--scene", type=Path, help="predict this scene and print the peak memory (used by the child processes)"
    )
    options = parser.parse_args()
    if options.scene:
        alone(options.scene)
        return
    print("| height x width | seconds | peak memory, MB |")
    print("|---|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for height, width in SCENES:
            scene = sparse(Path(folder) / "scene.tif", height // options.scale, width // options.scale)
            begun = time.perf_counter()
            command = [sys.executable, __file__, "--scene", str(scene)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds = time.perf_counter() - begun
            size = f"{height // options.scale} x {width // options.scale}"
            print(f"| {size} | {seconds:.0f} | {int(answer.stdout) / 1000:.0f} |", flush=True)


def sparse(path: Path, height: int, width: int) -> Path:
    """Write a scene of zeros that takes no disk space."""
    path.unlink(missing_ok=True)
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "height": height, "width": width, "sparse_ok": True}
    profile |= {"crs": "EPSG:32633", "transform": Affine(0.3, 0, 400_000, 0, -0.3, 5_800_000)}
    with rasterio.open(path, "w", **profile, tiled=True, blockxsize=512, blockysize=512, bigtiff="IF_SAFER"):
        pass
    return path


def alone(scene: Path) -> None:
    """Predict a scene; print the peak memory of this process in kB."""
    card = ModelCard(
        ModelSection(), make_numbered_legend(range(CLASSES)), ("red", "green", "blue"), (0.0,) * 3, (1.0,) * 3, (0.0,) * 3,
        (255.0,) * 3, "uint8", None, 512, 512, 64,
    )  # fmt: skip
    bundle = Bundle(Stub(), card)
    predict(scene, scene.with_name("mask.tif"), model=bundle, overwrite=True, device="cpu", engine="torch")
    status = Path("/proc/self/status").read_text("ascii")
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


if __name__ == "__main__":
    main()
