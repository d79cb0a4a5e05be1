"""Settings that make the sample recipe a matter of seconds."""

from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "sample_data"

FAST = [
    f"data.root={SAMPLE}",
    "model.backbone=lcnet_050",
    "model.head={name: deeplabv3plus, channels: 32}",
    "train.iterations=3",
    "train.warmup=1",
    "train.validate_every=2",
    "train.batch=2",
    "train.crop=64",
    "train.workers=0",
    "train.precision=float32",
    "predict.tile=256",
    "predict.halo=16",
]
