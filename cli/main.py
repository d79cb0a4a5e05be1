"""The command group `geoseg`: find the subcommand, and convert errors to messages and exit codes.

The exit code is 0 for success, 1 for an error that the user can fix, 2 for incorrect usage, 70 for an internal error, and
130 after Ctrl-C. Subcommands are imported when they are called. Their summaries are in a table in this module, so that
``geoseg --help`` does not import torch, GDAL or NumPy.
"""

import errno
import os
import traceback
from importlib import import_module
from typing import Any

import click

from geoseg._text import did_you_mean
from geoseg.errors import GeosegError

from . import console, options

COMMANDS = {
    "prepare": "Convert the archives of a benchmark, or your own labeled scenes, for training.",
    "tile": "Cut scenes into crops on disk.",
    "train": "Train a network from a recipe and write a model.",
    "import": "Convert a published checkpoint to a model.",
    "predict": "Predict a mask for a scene.",
    "polygonize": "Convert a mask to polygons.",
    "evaluate": "Score a model or a mask against reference labels.",
    "report": "Write an HTML report of scores and errors.",
    "gap": "Measure the domain shift between scenes and a model's training data, without labels.",
    "submit": "Write masks for a benchmark's test images to a zip file for its server, or check such a file.",
    "info": "Describe a file: scene, mask, polygons, model or recipe.",
    "recipes": "List the recipes included in geoseg.",
    "picture": "Draw a scene next to its mask, reference and polygons.",
}
"""Summary of each subcommand in ``geoseg --help``. A subcommand is the function in the module of the same name."""

MODULES = {"import": "import_checkpoint"}
"""Modules of the subcommands whose names are not valid module names."""

RENAMED = {"import-zoo": "import"}
"""Old names that still work in this release, mapped to their new names."""

INTERNAL_ERROR = 70
"""Exit code of an internal error (EX_SOFTWARE in sysexits.h)."""
STOPPED = 130
"""Exit code after Ctrl-C (128 + SIGINT, the shell convention)."""
GDAL_LOG_OFF = ("CPL_LOG", os.devnull)
"""Environment variable that keeps GDAL and libtiff from printing their own messages before those of geoseg."""
REPORT = "This is a bug in geoseg. Please report it with the text above and the command you ran."


class Commands(click.Group):
    """A command group that lists its subcommands from a table and imports only the one that is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of a typical workflow."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand ``cmd_name``; return None if it does not exist."""
        if cmd_name in RENAMED:
            console.print_warning(f"geoseg {cmd_name} is now geoseg {RENAMED[cmd_name]}")
            cmd_name = RENAMED[cmd_name]
        if cmd_name not in COMMANDS:
            return None
        name = MODULES.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(f".{name}", __package__), name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands from the table without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; suggest the closest name if it is unknown."""
        if args[0] not in {*COMMANDS, *RENAMED} and not args[0].startswith("-"):
            raise click.UsageError(f"unknown command {args[0]!r}; {did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; convert errors to a message and an exit code."""
        os.environ.setdefault(*GDAL_LOG_OFF)
        with console.log_to_stderr(ctx):
            try:
                return super().invoke(ctx)
            except GeosegError as error:
                console.print_error(error.message, error.hint)
                ctx.exit(1)
            except BrokenPipeError:
                raise  # click exits silently on a closed pipe
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    self._report_internal_error(ctx)
                console.print_error(
                    f"a file name is too long: {str(error.filename)[:80]}...", "use a shorter file name"
                )
                ctx.exit(1)
            except KeyboardInterrupt:
                console.print_error("stopped by the user; no incomplete output was left behind")
                ctx.exit(STOPPED)
            except (click.ClickException, click.exceptions.Exit, click.Abort):
                raise  # click prints the message
            except Exception:
                self._report_internal_error(ctx)

    def _report_internal_error(self, ctx: click.Context) -> None:
        click.echo(traceback.format_exc(), err=True)
        click.echo(REPORT, err=True)
        ctx.exit(INTERNAL_ERROR)


@click.group("geoseg", cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="geoseg")
@options.verbosity
def main() -> None:
    """Segment remote sensing imagery: train, predict, polygonize and evaluate."""
