"""Training data: datasets, their preparation, crops of prepared scenes, and export of crops."""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.data.crops.loader import CropDataset, CropLoader
    from geoseg.data.crops.read_crop import Crop, CropPlan
    from geoseg.data.crops.segmentation_dataset import SegmentationDataset
    from geoseg.data.dataset import Dataset, LabelledScene, SceneSource
    from geoseg.data.export.export_crops import TileResult, count_crops, tile
    from geoseg.data.label_encoding import LabelEncoding, build_encoding
    from geoseg.data.label_reader import LabelReader
    from geoseg.data.preparation.open_dataset import open_dataset
    from geoseg.data.preparation.prepare import prepare
    from geoseg.data.preparation.prepared_dataset import PreparedDataset, PreparedScene
    from geoseg.data.preparation.validate_labels import LabelReport, SceneLabelReport, validate_labels

_MODULES = {
    "Crop": "geoseg.data.crops.read_crop",
    "CropDataset": "geoseg.data.crops.loader",
    "CropLoader": "geoseg.data.crops.loader",
    "CropPlan": "geoseg.data.crops.read_crop",
    "Dataset": "geoseg.data.dataset",
    "LabelEncoding": "geoseg.data.label_encoding",
    "LabelReader": "geoseg.data.label_reader",
    "LabelReport": "geoseg.data.preparation.validate_labels",
    "LabelledScene": "geoseg.data.dataset",
    "PreparedDataset": "geoseg.data.preparation.prepared_dataset",
    "PreparedScene": "geoseg.data.preparation.prepared_dataset",
    "SceneLabelReport": "geoseg.data.preparation.validate_labels",
    "SceneSource": "geoseg.data.dataset",
    "SegmentationDataset": "geoseg.data.crops.segmentation_dataset",
    "TileResult": "geoseg.data.export.export_crops",
    "build_encoding": "geoseg.data.label_encoding",
    "count_crops": "geoseg.data.export.export_crops",
    "open_dataset": "geoseg.data.preparation.open_dataset",
    "prepare": "geoseg.data.preparation.prepare",
    "tile": "geoseg.data.export.export_crops",
    "validate_labels": "geoseg.data.preparation.validate_labels",
}

__all__ = [
    "Crop",
    "CropDataset",
    "CropLoader",
    "CropPlan",
    "Dataset",
    "LabelEncoding",
    "LabelReader",
    "LabelReport",
    "LabelledScene",
    "PreparedDataset",
    "PreparedScene",
    "SceneLabelReport",
    "SceneSource",
    "SegmentationDataset",
    "TileResult",
    "build_encoding",
    "count_crops",
    "open_dataset",
    "prepare",
    "tile",
    "validate_labels",
]


__getattr__, __dir__ = attach(__name__, _MODULES)
