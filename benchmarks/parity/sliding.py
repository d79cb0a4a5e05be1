"""Compare prediction from the same file and weights to the mask: sliding-window inference and ms+flip."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import peer
import torch
from mmcv.transforms import Compose
from mmengine.config import ConfigDict
from mmseg.models.segmentors import SegTTAModel
from networks import imported, largest
from part import Part
from torch import Tensor, nn

from geoseg.bundle import Bundle
from geoseg.config.recipe import ModelSection
from geoseg.inference.compatibility import make_input_plan
from geoseg.inference.predict import predict
from geoseg.inference.prediction_area import PredictionArea
from geoseg.inference.predictor import Predictor
from geoseg.inference.sliding.slide_inference import make_sliding_window
from geoseg.inference.tile_pipeline import TileCounter, TileRunner
from geoseg.inference.tta import MULTI_SCALES, TTA
from geoseg.legend import Legend
from geoseg.model_card import ModelCard
from geoseg.progress import silent
from geoseg.raster.scene import Scene
from geoseg.raster.writers.memory import MemoryWriter

NETWORK = "deeplabv3plus_r18-d8_4xb4-80k_potsdam-512x512"
TILE, STRIDE = 96, 64
SIZES = ((96, 96), (73, 99), (45, 57), (161, 96), (270, 301))
"""(height, width) of images: one tile, smaller along one axis, smaller along both, one tile along one axis, and not a
multiple of the stride."""
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def compare_sliding() -> Iterator[Part]:
    """Compare logits or probabilities over all images, and the fraction of pixels with a different class."""
    path = next(path for path in peer.configurations() if path.stem == NETWORK)
    theirs = peer.build(path, auxiliary=False)
    peer.randomise(theirs, seed=6)
    theirs.eval()
    ours = Predictor(Bundle(imported(theirs, path).network, card(theirs.num_classes)), "cpu")
    sizes = ", ".join(f"{rows} x {cols}" for rows, cols in SIZES)
    windows = f"windows of {TILE}, stride {STRIDE}; {sizes}"
    with tempfile.TemporaryDirectory() as folder:
        images = [noise(Path(folder) / f"{rows}x{cols}.png", rows, cols) for rows, cols in SIZES]
        yield from compare_images("slide", windows, theirs, ours, images, "none")
        yield from compare_images("slide, ms+flip", windows, theirs, ours, images, "ms+flip")
        yield compare_whole(theirs, ours, images)


def compare_images(
    name: str, cases: str, theirs: nn.Module, ours: Predictor, images: Sequence[Path], tta: str
) -> Iterator[Part]:
    """Yield two rows of the table: for the scores, and for the masks that result from them."""
    theirs.test_cfg = ConfigDict(mode="slide", crop_size=(TILE, TILE), stride=(STRIDE, STRIDE))
    gaps, others = [], []
    for path in images:
        told, classes = their_logits(theirs, path) if tta == "none" else their_probabilities(theirs, path)
        gaps.append(largest(told - our_scores(ours, path, tta)))
        others.append((classes != torch.from_numpy(our_mask(ours, path, tta))).float().mean().item())
    yield Part(name, cases, max(gaps), "logits" if tta == "none" else "probabilities")
    yield Part(f"{name}: masks", cases, max(others), "fraction of pixels with a different class")


def compare_whole(theirs: nn.Module, ours: Predictor, images: Sequence[Path]) -> Part:
    """Compare prediction of whole images as one tile each, as in OpenMMLab's tests on these datasets."""
    theirs.test_cfg = ConfigDict(mode="whole")
    gaps = []
    for path in images:
        with Scene.open(path) as scene:
            own = ours.probabilities([scene.read(scene.grid.window)], TTA["ms+flip"])
        gaps.append(largest(their_probabilities(theirs, path)[0] - own[0]))
    sizes = ", ".join(f"{rows} x {cols}" for rows, cols in SIZES)
    return Part("whole images, ms+flip", sizes, max(gaps), "probabilities")


def their_logits(theirs: nn.Module, path: Path) -> tuple[Tensor, Tensor]:
    """Return mmsegmentation's logits (class, row, col) and class indices (row, col)."""
    data = pipeline([{"type": "PackSegInputs"}])({"img_path": str(path)})
    (found,) = theirs.test_step({"inputs": [data["inputs"]], "data_samples": [data["data_samples"]]})
    return found.seg_logits.data, found.pred_sem_seg.data[0]


class Remembering(SegTTAModel):
    """mmsegmentation's test-time augmentation, modified to keep the mean probabilities."""

    def merge_preds(self, data_samples_list: Any) -> Any:
        """Return the masks, and keep the mean probabilities from which they result."""
        merged = super().merge_preds(data_samples_list)
        self.mean = torch.stack([each.seg_logits.data.softmax(0) for each in data_samples_list[0]]).mean(0)
        return merged


def their_probabilities(theirs: nn.Module, path: Path) -> tuple[Tensor, Tensor]:
    """Return the mean probabilities (class, row, col) and class indices (row, col) from mmsegmentation's ms+flip."""
    scales = [{"type": "Resize", "scale_factor": scale, "keep_ratio": True} for scale in MULTI_SCALES]
    flips = [{"type": "RandomFlip", "prob": prob, "direction": "horizontal"} for prob in (0.0, 1.0)]
    augment = {"type": "TestTimeAug", "transforms": [scales, flips, [{"type": "PackSegInputs"}]]}
    data = pipeline([augment])({"img_path": str(path)})
    averaging = Remembering(theirs)
    batch = {name: [[each] for each in data[name]] for name in ("inputs", "data_samples")}
    (found,) = averaging.test_step(batch)
    classes = found.pred_sem_seg.data
    return averaging.mean, classes[0] if classes.ndim == 3 else classes


def pipeline(steps: Sequence[dict[str, Any]]) -> Compose:
    return Compose([{"type": "LoadImageFromFile"}, *steps])


def our_scores(ours: Predictor, path: Path, tta: str) -> Tensor:
    """Return geoseg's logits or, with test-time augmentation, probabilities (class, row, col)."""
    with Scene.open(path) as scene:
        plan = make_input_plan(scene, ours.card, tile=TILE, halo=0)
        sliding = make_sliding_window(scene, plan, PredictionArea(scene.grid.window), ours.card, stride=STRIDE, tta=tta)
        return torch.cat(
            [values for _, values in sliding.scores(TileRunner(ours, 4, TileCounter(silent(0, ""))))], dim=1
        )


def our_mask(ours: Predictor, path: Path, tta: str) -> np.ndarray:
    sink = MemoryWriter()
    bundle = Bundle(ours.network, ours.card)
    predict(path, sink, model=bundle, device="cpu", mode="slide", tile=TILE, stride=STRIDE, tta=tta)
    return sink.mask


def noise(path: Path, rows: int, cols: int) -> Path:
    """Write an image of coarse and fine noise, so that results differ between scales."""
    generator = np.random.default_rng((rows, cols))
    layers = [cv2.resize(generator.normal(size=(-(-rows // n), -(-cols // n), 3)), (cols, rows)) for n in (1, 7, 40)]
    cv2.imwrite(str(path), (128 + 40 * sum(layers)).clip(0, 255).astype(np.uint8))
    return path


def card(classes: int) -> ModelCard:
    """Return a model card with the preprocessing of OpenMMLab's configurations."""
    return ModelCard(
        model=ModelSection(),
        legend=Legend.of({f"class {index}": None for index in range(classes)}),
        bands=("red", "green", "blue"),
        mean=MEAN,
        std=STD,
        minimum=(0.0,) * 3,
        maximum=(255.0,) * 3,
        dtype="uint8",
        gsd=None,
        crop=TILE,
        tile=TILE,
        halo=0,
    )


if __name__ == "__main__":
    for part in compare_sliding():
        print(part)
