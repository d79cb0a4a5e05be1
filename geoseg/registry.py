"""Registries of the components that recipes refer to by name: heads, backbones, losses, samplers, datasets.

The name of a component is the name of its module: ``head: deeplabv3plus`` is ``geoseg/models/heads/deeplabv3plus.py``.
Listing names does not import any module; a component is imported when it is used. Other packages can add components
through entry points in the group ``geoseg.<kind>s`` (for example, ``geoseg.heads``).
"""

import inspect
import pkgutil
import reprlib
import warnings
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from geoseg._component_source import read_signature
from geoseg._text import did_you_mean
from geoseg.errors import ConfigError, GeosegWarning

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])

NON_COMPONENT_MODULES = {"base", "build"}
"""Modules in a component package that are not components: the interface, and the function that builds components."""


class Registry(Generic[T]):
    """The components of one kind, which are the modules of one package.

    Args:
        kind: Singular noun used in messages, such as ``head``.
        package: Dotted name of the package that contains the components.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._components: dict[str, Callable[..., T]] = {}

    def register(self, component: C) -> C:
        """Register a class or function as the component of its module; used as a decorator."""
        self._components[component.__module__.rpartition(".")[2]] = component
        return component

    def names(self) -> list[str]:
        """List the names of all components without importing them."""
        return component_names(self.kind, self.package)

    def get(self, name: str) -> Callable[..., T]:
        """Return the class or function of a component; raise :class:`ConfigError` for an unknown name."""
        if name not in self._components:
            self._import(name)
        return self._components[name]

    def build(self, name: str, options: Mapping[str, Any], **arguments: Any) -> T:
        """Build a component from its name and options.

        Args:
            name: Name of the component.
            options: Options from the recipe. They are checked against the signature and converted to the annotated
                types, because YAML parses ``1e-3`` as a string.
            arguments: Keyword arguments set by geoseg; a recipe cannot set them.

        Raises:
            ConfigError: If the name is unknown, or an option is unknown, invalid or missing.
        """
        component = self.get(name)
        checked = self._check_options(name, inspect.signature(component), options, arguments)
        return component(**arguments, **checked)

    def check(self, name: str, options: Mapping[str, Any], *, given: Collection[str]) -> None:
        """Raise the errors that :meth:`build` would raise, without calling the component.

        The component is not imported for this, if possible. For a component that has not been imported yet, only the
        names of options are checked, and values whose annotations are in the module or its ``base.py``.

        Args:
            name: Name of the component.
            options: Options from the recipe.
            given: Names of the keyword arguments that geoseg sets.
        """
        signature = None if name in self._components else self._read_signature(name)
        self._check_options(name, signature or inspect.signature(self.get(name)), options, given)

    def _read_signature(self, name: str) -> inspect.Signature | None:
        """Read the signature of a component from its file; return None if it is not a module of the package."""
        spec = find_spec(self.package)
        folders = list(spec.submodule_search_locations or []) if spec else []
        files = [path for folder in folders if (path := Path(folder, f"{name}.py")).is_file()]
        known = files and name not in NON_COMPONENT_MODULES and not name.startswith("_")
        return read_signature(files[0]) if known else None

    def _import(self, name: str) -> None:
        for point in entry_points(group=f"geoseg.{self.kind}s"):
            if point.name == name:
                self._components[name] = point.load()
                return
        if name not in self.names():
            raise ConfigError(f"unknown {self.kind} {name!r}", did_you_mean(name, self.names()))
        import_module(f"{self.package}.{name}")

    def _check_options(
        self, name: str, signature: inspect.Signature, options: Mapping[str, Any], given: Collection[str]
    ) -> dict[str, Any]:
        parameters = {
            key: parameter
            for key, parameter in signature.parameters.items()
            if key not in given and parameter.kind is not parameter.VAR_KEYWORD
        }
        checked = {}
        for key, value in options.items():
            if key not in parameters:
                raise ConfigError(f"the {self.kind} {name} has no option {key!r}", did_you_mean(key, parameters))
            checked[key] = _convert(f"{self.kind} {name}: {key}", value, parameters[key].annotation)
        missing = [k for k, p in parameters.items() if p.default is p.empty and k not in checked]
        if missing:
            raise ConfigError(
                f"the {self.kind} {name} needs the option {missing[0]!r}",
                f"add {missing[0]}: ... next to the name of the {self.kind}",
            )
        return checked


def component_names(kind: str, package: str) -> list[str]:
    """List the names of the components of one kind from the files of ``package``, without importing it.

    Args:
        kind: Kind of component, such as ``head``.
        package: Dotted name of the package.
    """
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    modules = {module.name for module in pkgutil.iter_modules(folders) if not module.name.startswith("_")}
    entries = {point.name for point in entry_points(group=f"geoseg.{kind}s")}
    return sorted((modules - NON_COMPONENT_MODULES) | entries)


def current_name(what: str, name: T, renamed: Mapping[str, T]) -> T:
    """Return the current spelling of a renamed value; issue a :class:`GeosegWarning` for an old spelling.

    Args:
        what: Name of the setting, such as ``augment.photometric`` or ``protocol``; used in the warning.
        name: The value, under its current name or an old one; can be of any type.
        renamed: Mapping from old spellings to current ones; entries are kept for one release.

    Example:
        >>> current_name("protocol", "scenes", {"zoo": "openmmlab"})
        'scenes'
    """
    if not isinstance(name, str) or name not in renamed:
        return name
    current = renamed[name]
    warnings.warn(f"{what}: {name!r} is now called {current!r}", GeosegWarning, stacklevel=3)
    return current


def _convert(where: str, value: Any, annotation: Any) -> Any:
    if annotation is inspect.Parameter.empty:
        return value
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        raise ConfigError(f"{where}: {reprlib.repr(value)} is not valid", error.errors()[0]["msg"].lower()) from error
