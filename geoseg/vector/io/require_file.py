"""Check that a vector file exists, without importing GeoPandas."""

import os
from pathlib import Path

from geoseg._output_files import PIPE_HINT, is_pipe, path_exists
from geoseg._text import did_you_mean
from geoseg.errors import LayerError

MAX_SUGGESTION_FILES = 1000
"""Maximum number of files in a folder for which a similar file name is suggested."""


def require_file(path: str | Path) -> str:
    """Return the path as text; raise :class:`LayerError` if it is a local file that does not exist, or a pipe."""
    name = os.fspath(path)
    if is_pipe(name):
        raise LayerError(f"{name} is a pipe, not a file", PIPE_HINT)
    if "://" in name or name.startswith("/vsi") or path_exists(name):
        return name
    siblings = [file.name for file in Path(name).parent.glob("*")]
    hint = did_you_mean(Path(name).name, siblings) if len(siblings) < MAX_SUGGESTION_FILES else ""
    raise LayerError(f"{name} does not exist", hint if hint.startswith("did") else "check the path")
