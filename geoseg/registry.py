"""Parts that recipes name: heads, backbones, losses, samplers, datasets.

A part's name *is* the name of its file: ``head: deeplabv3plus`` leads to ``geoseg/models/heads/deeplabv3plus.py``.
Listing names imports nothing; a part is imported when it is asked for. Other distributions add parts by an entry point
in the group ``geoseg.<kind>s`` (for instance ``geoseg.heads``).
"""

import inspect
import pkgutil
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from geoseg.errors import ConfigError, did_you_mean

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])

NOT_PARTS = {"base", "build"}
"""Module names inside a folder of parts that are no parts: what they share, and what puts them together."""


class Registry(Generic[T]):
    """The parts of one kind, found in the package that holds them.

    ``kind`` is the singular word used in messages (``head``); ``package`` the dotted name of the folder of parts.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._parts: dict[str, Callable[..., T]] = {}

    def register(self, part: C) -> C:
        """Decorator: makes a class or function the part of the file it stands in."""
        self._parts[part.__module__.rpartition(".")[2]] = part
        return part

    def names(self) -> list[str]:
        """All names that can be asked for, without importing any part."""
        return part_names(self.kind, self.package)

    def get(self, name: str) -> Callable[..., T]:
        """The class or function registered under ``name``; :class:`ConfigError` with the nearest name otherwise."""
        if name not in self._parts:
            self._import(name)
        return self._parts[name]

    def build(self, name: str, options: Mapping[str, Any], **given: Any) -> T:
        """The part ``name`` called with what geoseg gives it and the options a recipe sets.

        Options are checked against the part's signature and coerced to its annotations, because YAML reads ``1e-3``
        as text. :class:`ConfigError` names the option that is wrong.
        """
        part = self.get(name)
        return part(**given, **self._checked(name, part, options, given))

    def check(self, name: str, options: Mapping[str, Any], *, given: Collection[str]) -> None:
        """:class:`ConfigError` for a name or options that :meth:`build` would refuse; ``given`` names what geoseg gives."""
        self._checked(name, self.get(name), options, given)

    def _import(self, name: str) -> None:
        for point in entry_points(group=f"geoseg.{self.kind}s"):
            if point.name == name:
                self._parts[name] = point.load()
                return
        if name not in self.names():
            raise ConfigError(f"there is no {self.kind} called {name!r}", did_you_mean(name, self.names()))
        import_module(f"{self.package}.{name}")

    def _checked(
        self, name: str, part: Callable[..., T], options: Mapping[str, Any], given: Collection[str]
    ) -> dict[str, Any]:
        settable = {
            key: parameter
            for key, parameter in inspect.signature(part).parameters.items()
            if key not in given and parameter.kind is not parameter.VAR_KEYWORD
        }
        checked = {}
        for key, value in options.items():
            if key not in settable:
                raise ConfigError(f"the {self.kind} {name} has no option {key!r}", did_you_mean(key, settable))
            checked[key] = _coerced(f"{self.kind} {name}: {key}", value, settable[key].annotation)
        missing = [k for k, p in settable.items() if p.default is p.empty and k not in checked]
        if missing:
            raise ConfigError(
                f"the {self.kind} {name} needs the option {missing[0]!r}",
                f"write {missing[0]}: ... beside the {self.kind}'s name",
            )
        return checked


def part_names(kind: str, package: str) -> list[str]:
    """Names of the parts of one kind, read from the file list of ``package``; imports neither parts nor the package."""
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    own = {module.name for module in pkgutil.iter_modules(folders) if not module.name.startswith("_")} - NOT_PARTS
    return sorted(own | {point.name for point in entry_points(group=f"geoseg.{kind}s")})


def _coerced(where: str, value: Any, annotation: Any) -> Any:
    if annotation is inspect.Parameter.empty:
        return value
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        raise ConfigError(f"{where}: {value!r} does not fit", error.errors()[0]["msg"].lower()) from None
