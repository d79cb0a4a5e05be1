"""Parse YAML from untrusted files, with limits on nesting and on the expansion of aliases.

An alias stands for all nodes of its anchor, so a few lines can expand to billions of nodes, and a node can contain
itself. The limits are checked on parser events, before any nodes are built.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from geoseg.errors import ConfigError

MAX_DEPTH = 32
"""Maximum depth of nested mappings and lists."""

MAX_NODES = 100_000
"""Maximum number of values after all aliases have been expanded."""

EventLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C parser, if PyYAML was built with it. The Python parser takes seconds to parse thousands of brackets."""


@dataclass
class _Collection:
    """A mapping or list whose end has not yet been reached."""

    anchor: str | None
    """Name of the anchor to which aliases refer; None if there is none."""
    nodes: int = 1
    """Number of nodes in the collection so far, including itself."""


def parse_yaml(label: str, text: str) -> Any:
    """Parse one YAML document.

    Args:
        label: Name of the source in error messages.
        text: The document.

    Raises:
        ConfigError: If the text is not YAML, is nested too deeply, has too many values, or a value contains itself.
    """
    try:
        _check_expansion(label, text)
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: an invalid date or number
        mark = getattr(error, "problem_mark", None)
        where = f"{label}:{mark.line + 1}" if mark else label
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise ConfigError(f"{where}: invalid YAML", " ".join(str(reason).split())[:200]) from error


def _check_expansion(label: str, text: str) -> None:
    """Raise :class:`ConfigError` if a document is nested too deeply, has too many nodes, or contains itself."""
    sizes: dict[str, int] = {}
    open_collections: list[_Collection] = [_Collection(None)]
    for event in yaml.parse(text, Loader=EventLoader):
        where = f"{label}:{event.start_mark.line + 1}" if event.start_mark else label
        if isinstance(event, yaml.CollectionStartEvent):
            open_collections.append(_Collection(event.anchor))
            if len(open_collections) > MAX_DEPTH + 1:
                raise ConfigError(f"{where}: more than {MAX_DEPTH} levels of nesting", "a recipe has only two or three")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            closed = open_collections.pop()
            anchor, nodes = closed.anchor, closed.nodes
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in {collection.anchor for collection in open_collections}:
                raise ConfigError(
                    f"{where}: {event.anchor} contains itself", "write out the values instead of an alias"
                )
            anchor, nodes = None, sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            anchor, nodes = event.anchor, 1
        else:
            continue
        if anchor is not None:
            sizes[anchor] = nodes
        open_collections[-1].nodes += nodes
        if open_collections[-1].nodes > MAX_NODES:
            raise ConfigError(f"{where}: more than {MAX_NODES:,} values", "aliases repeat all values of their anchor")
