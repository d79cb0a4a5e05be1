"""A PyTorch dataset of crops from image and label files, for any training loop."""

import sys
from collections.abc import Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from geoseg._output_files import VECTOR_SUFFIXES
from geoseg.config.load import parse_section
from geoseg.config.recipe import AugmentSection, DataSection
from geoseg.data.crops.build_augmentation import build_augmentation, require_color_bands
from geoseg.data.crops.loader import CropDataset
from geoseg.data.crops.samplers import samplers
from geoseg.data.dataset import Dataset as DatasetDeclaration
from geoseg.data.dataset import LabelledScene
from geoseg.data.label_encoding import build_encoding
from geoseg.data.label_reader import guess_file_kind
from geoseg.data.preparation.prepare import prepare_dataset
from geoseg.data.preparation.prepared_dataset import PreparedDataset, PreparedScene
from geoseg.errors import ConfigError, DataError
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.progress import Progress, silent
from geoseg.raster.discovery import list_rasters_and_layers, list_scenes, match_by_name

FileList = str | Path | Sequence[str | Path]
"""A list of files, or a single file, folder or glob pattern."""


class SegmentationDataset(Dataset[dict[str, Tensor]]):
    """Random or regular crops of labeled scenes, as a PyTorch dataset.

    Each item is a dictionary with the following keys:

    * ``image``: float32 (band, row, col), in the units of the file, or normalized; 0 where the image has no data
    * ``mask``: int64 (row, col), class indices; 255 (:attr:`ignore_index`) where the image is not labeled

    The scenes are converted once, to a folder in ``cache``, and are memory-mapped from there, so that the worker
    processes of a :class:`torch.utils.data.DataLoader` share one copy. An item depends only on its index, the seed and
    the epoch, not on the number of workers. Call :meth:`set_epoch` before each epoch to get new crops.

    Args:
        images: Image files: a list, or a single file, folder or glob pattern. All images must have the same bands.
        labels: Label files: a list in the order of the images; or a folder or pattern with files that have the same
            names as the images; or one vector file for all images. Label rasters must be the same size as their image;
            polygons may have a different CRS.
        classes: Class names in the order of their indices, with or without colors (``{"water": "#0000ff"}``).
        crop: Side length of a crop in pixels.
        sampler: ``random``, ``balanced`` (prefers rare classes) or ``grid`` (every pixel once per epoch), or a mapping
            with ``name`` and the options of the sampler, such as ``{"name": "balanced", "temperature": 0.1}``.
        length: Number of items; by default, the number of windows for the ``grid`` sampler, and for other samplers the
            number of crops needed to cover the scenes.
        seed: Random seed for crops and augmentation.
        augment: Random transforms: the ``augment`` section of a recipe, or a mapping of its keys (``{"rotate90":
            0.5}``); None disables transforms and resizing.
        normalize: Subtract the mean of each band over all scenes, and divide by the standard deviation.
        encoding_kind: Content of label files: class values (``index``), colors (``colour``) or polygons (``polygon``);
            ``auto`` infers it from the first file.
        values: Values, colors or attribute values of individual classes, by class name. Other classes are encoded by
            their index, color or name.
        ignore: Values, colors or attribute values that mean "not labeled".
        column: Attribute that contains the class of a polygon.
        polygon_class: Class of all polygons if there is no ``column``; by default, the last class.
        background: Class of the pixels outside all polygons; by default, they are not labeled.
        priority: Classes in stacking order, topmost first, for overlapping polygons; polygons of other classes lie
            below these, in layer order.
        layer: Layer to read from vector files with several layers.
        bands: Names of the bands to use, in order; by default, all bands of the first image.
        gsd: Ground sampling distance in meters per pixel to resample the scenes to; by default, scenes are not resampled.
        unknown_share: Largest fraction of the pixels in a label file that may have an undeclared color or value.
        cache: Folder for converted scenes; by default, ``prepared`` in the working directory, as in recipes.
        progress: Progress bar for the conversion; by default, none.

    Raises:
        ConfigError: If an option is invalid.
        DataError: If a label is missing or does not match its image or the classes.
        SceneError: If an image cannot be read.
        OutputError: If the cache cannot be written.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> from geoseg.data import SegmentationDataset
        >>> dataset = SegmentationDataset("images/*.tif", "labels/*.tif", ["ground", "building"])  # doctest: +SKIP
        >>> loader = DataLoader(dataset, batch_size=8, num_workers=4, shuffle=True)  # doctest: +SKIP
    """

    ignore_index = IGNORE_INDEX
    """Value of ``mask`` where the image is not labeled; pass it to the loss."""

    def __init__(
        self,
        images: FileList,
        labels: FileList,
        classes: Legend | Mapping[str, str | Sequence[int] | None] | Sequence[str],
        *,
        crop: int = 512,
        sampler: str | Mapping[str, Any] = "random",
        length: int | None = None,
        seed: int = 0,
        augment: AugmentSection | Mapping[str, Any] | None = None,
        normalize: bool = False,
        encoding_kind: Literal["auto", "index", "colour", "polygon"] = "auto",
        values: Mapping[str, Sequence[Any]] | None = None,
        ignore: Sequence[Any] = (),
        column: str | None = None,
        polygon_class: str | None = None,
        background: str | None = None,
        priority: Sequence[str] = (),
        layer: str | None = None,
        bands: Sequence[str] | None = None,
        gsd: float | None = None,
        unknown_share: float = 0.0,
        cache: str | Path | None = None,
        progress: Progress = silent,
    ) -> None:
        if crop < 1 or (length is not None and length < 1):
            raise ConfigError(f"crop is {crop} and length is {length}", "both must be at least 1")
        legend = classes if isinstance(classes, Legend) else Legend.of(classes)
        scenes = pair_files(images, labels)
        label = scenes[0].label
        assert label is not None  # pair_files requires a label for every image
        kind = guess_file_kind(label) if encoding_kind == "auto" else encoding_kind
        encoding_options: dict[str, Any] = {
            "values": values,
            "ignore": ignore,
            "column": column,
            "polygon_class": polygon_class,
            "background": background,
            **({"priority": tuple(priority)} if priority else {}),  # options determine the name of the cache folder
            **({"layer": layer} if layer else {}),
        }
        declared = DatasetDeclaration(legend, build_encoding(legend, kind, **encoding_options), {"train": scenes})
        section = _declare_section(declared, cache, encoding_options, bands=bands, gsd=gsd, unknown_share=unknown_share)
        self.prepared: PreparedDataset = prepare_dataset(section, declared, "files", progress=progress)
        if isinstance(augment, Mapping):
            augment = parse_section(AugmentSection, augment, "augment")
        self._crops = _build_crops(self.prepared, crop, sampler, seed, augment)
        self._length = length or _default_length(self._crops, crop)
        self._epoch = torch.zeros(1, dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]  # worker processes also read it
        self._normalize = normalize

    @property
    def legend(self) -> Legend:
        """Classes in the order of their indices."""
        return self.prepared.legend

    @property
    def bands(self) -> tuple[str, ...]:
        """Band names of the images, in order."""
        return self.prepared.bands

    @property
    def scenes(self) -> tuple[PreparedScene, ...]:
        """The converted scenes."""
        return self.prepared.scenes("train")

    def set_epoch(self, epoch: int) -> None:
        """Select the crops of an epoch (0, 1, 2, ...); call this method before iterating over the data loader."""
        self._epoch[0] = epoch

    def __len__(self) -> int:
        """Return the number of items."""
        return self._length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return one item; see the documentation of the class.

        Raises:
            IndexError: If the index is out of range.
        """
        if not -self._length <= index < self._length:
            raise IndexError(f"index {index} is out of range for {self._length} items")
        image, target, valid = self._crops[int(self._epoch) * self._length + index % self._length]
        values = image.float()
        if self._normalize:
            values = self._standardize(values).masked_fill(~valid, 0.0)
        return {"image": values, "mask": target.long()}

    def _standardize(self, image: Tensor) -> Tensor:
        statistics = self.prepared.statistics
        mean = torch.tensor([band.mean for band in statistics]).view(-1, 1, 1)
        std = torch.tensor([band.std or 1.0 for band in statistics]).view(-1, 1, 1)  # constant bands become 0
        return (image - mean) / std


def _declare_section(
    dataset: DatasetDeclaration, cache: str | Path | None, encoding_options: Mapping[str, Any], **options: Any
) -> DataSection:
    """Return a data section that identifies the files and all options of a dataset, like a recipe."""
    scenes = dataset.scenes("train")
    content = {
        "dataset": "files",
        "images": [str(scene.image) for scene in scenes],
        "labels": [str(scene.label) for scene in scenes],
        "legend": [(entry.name, entry.hex) for entry in dataset.legend.entries],
        "encoding_kind": dataset.encoding.kind,
    }
    folder = {} if cache is None else {"prepared": cache}
    return parse_section(DataSection, {**content, **encoding_options, **options, **folder}, "SegmentationDataset")


def _build_crops(
    prepared: PreparedDataset, size: int, sampler: str | Mapping[str, Any], seed: int, augment: AugmentSection | None
) -> CropDataset:
    """Return the infinite sequence of crops from a sampler."""
    options = {"name": sampler} if isinstance(sampler, str) else dict(sampler)
    name = options.pop("name", None)
    if name is None:
        raise ConfigError(
            f"the sampler {options} has no name", f"add the key name, one of {', '.join(samplers.names())}"
        )
    scenes = prepared.scenes("train")
    scale = (1.0, 1.0) if augment is None else augment.scale
    given = {"scenes": scenes, "size": size, "scale": scale, "seed": seed, "classes": prepared.legend.names}
    transform = None
    if augment is not None:
        require_color_bands(augment, prepared)
        transform = build_augmentation(augment, prepared)
    return CropDataset(
        scenes, samplers.build(name, options, **given), range(sys.maxsize), transform=transform, seed=seed
    )


def _default_length(crops: CropDataset, size: int) -> int:
    if isinstance(crops.sampler, Sized):
        return len(crops.sampler)
    return sum(-(-scene.height // size) * -(-scene.width // size) for scene in crops.scenes)


def pair_files(images: FileList, labels: FileList) -> tuple[LabelledScene, ...]:
    """Return a scene for each image, with its label.

    Args:
        images: Image files.
        labels: Label files: a list in the order of the images; or a folder or pattern, whose files are matched to the
            images by name (:func:`geoseg.raster.discovery.match_by_name`); or one vector file for all images.

    Raises:
        DataError: If an image has no label, or a file does not exist.
        SceneError: If a pattern matches no file.
    """
    names = list_scenes([str(images)]) if isinstance(images, str | Path) else images
    image_files = [Path(name).absolute() for name in names]
    label_files = _match_labels(image_files, labels)
    if not image_files or len(label_files) != len(image_files):
        message = f"there are {len(image_files)} images and {len(label_files)} labels"
        raise DataError(message, "specify one label per image, in the same order")
    for path in (*image_files, *label_files):
        if not path.exists():
            raise DataError(f"{path} does not exist", "check the path")
    scene_names = _unique_names(image_files)
    scenes = zip(scene_names, image_files, label_files, strict=True)
    return tuple(LabelledScene(name, image, label) for name, image, label in scenes)


def _match_labels(images: Sequence[Path], labels: FileList) -> list[Path]:
    if not isinstance(labels, str | Path):
        return [Path(name).absolute() for name in labels]
    candidates = [Path(name).absolute() for name in list_rasters_and_layers(str(labels))]
    is_layer = len(candidates) == 1 and candidates[0].suffix.lower() in VECTOR_SUFFIXES
    if is_layer or len(candidates) == len(images) == 1:
        return candidates * len(images)
    return match_by_name(images, candidates, folder=labels, kind="label")


def _unique_names(files: Sequence[Path]) -> list[str]:
    """Return the stems, or the full paths if stems are not unique."""
    stems = [file.stem for file in files]
    return stems if len(set(stems)) == len(stems) else [file.as_posix().lstrip("/") for file in files]
