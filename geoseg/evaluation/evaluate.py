"""Evaluate a model or masks against reference labels: the public entry point of this package."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import ConfigError
from geoseg.evaluation.options import EvaluationOptions
from geoseg.evaluation.result import Evaluation, SceneCallback
from geoseg.inference.options import ModeName, TtaName
from geoseg.models.hardware_options import EngineName, Precision
from geoseg.progress import Progress, silent

if TYPE_CHECKING:  # these modules load torch, which is not needed to compare masks
    from geoseg.bundle import Bundle
    from geoseg.config.recipe import Recipe


def evaluate(
    recipe: "str | Path | Recipe | None" = None,
    *,
    model: "str | Path | Bundle | None" = None,
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
    priority: Sequence[str] = EvaluationOptions.priority,
    layer: str | None = EvaluationOptions.layer,
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
    precision: Precision = EvaluationOptions.precision,
    engine: EngineName = EvaluationOptions.engine,
    progress: Progress = silent,
    on_scene: SceneCallback | None = None,
) -> Evaluation:
    """Evaluate a model on the scenes of a recipe or on scene files, or evaluate masks.

    There are three modes: ``evaluate(recipe, model=...)`` scores a model on a split of a recipe's dataset (without
    ``recipe``, on the dataset it was trained on), ``evaluate(scene=..., reference=..., model=...)`` on scenes with
    reference files, and ``evaluate(mask=..., reference=...)`` scores masks. Scenes, masks and references may be files,
    folders or patterns; they are matched by name.

    Args:
        recipe: Name or path of a recipe, a folder of prepared scenes, or a loaded recipe.
        model: Model file, run folder, or loaded model; None for the most recent run in ``runs``.
        overrides: Changes to the recipe as ``section.key=value``.
        split: Split of the recipe's dataset.
        mask: Masks to evaluate.
        scene: Scenes to evaluate the model on; with ``mask``, the images passed to ``on_scene``.
        reference: Reference labels of ``mask`` or ``scene``: rasters on the same grid, or polygons in any CRS.
        confidence: Confidence or probability rasters for ``mask``, used for calibration.
        protocols: Names of the protocols to use, the primary one first; by default, all protocols of the dataset.
        boundary_m: Tolerance in meters for additional boundary scores.
        objects: Names of classes whose objects are also counted.
        column: Attribute of the reference polygons that contains their class.
        polygon_class: Class of all reference polygons; by default, the last class.
        background: Class of pixels outside the reference polygons; by default, these pixels are ignored.
        priority: Names of classes in stacking order, topmost first, for overlapping reference polygons. Polygons of
            other classes lie below these, in layer order.
        layer: Layer to read from a vector file with several layers.
        ignore: Pixel values of masks and reference rasters that mean "no class", in addition to a declared nodata
            value; also colors (``#rrggbb``) of reference rasters, and values of ``column``. With ``("none",)``, a
            declared nodata value is a class, too.
        resample: Resample references that have a different grid (nearest neighbor) instead of rejecting them.
        gsd: Meters per pixel, for scenes and masks without a CRS.
        tile: Side length of a tile in pixels at the model's GSD; by default, the value stored in the model.
        halo: Overlap around each tile's core in pixels; by default, the value stored in the model.
        batch: Tiles per forward pass; by default, chosen for the device.
        mode: ``blended``, or ``slide`` for the sliding-window inference of mmsegmentation.
        stride: Step between windows in pixels, for ``mode="slide"``.
        tta: Test-time augmentation: none, flip, d4 or ms+flip.
        bands: Bands of ``scene`` in the model's order, by name or 1-based number.
        device: Device to run the network on: auto, cpu, cuda or mps.
        precision: Precision of the network; by default float32, so that scores do not depend on the device.
        engine: Inference engine: auto, torch or openvino.
        progress: Reports the number of finished scenes, and of finished strips in each scene.
        on_scene: Called after each scene, while its files are open.

    Returns:
        The counts of each scene, with all scores.

    Raises:
        ConfigError: If the options are incompatible, or name unknown classes or protocols.
        GridMismatch: If a reference has a different grid and ``resample`` is off.
        DataError: If a reference is missing, has unknown values, or has no labels at all.

    Example:
        >>> import geoseg
        >>> evaluation = geoseg.evaluate(mask="mask.tif", reference="labels.gpkg", column="class")  # doctest: +SKIP
        >>> evaluation.total.mean_iou  # doctest: +SKIP
        0.87
    """
    options = EvaluationOptions(
        protocols=protocols,
        boundary_m=boundary_m,
        objects=objects,
        column=column,
        polygon_class=polygon_class,
        background=background,
        priority=tuple(priority),
        layer=layer,
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
    if mask is not None and reference is not None:
        from geoseg.evaluation.evaluate_masks import evaluate_mask  # noqa: PLC0415

        return evaluate_mask(
            mask, reference, options, confidence=confidence, scene=scene, progress=progress, on_scene=on_scene
        )
    from geoseg.evaluation.resolve_recipe import resolve_recipe, training_recipe  # noqa: PLC0415

    loaded = None if recipe is None else resolve_recipe(recipe, overrides)
    from geoseg.bundle import Bundle, read_card  # noqa: PLC0415
    from geoseg.evaluation.evaluate_model import evaluate_model, evaluate_scenes  # noqa: PLC0415
    from geoseg.inference.model_lookup import find_model  # noqa: PLC0415

    chosen = model if isinstance(model, Bundle) else find_model(model).path
    if scene is not None and reference is not None:
        return evaluate_scenes(scene, reference, options, model=chosen, progress=progress, on_scene=on_scene)
    if loaded is None:
        card, source = (chosen.card, chosen.source) if isinstance(chosen, Bundle) else (read_card(chosen), chosen)
        loaded = training_recipe(card, source, overrides)
    return evaluate_model(loaded, options, model=chosen, split=split, progress=progress, on_scene=on_scene)


def check_combination(
    options: EvaluationOptions,
    *,
    recipe: object,
    mask: object,
    scene: object,
    reference: object,
    confidence: object,
) -> None:
    """Raise :class:`ConfigError` if the arguments of :func:`evaluate` are incompatible."""
    if recipe is not None and (mask is not None or scene is not None):
        raise ConfigError("a recipe was given together with mask or scene", "use only one of them")
    if (reference is not None) != (mask is not None or scene is not None):
        raise ConfigError("mask and scene need a reference, and reference needs mask or scene", "use them together")
    if reference is None and options.has_reference_options:
        raise ConfigError(
            "column, polygon_class, background, priority, layer, ignore and resample apply only to reference"
        )
    if mask is not None and options.has_prediction_options:
        raise ConfigError("prediction options do not apply to mask", "omit tile, mode, stride, tta and similar options")
    if mask is None and confidence is not None:
        raise ConfigError(
            "confidence can only be used with mask", "omit it: a model computes the confidence of its predictions"
        )
    if (mask is not None or scene is None) and options.bands is not None:
        raise ConfigError("bands applies only to scene", "a recipe defines its bands")
