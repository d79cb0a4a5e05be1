"""Options shared by several commands, help texts with groups of options, and shell completion."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from geoseg.inference.options import CHOICES, PredictOptions

from . import console

F = TypeVar("F", bound=Callable[..., Any])


class GroupedCommand(click.Command):
    """A command whose help text lists its options in groups.

    Args:
        groups: Mapping from group titles to the parameter names of their options. Options without a group are listed
            last.
    """

    def __init__(self, *arguments: Any, groups: Mapping[str, Sequence[str]], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.groups = groups

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section per group."""
        records = {param.name: param.get_help_record(ctx) for param in self.get_params(ctx)}
        grouped = {name for group in self.groups.values() for name in group}
        rest = [name for name in records if name not in grouped]
        for title, group in {**self.groups, "Other": rest}.items():
            rows = [record for record in (records[name] for name in group) if record is not None]
            with formatter.section(f"{title} options"):
                formatter.write_dl(rows)


def names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Split a comma-separated option into names; an empty name is a usage error."""
    if value is None:
        return None
    parts = tuple(name.strip() for name in value.split(","))
    if not all(parts):
        raise click.BadParameter(f"{value!r} has an empty name; use the form a,b,c", ctx, param)
    return parts


def box(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float, float, float] | None:
    """Parse a bounding box of four comma-separated numbers; anything else is a usage error."""
    if value is None:
        return None
    try:
        west, south, east, north = map(float, value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} does not have the form WEST,SOUTH,EAST,NORTH", ctx, param) from error
    return west, south, east, north


def complete_recipe(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the names of included recipes, and file names.

    The ``file`` item is first, because bash drops the items before it.
    """
    from geoseg.config.load import list_recipes

    recipes = {name.removesuffix(".yaml"): text for name, text in list_recipes().items()}
    matching = [CompletionItem(name, help=text) for name, text in recipes.items() if name.startswith(incomplete)]
    return [CompletionItem(incomplete, type="file"), *matching]


def verbosity(command: F) -> F:
    """Add ``-v`` and ``-q``, which may come before or after the name of the command."""
    verbose = click.option(
        "-v", "--verbose", count=True, expose_value=False, callback=_remember(console.VERBOSE),
        help="Print more details; -vv prints debugging messages.",
    )  # fmt: skip
    quiet = click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=_remember(console.QUIET),
        help="Print only results and errors.",
    )  # fmt: skip
    return verbose(quiet(command))


def _remember(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def remember(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        if value:
            ctx.meta[key] = value

    return remember


FILE = click.Path()
"""A path. The library checks whether it exists, so that all error messages have the same form."""

recipe = click.argument("recipe", shell_complete=complete_recipe)

overrides = click.option(
    "--set", "overrides", metavar="KEY=VALUE", multiple=True,
    help="Override a value in the recipe, for instance train.iterations=500; can be repeated.",
)  # fmt: skip

model = click.option(
    "--model", type=FILE, metavar="MODEL",
    help="Model (*.safetensors) or run folder; by default, runs/latest, then $GEOSEG_MODEL.",
)  # fmt: skip

device = click.option(
    "--device", metavar="DEVICE",
    help="Device to run the network on: auto, cpu, cuda or mps.",
)  # fmt: skip

tile = click.option(
    "--tile", type=click.IntRange(min=1), metavar="PIXELS",
    help="Side length of a tile, the input of the network; by default, the value stored in the model.",
)  # fmt: skip

mode = click.option(
    "--mode", type=click.Choice(CHOICES["mode"]), default=PredictOptions.mode, show_default=True,
    help="How tiles are combined; slide is mmsegmentation's sliding-window inference.",
)  # fmt: skip

stride = click.option(
    "--stride", type=click.IntRange(min=1), metavar="PIXELS",
    help="Stride of the windows with --mode slide; by default, two thirds of a tile.",
)  # fmt: skip

tta = click.option(
    "--tta", type=click.Choice(CHOICES["tta"]), default=PredictOptions.tta, show_default=True,
    help="Test-time augmentation: flips, the eight symmetries, or six scales with flips (2x, 8x or 17x the cost).",
)  # fmt: skip

LABELS = ("column", "polygon_class", "background", "priority", "layer", "ignore", "resample")
"""Parameters of :func:`labels`."""


def _split_names(_context: click.Context, _parameter: click.Parameter, names: str | None) -> tuple[str, ...]:
    """Split names at commas."""
    return tuple(names.split(",")) if names else ()


def labels(command: F) -> F:
    """Add the options that describe a reference."""
    column = click.option(
        "--column", metavar="NAME", help="Attribute of the reference polygons that contains the class."
    )
    polygon_class = click.option(
        "--class", "polygon_class", metavar="CLASS", help="Class of all reference polygons; by default, the last class."
    )
    background = click.option(
        "--background",
        metavar="CLASS",
        help="Class of pixels outside the reference polygons; by default, they are ignored.",
    )
    priority = click.option(
        "--priority", metavar="A,B,C", callback=_split_names,
        help="Classes in stacking order where reference polygons overlap, topmost first; by default, layer order.",
    )  # fmt: skip
    layer = click.option("--layer", metavar="NAME", help="Layer to read from a reference with several layers.")
    ignore = click.option(
        "--ignore", metavar="VALUE", multiple=True,
        help="Value of a mask or reference, #colour of a reference, or value of --column that means no class; can be "
        "repeated. By default, a declared nodata; none: every value is a class.",
    )  # fmt: skip
    resample = click.option(
        "--resample",
        is_flag=True,
        help="Resample a reference that is on a different grid (nearest neighbor).",
    )
    return column(polygon_class(background(priority(layer(ignore(resample(command)))))))


def scoring(command: F) -> F:
    """Add the options that select scores."""
    confidence = click.option(
        "--confidence",
        type=FILE,
        metavar="FILE",
        help="Confidence or probability raster for MASK, to compute calibration.",
    )
    protocol = click.option(
        "--protocol", "protocols", metavar="NAME", multiple=True,
        help="Protocol of the scores; can be repeated. By default, all protocols of the dataset.",
    )  # fmt: skip
    boundary = click.option(
        "--boundary",
        "boundary_m",
        type=float,
        metavar="METERS",
        help="Also compute boundary scores with this tolerance.",
    )
    objects = click.option(
        "--objects", metavar="CLASSES", help="Also compute object scores for these classes (comma-separated)."
    )
    return confidence(protocol(boundary(objects(command))))


overwrite = click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")


def chosen_model(given: str | None) -> Path:
    """Find the model, and print its path and why it was chosen."""
    from geoseg.inference.model_lookup import find_model

    choice = find_model(given, environment=os.environ)
    console.print_status(f"Model: {choice.path} ({choice.reason})")
    return choice.path
