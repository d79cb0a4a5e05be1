"""Evaluate runs or masks and write a report: the public call of this package."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import ConfigError
from geoseg.evaluation.evaluate import check_combination
from geoseg.evaluation.options import EvaluationOptions
from geoseg.evaluation.report.run_data import RunData, collect_masks, collect_run, collect_scenes
from geoseg.evaluation.report.write_report import check_report, write_report
from geoseg.inference.options import ModeName, TtaName
from geoseg.progress import Progress, silent

if TYPE_CHECKING:  # they load torch, which comparing masks does not need
    from geoseg.models.device import Precision
    from geoseg.models.engines.select import EngineName


def report(
    models: str | Path | Sequence[str | Path] = (),
    output: str | Path = "report.html",
    *,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    split: str = "val",
    mask: str | Path | None = None,
    scene: str | Path | None = None,
    reference: str | Path | None = None,
    confidence: str | Path | None = None,
    protocols: Sequence[str] = EvaluationOptions.protocols,
    boundary_m: float | None = EvaluationOptions.boundary_m,
    objects: Sequence[str] = EvaluationOptions.objects,
    column: str | None = EvaluationOptions.column,
    polygon_class: str | None = EvaluationOptions.polygon_class,
    background: str | None = EvaluationOptions.background,
    ignore: Sequence[str] = EvaluationOptions.ignore,
    resample: bool = EvaluationOptions.resample,
    gsd: float | None = EvaluationOptions.gsd,
    tile: int | None = EvaluationOptions.tile,
    halo: int | None = EvaluationOptions.halo,
    batch: int | None = EvaluationOptions.batch,
    mode: ModeName = EvaluationOptions.mode,
    stride: int | None = EvaluationOptions.stride,
    tta: TtaName = EvaluationOptions.tta,
    bands: str | Sequence[str] | None = EvaluationOptions.bands,
    device: str = EvaluationOptions.device,
    precision: "Precision" = EvaluationOptions.precision,
    engine: "EngineName" = EvaluationOptions.engine,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Evaluate runs or masks, and write an HTML page with JSON and Markdown files of the same name.

    Each model is evaluated on the dataset it was trained on, or on ``recipe``, or on ``scene`` with ``reference``.
    With ``mask``, the report shows masks instead of models.

    Args:
        models: Folders of runs or model files; by default the newest run in ``runs``. Several models are compared.
        output: Path of the page. It opens without network.
        recipe: Name or path of a recipe, or a folder of prepared scenes, to evaluate all models on.
        overrides: Changes of the recipe as ``section.key=value``.
        split: Split of the recipe's dataset.
        mask: Masks to report on; files, folders or patterns, matched with ``reference`` by name.
        scene: Scenes to predict; with ``mask``, the images that the masks were predicted from.
        reference: Reference labels of ``mask`` or ``scene``: rasters on the same grid, or polygons in any CRS.
        confidence: Confidence or probability rasters of ``mask``, for calibration.
        protocols: Names of protocols to count by, the primary one first; by default all protocols of the dataset.
        boundary_m: Also score boundaries, with this tolerance in meters.
        objects: Also count the objects of these classes.
        column: Attribute of the reference polygons that holds their class.
        polygon_class: Class of all reference polygons; by default the last class.
        background: Class outside the reference polygons; by default pixels there are ignored.
        ignore: Values or colors (``#rrggbb``) of reference rasters that mean "not labeled".
        resample: Resample references on another grid by nearest neighbor instead of rejecting them.
        gsd: Meters per pixel of scenes and masks without CRS.
        tile: Side of a tile in pixels at the model's GSD; by default the model's.
        halo: Overlap around each tile's core in pixels; by default the model's.
        batch: Tiles per forward pass; by default chosen for the device.
        mode: ``blended``, or ``slide`` for the sliding-window inference of mmsegmentation.
        stride: Step between windows with ``mode="slide"``, pixels.
        tta: Test-time augmentation: none, flip, d4 or ms+flip.
        bands: Bands of ``scene`` in the model's order, by name or number from 1.
        device: Device of the network: auto, cpu, cuda or mps.
        precision: Arithmetic of the network; float32, so that scores do not depend on the device.
        engine: Inference engine: auto, torch or openvino.
        overwrite: Replace existing files.
        progress: Called with the number of scenes, and with the strips of each one.

    Returns:
        Path of the page.

    Raises:
        ConfigError: Options do not fit together, or name unknown classes or protocols.
        OutputError: A file exists, or cannot be written; raised before the evaluation starts.
    """
    options = EvaluationOptions(
        protocols=protocols,
        boundary_m=boundary_m,
        objects=objects,
        column=column,
        polygon_class=polygon_class,
        background=background,
        ignore=tuple(ignore),
        resample=resample,
        gsd=gsd,
        tile=tile,
        halo=halo,
        batch=batch,
        mode=mode,
        stride=stride,
        tta=tta,
        bands=bands,
        device=device,
        precision=precision,
        engine=engine,
    )
    check_combination(options, recipe=recipe, mask=mask, scene=scene, reference=reference, confidence=confidence)
    paths = [models] if isinstance(models, str | Path) else list(models)
    if mask is not None and paths:
        raise ConfigError("models were given together with mask", "give one of them")
    check_report(output, overwrite=overwrite)
    runs: list[RunData]
    if mask is not None and reference is not None:
        runs = [collect_masks(mask, reference, options, confidence=confidence, scene=scene, progress=progress)]
    else:
        from geoseg.inference.model_lookup import find_model  # noqa: PLC0415 (loads torch)

        found = [find_model(path).path for path in paths] or [find_model(None).path]
        if scene is not None and reference is not None:
            runs = [collect_scenes(model, scene, reference, options, progress=progress) for model in found]
        else:
            runs = [
                collect_run(model, options, recipe=recipe, overrides=overrides, split=split, progress=progress)
                for model in found
            ]
    return write_report(runs, output)
