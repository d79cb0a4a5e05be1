"""Options that more than one command takes, and how they are completed by the shell."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from . import talk as speech

F = TypeVar("F", bound=Callable[..., Any])


def names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Callback of an option: names with commas between them, as a tuple; an empty name is wrong usage."""
    if value is None:
        return None
    found = tuple(name.strip() for name in value.split(","))
    if not all(found):
        raise click.BadParameter(f"{value!r} holds an empty name; write them like a,b,c", ctx, param)
    return found


def box(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float, float, float] | None:
    """Callback of an option: four numbers with commas between them; anything else is wrong usage."""
    if value is None:
        return None
    try:
        west, south, east, north = map(float, value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not like WEST,SOUTH,EAST,NORTH", ctx, param) from error
    return west, south, east, north


def complete_recipe(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of shipped recipes; files when no name fits.

    The ``file`` item comes first, because bash forgets what stood before it.
    """
    from geoseg.config.load import recipe_names

    recipes = {name.removesuffix(".yaml"): text for name, text in recipe_names().items()}
    fitting = [CompletionItem(name, help=text) for name, text in recipes.items() if name.startswith(incomplete)]
    return [CompletionItem(incomplete, type="file"), *fitting]


def talk(command: F) -> F:
    """Adds ``-v`` and ``-q``, which may stand before or after the command's name."""
    verbose = click.option(
        "-v", "--verbose", count=True, expose_value=False, callback=_remember(speech.VERBOSE),
        help="Tell what is being done; -vv tells everything.",
    )  # fmt: skip
    quiet = click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=_remember(speech.QUIET),
        help="No progress bars and no remarks, only results and errors.",
    )  # fmt: skip
    return verbose(quiet(command))


def _remember(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def remember(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        if value:
            ctx.meta[key] = value

    return remember


FILE = click.Path()
"""A path as text; whether it can be read is for the library to say, so that every such error looks alike."""

recipe = click.argument("recipe", shell_complete=complete_recipe)

overrides = click.option(
    "--set", "overrides", metavar="KEY=VALUE", multiple=True,
    help="Change one value of the recipe, for instance train.iterations=500; may be repeated.",
)  # fmt: skip

model = click.option(
    "--model", type=FILE, metavar="MODEL",
    help="Model to use (*.safetensors); else runs/latest, else $GEOSEG_MODEL.",
)  # fmt: skip

device = click.option(
    "--device", metavar="DEVICE",
    help="Where the network runs: auto, cpu, cuda or mps.",
)  # fmt: skip

tile = click.option(
    "--tile", type=click.IntRange(min=1), metavar="PIXELS",
    help="Side of what the network sees at once; else the model's.",
)  # fmt: skip

mode = click.option(
    "--mode", type=click.Choice(["blended", "slide"]), default="blended", show_default=True,
    help="How tiles become a mask; slide is mmsegmentation's slide inference.",
)  # fmt: skip

stride = click.option(
    "--stride", type=click.IntRange(min=1), metavar="PIXELS",
    help="From one window to the next with --mode slide; else two thirds of a tile.",
)  # fmt: skip

tta = click.option(
    "--tta", type=click.Choice(["none", "flip", "d4", "ms+flip"]), default="none", show_default=True,
    help="Average over a mirror image, the eight symmetries, or six scales with mirror images: 2, 8, 17 times the work.",
)  # fmt: skip

LABELS = ("column", "polygon_class", "background", "ignore", "resample")
"""What :func:`labels` adds: how a reference is to be understood."""


def labels(command: F) -> F:
    """Adds the options that say how a reference is to be understood."""
    column = click.option(
        "--column", metavar="NAME", help="Attribute of the reference polygons that names their class."
    )
    polygon_class = click.option(
        "--class", "polygon_class", metavar="CLASS", help="Class of all reference polygons; else the last one."
    )
    background = click.option(
        "--background", metavar="CLASS", help="Class outside reference polygons; else no pixel there counts."
    )
    ignore = click.option(
        "--ignore", metavar="VALUE", multiple=True,
        help="Number or #colour of a reference raster that is no class; may be repeated.",
    )  # fmt: skip
    resample = click.option(
        "--resample", is_flag=True, help="Look up a reference on another grid at the centres of the pixels."
    )
    return column(polygon_class(background(ignore(resample(command)))))


def scoring(command: F) -> F:
    """Adds the options that say what is scored."""
    confidence = click.option("--confidence", type=FILE, metavar="FILE", help="Confidences or probabilities of MASK.")
    protocol = click.option(
        "--protocol", "protocols", metavar="NAME", multiple=True,
        help="Count as this protocol says; may be repeated. Else by all that are for the dataset.",
    )  # fmt: skip
    boundary = click.option(
        "--boundary", "boundary_m", type=float, metavar="METRES", help="Also score borders, met within METRES."
    )
    objects = click.option(
        "--objects", metavar="CLASSES", help="Also count the objects of these classes, commas between them."
    )
    return confidence(protocol(boundary(objects(command))))


overwrite = click.option(
    "--overwrite", is_flag=True, help="Replace the output if it exists; without this it is left alone."
)


def chosen_model(given: str | None) -> Path:
    """The model to use, and a remark on which one it is and why."""
    from geoseg.inference.model_lookup import choose_model

    choice = choose_model(given, environment=os.environ)
    speech.say(f"Model: {choice.path} ({choice.reason})")
    return choice.path
