"""The group ``geoseg``: finds the subcommand, and turns errors into sentences and exit codes.

Exit codes: 0 done, 1 something the user can put right, 2 wrong usage, 70 a fault of geoseg, 130 stopped with Ctrl-C.
Subcommands are imported when they are called; the help texts stand in a table here, so that ``geoseg --help`` loads
neither torch nor GDAL nor numpy.
"""

import traceback
from importlib import import_module
from typing import Any

import click

from geoseg.errors import GeosegError, did_you_mean

from . import options, talk

COMMANDS = {
    "prepare": "Convert the archives of a benchmark, or your own labelled scenes, once for training.",
    "tile": "Cut scenes into crops on disk.",
    "train": "Train a network as a recipe says; gives a model.",
    "import-zoo": "Turn a published OpenMMLab checkpoint into a model.",
    "predict": "Turn a scene into a mask.",
    "polygonize": "Turn a mask into polygons.",
    "evaluate": "Score a model or a mask against reference labels.",
    "report": "Write one page that shows how good a run is and where it fails.",
    "gap": "Tell without labels how far scenes lie from what a model learnt.",
    "submit": "Predict a benchmark's test images into a zip for its server, or check such a zip.",
    "info": "Say what a file is: scene, mask, polygons, model or recipe.",
    "recipes": "List the recipes that come with geoseg.",
    "picture": "Draw a scene beside its mask, reference and polygons.",
}
"""Every subcommand, named as its file (with dashes for underscores), with its line in ``geoseg --help``."""

FAULT = 70
"""Exit code when geoseg itself is at fault (EX_SOFTWARE of sysexits.h)."""
STOPPED = 130
"""Exit code after Ctrl-C (128 + SIGINT, as shells have it)."""
REPORT = "This is a fault in geoseg. Please report it with the text above and the command you typed."


class Commands(click.Group):
    """A group that knows its commands by name and imports the one that is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Names in the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command from the file of that name."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f".{name}", __package__), name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands from the table, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The called command; an unknown one is answered with the nearest name."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command {args[0]!r}; {did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; errors leave as one sentence and an exit code."""
        with talk.log_to_stderr(ctx):
            try:
                return super().invoke(ctx)
            except GeosegError as error:
                talk.complain(error.message, error.hint)
                ctx.exit(1)
            except KeyboardInterrupt:
                talk.complain("stopped before the end; no output is left half-written")
                ctx.exit(STOPPED)
            except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
                raise  # click prints the message, or ends quietly when the reader of our output has gone
            except Exception:  # the last line of defence: says where to report
                click.echo(traceback.format_exc(), err=True)
                click.echo(REPORT, err=True)
                ctx.exit(FAULT)


@click.group("geoseg", cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="geoseg")
@options.talk
def main() -> None:
    """From an orthophoto to clean GIS layers: train, predict, polygonize, evaluate."""
