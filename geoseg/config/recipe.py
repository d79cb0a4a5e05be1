"""The recipe: all settings of a training run, in typed sections. All defaults are defined in this module.

Each section is a frozen pydantic model that rejects unknown keys. docs/recipe.md is generated from the docstrings of the
fields.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from geoseg._text import describe_bad_name
from geoseg.config.component_spec import Component, HeadComponent, LossComponent, SamplerComponent, WeightedComponent
from geoseg.grid.tiling import MAX_TILE_SIDE
from geoseg.registry import current_name

RENAMED_PHOTOMETRIC = {"zoo": "openmmlab"}
"""Old values of ``augment.photometric``, accepted with a warning for one release."""


class Section(BaseModel):
    """Base class of all sections; it is frozen and rejects unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class DataSection(BaseModel):
    """Labeled scenes for training and validation. All other keys are options of the dataset."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    dataset: str = "folder"
    """Name of the dataset (a module in ``geoseg/data/datasets``)."""
    root: Path | None = None
    """Folder to which the paths in the dataset are relative."""
    bands: tuple[str, ...] | None = None
    """Names of the bands to use, in this order; by default, all bands of the first scene."""
    gsd: float | None = Field(None, gt=0)
    """Ground sample distance in meters per pixel. Scenes whose GSD differs by more than a factor of 1.25 are resampled;
    by default, no scene is resampled."""
    prepared: Path = Path("prepared")
    """Folder for prepared scenes (images and masks of class indices), with one subfolder per data section."""
    compress: bool = False
    """Compress prepared scenes, which halves the disk space but also about halves the number of crops read per second.
    """
    unknown_share: float = Field(0.0, ge=0, le=1)
    """Largest allowed fraction (0 to 1) of pixels in a label file whose color or value is not in the legend. Such
    pixels are ignored; a larger fraction is an error."""

    @field_validator("bands")
    @classmethod
    def _require_names(cls, bands: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for position, name in enumerate(bands or ()):
            if problem := describe_bad_name(name):
                raise ValueError(f"the name of a band {problem}")
            if name in (bands or ())[:position]:
                raise ValueError(f"the band {name!r} is listed twice")
        return bands

    @property
    def options(self) -> dict[str, Any]:
        """Options of the dataset."""
        return dict(self.model_extra or {})


class ModelSection(Section):
    """Architecture and initial weights of the network."""

    backbone: Component = Component(name="resnet50")
    """Feature extractor: an OpenMMLab ResNet (resnet18, resnet50, resnet101; resnet18b, resnet50b, resnet101b with a
    plain stem), or the name of any timm model that supports feature extraction. ``{name: torchgeo, weights:
    ResNet50_Weights.SENTINEL2_ALL_MOCO}`` loads torchgeo's satellite weights together with their input normalization.
    The residual blocks of OpenMMLab ResNets are initialized as identities, unless this is disabled with
    ``{name: resnet18, zero_init_residual: false}``."""
    head: HeadComponent = Component(name="deeplabv3plus")
    """Segmentation head, which maps features to logits: fcn, deeplabv3 or deeplabv3plus."""
    auxiliary_weight: float = Field(0.4, ge=0)
    """Weight of the loss of the auxiliary FCN head during training; 0 removes the head."""
    output_stride: Literal[8, 16] = 8
    """Ratio of the input resolution to that of the deepest features: 8 or 16."""
    multi_grid: tuple[int, ...] | None = None
    """Absolute dilations of the blocks in the last stage of the backbone; by default, the dilation follows from the
    output stride."""
    align_corners: bool = False
    """Align corner pixels when features are resized; OpenMMLab's networks for remote sensing do not do this."""
    pretrained: bool | Path = False
    """true: ImageNet weights from timm (downloaded once); a path: weights from a file; false: random weights. The default
    is true for a backbone with the option ``weights``."""
    scaling: Literal["measured", "imagenet"] = "measured"
    """Normalization of the input. measured: with the mean and standard deviation of the training scenes. imagenet: with
    those of ImageNet, for three 8-bit bands, as in OpenMMLab. A backbone with the option ``weights`` has its own
    normalization, which takes precedence."""

    @model_validator(mode="before")
    @classmethod
    def _load_named_weights(cls, value: Any) -> Any:
        backbone = value.get("backbone") if isinstance(value, Mapping) else None
        options = backbone.options if isinstance(backbone, Component) else backbone
        return {"pretrained": True, **value} if isinstance(options, Mapping) and "weights" in options else value


class AugmentSection(Section):
    """Random augmentation of training crops."""

    scale: tuple[float, float] = (0.5, 2.0)
    """Range of factors by which a crop is rescaled (smallest, largest); the factor is drawn uniformly."""
    horizontal_flip: float = Field(0.5, ge=0, le=1)
    """Probability of a left-right flip, from 0 to 1."""
    vertical_flip: float = Field(0.0, ge=0, le=1)
    """Probability of a top-bottom flip, from 0 to 1."""
    rotate90: float = Field(0.0, ge=0, le=1)
    """Probability of a rotation by a random multiple of 90 degrees, from 0 to 1."""
    photometric: Literal["linear", "openmmlab"] = "linear"
    """Type of color changes. linear: one affine transformation per crop, rounded once, for any bands; saturation and hue
    are changed only if the bands are red, green and blue. openmmlab: bit-identical to mmsegmentation's
    PhotoMetricDistortion, which rounds to 8 bits after each change; for three uint8 bands, which are treated as red,
    green and blue."""
    brightness: float = Field(0.125, ge=0)
    """Largest offset added to all bands, as a fraction of the value range (openmmlab: of 256); applied with probability
    1/2."""
    contrast: float = Field(0.5, ge=0, lt=1)
    """Largest relative change in contrast, from 0 to 1; applied with probability 1/2."""
    saturation: float = Field(0.5, ge=0, lt=1)
    """Largest relative change in saturation, from 0 to 1; applied with probability 1/2."""
    hue: float = Field(0.1, ge=0, le=0.5)
    """Largest rotation of the hue, as a fraction of the color circle, from 0 to 0.5; applied with probability 1/2."""

    @field_validator("photometric", mode="before")
    @classmethod
    def _current_photometric(cls, value: Any) -> Any:
        return current_name("augment.photometric", value, RENAMED_PHOTOMETRIC)

    @field_validator("scale")
    @classmethod
    def _require_increasing(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not 0 < scale[0] <= scale[1]:
            raise ValueError("both numbers must be positive, the smaller one first")
        return scale


class TrainSection(Section):
    """Optimization, validation and hardware of a run."""

    iterations: int = Field(80_000, ge=1)
    """Number of optimizer steps."""
    batch: int = Field(16, ge=1)
    """Total number of crops per optimizer step across all devices, so that results do not depend on the number of
    devices. The DeepLab heads require at least 2, because they apply batch normalization to 1 x 1 feature maps."""
    accumulate: int = Field(1, ge=1)
    """Number of parts into which a batch is split; they are processed one after another to save memory. Gradients are
    accumulated; batch normalization uses the statistics of each part."""
    crop: int = Field(512, ge=32, le=MAX_TILE_SIDE)
    """Side length of a training crop in pixels."""
    sampler: SamplerComponent = Component(name="random")
    """How training crops are drawn: random, balanced or grid."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """Optimizer: sgd or adamw."""
    learning_rate: float = Field(0.01, gt=0)
    """Learning rate after warm-up."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Momentum of SGD."""
    weight_decay: float = Field(5e-4, ge=0)
    """Weight decay of all parameters."""
    schedule: Literal["poly", "cosine"] = "poly"
    """Decay of the learning rate with the training progress t: poly, which is (1 - t)^power as in OpenMMLab, or cosine."""
    power: float = Field(0.9, gt=0)
    """Exponent of the poly schedule."""
    final_learning_rate: float = Field(1e-4, ge=0)
    """Learning rate at the last step."""
    warmup: int = Field(0, ge=0)
    """Number of steps over which the learning rate increases linearly from 0."""
    clip_gradient: float | None = Field(None, gt=0)
    """Maximum norm of the gradient; by default, there is no limit."""
    average: float | None = Field(None, gt=0, lt=1)
    """Decay of an exponential moving average of the weights per step, such as 0.999. The averaged weights are validated
    and saved; by default, weights are not averaged."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    """Precision of the network; bfloat16 and float16 use autocast. auto: bfloat16 on devices with fast bfloat16
    support, otherwise float32."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device to train on."""
    compile: bool = False
    """Compile the network with torch.compile, which takes about a minute and makes steps on GPUs faster."""
    channels_last: bool | None = None
    """Store weights and images in channels-last memory format; by default, only on CUDA. Whether this is faster on
    CPUs depends on the network and the crop size."""
    deterministic: bool = False
    """Use deterministic kernels wherever torch provides them, which is slower on GPUs. Runs on CPUs are reproducible
    without this setting."""
    workers: int = Field(2, ge=0)
    """Number of processes per device that read and augment crops."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Random seed for weights, crops and augmentation."""
    validate_every: int = Field(8_000, ge=1)
    """Number of steps between validations; the best bundle is kept."""
    validation: Literal["scenes", "isprs", "isaid"] = "scenes"
    """Validation data. scenes: whole scenes, with each pixel counted once. isprs, isaid: the patches on which the
    published scores for these datasets are computed."""
    monitor: str = "mean_iou"
    """Score that determines the best bundle: mean_iou, mean_f1, overall_accuracy, or the IoU of one class, such as
    ``iou car``."""
    patience: int | None = Field(None, ge=1)
    """Number of validations without improvement after which training stops; by default, it never stops early."""
    checkpoint_every: int = Field(500, ge=1)
    """Number of steps between checkpoints, from which an interrupted run can be resumed."""
    loggers: tuple[Literal["wandb", "mlflow"], ...] = ()
    """Loggers in addition to CSV and TensorBoard: wandb, mlflow."""

    @model_validator(mode="after")
    def _require_steps_after_warmup(self) -> "TrainSection":
        if self.warmup >= self.iterations and self.warmup:
            raise ValueError(f"a warm-up of {self.warmup} steps is too long for {self.iterations} iterations")
        return self


class PredictSection(Section):
    """Default settings for prediction, which are stored in the bundle and also used in validation."""

    tile: int = Field(512, ge=32, le=MAX_TILE_SIDE)
    """Side length of the network's input in pixels, at the GSD of the model."""
    halo: int = Field(64, ge=0)
    """Width of the context around the core of each tile, in pixels."""
    batch: int = Field(4, ge=1)
    """Number of tiles per forward pass."""

    @model_validator(mode="after")
    def _require_core(self) -> "PredictSection":
        if 2 * self.halo >= self.tile:
            raise ValueError(f"a halo of {self.halo} pixels leaves no core in a tile of {self.tile} pixels")
        return self


class Recipe(Section):
    """All settings of a training run, stored in one YAML file."""

    name: str = ""
    """Name of the runs; by default, the name of the recipe file."""
    description: str = ""
    """One-sentence description for ``geoseg recipes``."""
    data: DataSection
    model: ModelSection = ModelSection()
    loss: tuple[LossComponent, ...] = (WeightedComponent(name="cross_entropy"),)
    augment: AugmentSection = AugmentSection()
    train: TrainSection = TrainSection()
    predict: PredictSection = PredictSection()

    @field_validator("loss", mode="before")
    @classmethod
    def _accept_single_loss(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | dict) else value

    @field_validator("loss")
    @classmethod
    def _require_loss(cls, value: tuple[WeightedComponent, ...]) -> tuple[WeightedComponent, ...]:
        if not value:
            raise ValueError("list at least one loss")
        return value


def replace_renamed_values(content: Mapping[str, Any]) -> dict[str, Any]:
    """Replace old spellings in a stored recipe without a warning.

    Args:
        content: A recipe as written by ``model_dump``, possibly by an older version.
    """
    augment = dict(content.get("augment") or {})
    if "photometric" in augment:
        augment["photometric"] = RENAMED_PHOTOMETRIC.get(augment["photometric"], augment["photometric"])
    return {**content, "augment": augment} if augment else dict(content)
