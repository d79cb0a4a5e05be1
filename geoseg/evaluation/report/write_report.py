"""Evaluate runs or masks and write a report: an HTML page, JSON for programs, and Markdown tables for papers."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geoseg._output_files import check_writable
from geoseg._text import percent
from geoseg.errors import ConfigError
from geoseg.evaluation.evaluate import check_combination
from geoseg.evaluation.options import EvaluationOptions
from geoseg.evaluation.report.gallery import GalleryCrop
from geoseg.evaluation.report.render import render_page
from geoseg.evaluation.report.run_data import RunData, collect_masks, collect_run, collect_scenes, make_names_unique
from geoseg.evaluation.report.sections import render_sections
from geoseg.evaluation.tables import MEANS, format_markdown_table
from geoseg.evaluation.write_scores import format_table, to_dict, write_text
from geoseg.inference.options import ModeName, TtaName
from geoseg.models.hardware_options import EngineName, Precision
from geoseg.progress import Progress, silent

MAX_SCENE_ROWS = 50
"""Largest number of scenes for which the Markdown file has one row per scene; JSON always contains all scenes."""


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
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Evaluate runs or masks, and write an HTML report with JSON and Markdown files that have the same stem.

    Each model is evaluated on the dataset it was trained on, on the dataset of ``recipe``, or on ``scene`` with
    ``reference``. With ``mask``, masks are evaluated instead of models.

    Args:
        models: Run folders or model files; by default, the most recent run in ``runs``. If there are several,
            they are compared.
        output: Path of the HTML report, which can be viewed offline.
        recipe: Name or path of a recipe, or a folder of prepared scenes, to evaluate all models on.
        overrides: Changes to the recipe as ``section.key=value``.
        split: Split of the recipe's dataset.
        mask: Masks to report on: files, folders or patterns, matched with ``reference`` by name.
        scene: Scenes to evaluate the models on; with ``mask``, the images that the masks were predicted from.
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
        overwrite: Replace existing files.
        progress: Reports the number of finished scenes, and of finished strips in each scene.

    Returns:
        Path of the HTML report.

    Raises:
        ConfigError: If the options are incompatible, or name unknown classes or protocols.
        OutputError: If a file exists or cannot be written; raised before the evaluation starts.
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
    paths = [models] if isinstance(models, str | Path) else list(models)
    if mask is not None and paths:
        raise ConfigError("models were given together with mask", "use only one of them")
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


def report_paths(output: str | Path) -> tuple[Path, Path, Path]:
    """Return the paths of a report: the HTML file, and the JSON and Markdown files with the same stem."""
    page = Path(output)
    return page, page.with_suffix(".json"), page.with_suffix(".md")


def check_report(output: str | Path, *, overwrite: bool) -> None:
    """Raise :class:`OutputError` before the evaluation starts if a report file cannot be written."""
    for path in report_paths(output):
        check_writable(path, overwrite)


def write_report(runs: Sequence[RunData], output: str | Path) -> Path:
    """Write the HTML, JSON and Markdown files, replacing existing ones.

    Args:
        runs: Runs in report order; duplicate names are numbered.
        output: Path of the HTML report. It is self-contained and can be viewed offline.

    Returns:
        Path of the HTML report.
    """
    runs = make_names_unique(runs)
    page, content, tables = report_paths(output)
    write_text(content, json.dumps(report_to_dict(runs), indent=1) + "\n")
    write_text(tables, render_markdown(runs) + "\n")
    write_text(page, render_report(runs))
    return page


def render_report(runs: Sequence[RunData]) -> str:
    """Render the complete page."""
    return render_page(_title(runs), _lead(runs), render_sections(runs))


def report_to_dict(runs: Sequence[RunData]) -> dict[str, Any]:
    """Return everything on the page except the images, as a dictionary for JSON."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": [
            {
                "name": run.name,
                **to_dict(run.evaluation),
                "worst_crops": [_crop_to_dict(crop) for crop in run.gallery.worst],
                "best_crops": [_crop_to_dict(crop) for crop in run.gallery.best],
                "curves": {name: [list(point) for point in points] for name, points in run.curves.items()},
                "recipe": run.recipe,
                "environment": dict(run.environment),
            }
            for run in runs
        ],
    }


def render_markdown(runs: Sequence[RunData]) -> str:
    """Render a table that compares the runs, and the tables of each run."""
    rows = [["run", *MEANS]]
    for run in runs:
        scores = run.evaluation.scores(run.evaluation.protocol)
        rows.append([run.name, *(percent(scores[key]) for key in MEANS.values())])
    comparison = "\n".join(format_markdown_table(rows)) if len(runs) > 1 else ""
    parts = []
    for run in runs:
        per_scene = 1 < len(run.evaluation.scenes) <= MAX_SCENE_ROWS
        parts.append(f"## {run.name}\n\n{format_table(run.evaluation, markdown=True, per_scene=per_scene)}")
    return "\n\n".join(part for part in (comparison, *parts) if part)


def _title(runs: Sequence[RunData]) -> str:
    names = [run.name for run in runs]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _lead(runs: Sequence[RunData]) -> str:
    about = runs[0].evaluation.about
    split = f", split {about['split']}" if about.get("split") else ""
    data = about.get("data") or about.get("masks") or ""
    scenes = len(runs[0].evaluation.scenes)
    return f"Evaluated on {data}{split}: {scenes} {'scene' if scenes == 1 else 'scenes'}. Scores are in percent."


def _crop_to_dict(crop: GalleryCrop) -> dict[str, Any]:
    window = crop.window
    position = {"row": window.row, "col": window.col, "height": window.height, "width": window.width}
    return {"scene": crop.scene, **position, "wrong": crop.wrong, "mistake": crop.mistake}
