"""A recipe says everything about a training run. This file is the only home of defaults.

Each section is a frozen pydantic model that refuses unknown keys. Below every field stand its unit and meaning.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from geoseg.config.component import HeadPart, LossPart, Part, SamplerPart, WeightedPart


class Section(BaseModel):
    """What all sections share: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class DataSection(BaseModel):
    """Which labelled scenes to learn from. Keys that are not listed here are options of the dataset."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    dataset: str = "folder"
    """Name of a dataset (a file in ``geoseg/data/datasets``)."""
    root: Path | None = None
    """Folder that the dataset's paths are relative to."""
    bands: tuple[str, ...] | None = None
    """Band names to use, in this order; all bands of the first scene if not given."""
    gsd: float | None = Field(None, gt=0)
    """Metres per pixel to learn at; scenes further off than a factor of 1.25 are resampled. None: as they are."""
    prepared: Path = Path("prepared")
    """Folder for prepared scenes (images and index masks), one folder inside per declaration."""
    compress: bool = False
    """Compress prepared scenes: about half the disk space, about half the crops per second."""
    unknown_share: float = Field(0.0, ge=0, le=1)
    """Share of a label file's pixels that may have a colour or value outside the legend; more is refused."""

    @property
    def options(self) -> dict[str, Any]:
        """The dataset's own options."""
        return dict(self.model_extra or {})


class ModelSection(Section):
    """The network."""

    backbone: Part = Part(name="resnet50")
    """Feature extractor: one of the zoo's ResNets (resnet18, resnet50, resnet101, with b for the plain stem)
    or the name of any timm model that offers features; ``{name: torchgeo, weights: ResNet50_Weights.SENTINEL2_ALL_MOCO}``
    for torchgeo's satellite weights, with the scaling they were trained with. The zoo's begin with blocks that do nothing
    yet, unless ``{name: resnet18, zero_init_residual: false}``."""
    head: HeadPart = Part(name="deeplabv3plus")
    """Features to logits."""
    auxiliary_weight: float = Field(0.4, ge=0)
    """Weight of the auxiliary FCN head's loss in training; 0 leaves the head away."""
    output_stride: Literal[8, 16] = 8
    """Input pixels per pixel of the deepest features."""
    multi_grid: tuple[int, ...] | None = None
    """Absolute dilations of the blocks of the backbone's last stage; None for the plain rule."""
    align_corners: bool = False
    """How features are resized; the zoo's remote-sensing networks use False."""
    pretrained: bool | Path = False
    """True loads timm's ImageNet weights (needs the network once), a path loads a file; False starts from noise.
    If left out, it is True for a backbone with the option ``weights``."""
    scaling: Literal["measured", "imagenet"] = "measured"
    """How pixels become numbers around 0: by mean and deviation of the training scenes, or, as in the zoo, by those of
    ImageNet, for three bands of 8 bit. A backbone's option ``weights`` brings a scaling of its own, which counts more."""

    @model_validator(mode="before")
    @classmethod
    def _named_weights_are_wanted(cls, value: Any) -> Any:
        backbone = value.get("backbone") if isinstance(value, Mapping) else None
        options = backbone.options if isinstance(backbone, Part) else backbone
        return {"pretrained": True, **value} if isinstance(options, Mapping) and "weights" in options else value


class AugmentSection(Section):
    """Random changes of training crops."""

    scale: tuple[float, float] = (0.5, 2.0)
    """Smallest and largest magnification of a crop, drawn uniformly."""
    horizontal_flip: float = Field(0.5, ge=0, le=1)
    """Probability of mirroring left and right."""
    vertical_flip: float = Field(0.0, ge=0, le=1)
    """Probability of mirroring top and bottom."""
    rotate90: float = Field(0.0, ge=0, le=1)
    """Probability of a turn by a random multiple of 90 degrees."""
    photometric: Literal["linear", "zoo"] = "linear"
    """How colours change. linear: one affine map per crop, rounded once, for any bands; saturation and hue change only
    with red, green and blue. zoo: mmsegmentation's PhotoMetricDistortion to the last bit, which cuts off to 8 bits after
    every change, for three bands of uint8, which count as red, green and blue in their order."""
    brightness: float = Field(0.125, ge=0)
    """Largest shift of all bands, as a share of the value range (zoo: of 256); applied with probability 1/2."""
    contrast: float = Field(0.5, ge=0, lt=1)
    """Largest relative change of contrast; applied with probability 1/2."""
    saturation: float = Field(0.5, ge=0, lt=1)
    """Largest relative change of saturation; applied with probability 1/2."""
    hue: float = Field(0.1, ge=0, le=0.5)
    """Largest turn of the hue in circles; applied with probability 1/2."""

    @field_validator("scale")
    @classmethod
    def _grows(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not 0 < scale[0] <= scale[1]:
            raise ValueError("the first number is the smaller one, and both are positive")
        return scale


class TrainSection(Section):
    """The run itself."""

    iterations: int = Field(80_000, ge=1)
    """Optimiser steps."""
    batch: int = Field(16, ge=1)
    """Crops per optimiser step over all devices, so that nothing else changes with their number; at least 2 for the
    DeepLab heads, whose batch normalisation sees 1 x 1 maps."""
    accumulate: int = Field(1, ge=1)
    """Parts that a batch is divided into where memory is short; gradients add up, norms see the parts."""
    crop: int = Field(512, ge=32)
    """Side of a training crop, pixels."""
    sampler: SamplerPart = Part(name="random")
    """How training crops are drawn."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """The rule that changes weights."""
    learning_rate: float = Field(0.01, gt=0)
    """Learning rate after the warm-up."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Momentum of SGD."""
    weight_decay: float = Field(5e-4, ge=0)
    """Weight decay on all parameters."""
    schedule: Literal["poly", "cosine"] = "poly"
    """How the learning rate falls: (1 - t)^0.9 as in the zoo, or half a cosine."""
    power: float = Field(0.9, gt=0)
    """Exponent of the polynomial schedule."""
    final_learning_rate: float = Field(1e-4, ge=0)
    """Learning rate at the last step."""
    warmup: int = Field(0, ge=0)
    """Steps over which the learning rate rises linearly from 0."""
    clip_gradient: float | None = Field(None, gt=0)
    """Largest norm of the gradient; None for no limit."""
    average: float | None = Field(None, gt=0, lt=1)
    """Share of itself that a running average of the weights keeps per step (0.999, say); it is what is validated and
    kept then. None for none."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    """Arithmetic of the network; the narrower two run under autocast. auto: bfloat16 where the device is fast in it."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where the network runs."""
    compile: bool = False
    """Compile the network first (torch.compile): a minute's wait for faster steps, on GPUs."""
    channels_last: bool | None = None
    """Let weights and images lie channels-last in memory; None for on CUDA only. What it does to the speed of CPUs
    depends on network and crop."""
    deterministic: bool = False
    """Use only kernels that give the same result every time, as far as torch has them; slower on GPUs. On CPUs runs
    repeat anyhow."""
    workers: int = Field(2, ge=0)
    """Processes per device that cut and change crops."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of weights, crops and augmentation."""
    validate_every: int = Field(8_000, ge=1)
    """Steps between two validations; the best bundle is kept."""
    validation: Literal["scenes", "isprs", "isaid"] = "scenes"
    """What is validated on: whole scenes, each pixel counted once; or the patches that published scores are about."""
    monitor: str = "mean_iou"
    """The score that says which bundle is best: mean_iou, mean_f1, overall_accuracy, or the IoU of a class: iou car."""
    patience: int | None = Field(None, ge=1)
    """Validations without a better score after which training ends early; None for never."""
    checkpoint_every: int = Field(500, ge=1)
    """Steps between two checkpoints, from which an interrupted run goes on."""
    loggers: tuple[Literal["wandb", "mlflow"], ...] = ()
    """Where numbers are written besides CSV and TensorBoard."""

    @model_validator(mode="after")
    def _fits(self) -> "TrainSection":
        if self.warmup >= self.iterations and self.warmup:
            raise ValueError(f"a warm-up of {self.warmup} steps does not fit into {self.iterations} iterations")
        return self


class PredictSection(Section):
    """What the bundle proposes for prediction (and validation uses)."""

    tile: int = Field(512, ge=32)
    """Side of what the network sees at once, pixels at the model's GSD."""
    halo: int = Field(64, ge=0)
    """Context pixels around each tile's core."""
    batch: int = Field(4, ge=1)
    """Tiles per forward pass."""

    @model_validator(mode="after")
    def _leaves_a_core(self) -> "PredictSection":
        if 2 * self.halo >= self.tile:
            raise ValueError(f"a halo of {self.halo} leaves nothing of a tile of {self.tile}")
        return self


class Recipe(Section):
    """One YAML file: data, model, loss, augmentation, training, prediction."""

    name: str = ""
    """Name of the runs; the file's name if empty."""
    description: str = ""
    """One sentence for ``geoseg recipes``."""
    data: DataSection
    model: ModelSection = ModelSection()
    loss: tuple[LossPart, ...] = (WeightedPart(name="cross_entropy"),)
    augment: AugmentSection = AugmentSection()
    train: TrainSection = TrainSection()
    predict: PredictSection = PredictSection()

    @field_validator("loss", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | dict) else value

    @field_validator("loss")
    @classmethod
    def _at_least_one(cls, value: tuple[WeightedPart, ...]) -> tuple[WeightedPart, ...]:
        if not value:
            raise ValueError("name at least one loss")
        return value
