"""Sections of a report that are pictures: crops, maps, curves; and what a run was made of."""

from collections.abc import Iterator, Sequence

from geoseg.evaluation.report.charts import lines
from geoseg.evaluation.report.gallery import Layers, ShownCrop, ShownScene
from geoseg.evaluation.report.html import Html, joined, picture_tag, tag, under_name
from geoseg.evaluation.report.run_data import Reported
from geoseg.legend import Legend

Runs = Sequence[Reported]

CURVE_NAMES = {"loss": "training loss", "mean_iou": "mean IoU in validation", "learning_rate": "learning rate"}


def maps_section(runs: Runs) -> Html:
    """Whole scenes with their mistakes, to look into."""
    lead = tag(
        "p", "Red is wrong, orange was not predicted, pale has no label. Click a map to look closer and to compare it with "
        "image, reference and prediction: wheel or pinch zooms, dragging moves, keys 1 to 4 change what is shown.",
    )  # fmt: skip
    shown = [(run, run.album.scenes) for run in runs if run.album.scenes]
    grids = [
        under_name(run.name, tag("div", *map(_map, scenes), class_="maps"), alone=len(runs) == 1)
        for run, scenes in shown
    ]
    return joined(lead, *grids) if grids else Html("")


def crops_section(runs: Runs, *, worst: bool) -> Html:
    """Crops with the most mistakes, or the fewest."""
    parts = []
    for run in runs:
        crops = run.album.worst if worst else run.album.best
        if crops:
            strips = tag("div", *map(_crop, crops), class_="crops")
            parts.append(under_name(run.name, joined(_keys(run.evaluation.legend), strips), alone=len(runs) == 1))
    return joined(*parts)


def calibration_section(runs: Runs) -> Html:
    """Confidence against accuracy."""
    series = {}
    for run in runs:
        calibration = run.evaluation.calibration
        if calibration is not None and calibration.pixels:
            _, sure, right = calibration.bins()
            series[f"{run.name}: ECE {100 * calibration.error():.2f} %"] = list(
                zip(sure.tolist(), right.tolist(), strict=True)
            )
    if not series:
        return Html("")
    chart = lines(
        series, x="how sure the model was", y="share that was right",
        x_range=(0, 1), y_range=(0, 1), diagonal=True, dots=True, label="calibration",
    )  # fmt: skip
    words = tag(
        "p", "On the dashed line a model is as often right as it is sure. Below it, it is surer than it should be. The "
        "calibration error (ECE) is the mean distance from the line over all pixels.",
    )  # fmt: skip
    alone = tag("p", next(iter(series)), class_="quiet") if len(series) == 1 else None
    return tag("div", chart, tag("div", words, alone), class_="beside")


def training_section(runs: Runs) -> Html:
    """What was logged while a run learnt."""
    charts = []
    for name, words in CURVE_NAMES.items():
        series = {run.name: run.curves[name] for run in runs if name in run.curves}
        if series:
            charts.append(lines(series, x="iteration", y=words, dots=name == "mean_iou"))
    return tag("div", *charts, class_="beside") if charts else Html("")


def making_section(runs: Runs) -> Html:
    """Recipe, environment and how predictions were made."""
    parts = []
    for run in runs:
        facts = {**_about(run), **run.environment}
        recipe = tag("details", tag("summary", "the whole recipe"), tag("pre", run.recipe)) if run.recipe else None
        rows = [
            tag("tr", tag("th", name, scope="row"), tag("td", text, class_="words")) for name, text in facts.items()
        ]
        table = tag("div", tag("table", tag("tbody", *rows)), class_="wide")
        parts.append(under_name(run.name, joined(table, recipe), alone=len(runs) == 1))
    return tag("div", *parts, class_="beside" if len(runs) > 1 else None)


def _about(run: Reported) -> dict[str, str]:
    return {f"judged: {name}": text for name, text in _told(run.evaluation.about.items())}


def _told(items: object) -> Iterator[tuple[str, str]]:
    for name, value in items:  # type: ignore[attr-defined]
        if isinstance(value, dict):
            yield str(name), ", ".join(f"{key} {each}" for key, each in value.items())
        elif value not in ("", None, False):
            yield str(name).replace("_", " "), str(value)


def _map(scene: ShownScene) -> Html:
    caption = f"{scene.name}: {100 * scene.wrong:.1f} % wrong, mean IoU {100 * scene.mean_iou:.1f}"
    return _figure(scene.name, scene.layers, caption, "map")


def _crop(crop: ShownCrop) -> Html:
    w = crop.window
    title = f"{crop.scene}, row {w.row}, column {w.col}"
    said = f"{100 * crop.wrong:.1f} % wrong" + (f", most of all: {crop.mistake}" if crop.mistake else "")
    cells = [tag("div", _layer(name, crop.layers), tag("small", name)) for name in crop.layers]
    strip = tag("div", *cells, class_="strip" if len(cells) == 4 else "strip three")
    return tag("figure", strip, tag("figcaption", f"{title}: {said}"), data_title=title)


def _figure(title: str, layers: Layers, caption: str, kind: str) -> Html:
    """The errors as a picture, the other layers hidden until somebody looks closer."""
    pictures = [_layer(name, layers, hidden=None if name == "errors" else "") for name in layers]
    return tag("figure", *pictures, tag("figcaption", caption), class_=kind, data_title=title)


def _layer(name: str, layers: Layers, **attributes: str | None) -> Html:
    return picture_tag(layers[name], name, data_layer=name, **attributes)


def _keys(legend: Legend) -> Html:
    """The legend's colours."""
    keys = [tag("span", tag("i", class_="swatch", style=f"background:{e.hex}"), e.name) for e in legend.entries]
    none = tag("span", tag("i", class_="swatch none"), "nothing known")
    return tag("p", *keys, none, class_="keys")
