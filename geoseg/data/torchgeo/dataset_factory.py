"""Create torchgeo datasets from a class name and arguments, once per process and with readable errors."""

import contextlib
import inspect
import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from geoseg._text import did_you_mean
from geoseg.errors import ConfigError, DataError


@dataclass(frozen=True)
class DatasetFactory:
    """Creates a torchgeo dataset from its class name and arguments, in any process."""

    name: str
    """Name of the class."""
    root: Path
    """Folder that contains its files."""
    arguments: str = "{}"
    """Its other keyword arguments, as JSON."""
    label: str = ""
    """Short text that represents the arguments, unique among the splits of a dataset, used in scene names."""

    def with_split(self, split: Any) -> "DatasetFactory":
        """Return the factory with arguments bound: either a value for ``split`` or a mapping of additional arguments."""
        more = dict(split) if isinstance(split, Mapping) else {"split": split}
        label = "-".join(str(one) for each in more.values() for one in (each if isinstance(each, list) else [each]))
        arguments = json.dumps(json.loads(self.arguments) | more, sort_keys=True)
        return replace(self, arguments=arguments, label=label or self.name)

    def create(self, **more: Any) -> Any:
        """Create the dataset.

        Args:
            **more: Additional arguments of the class; with ``download=True``, checksums are verified if the class
                supports it.

        Raises:
            ConfigError: If there is no such class, or an argument is invalid.
            DataError: If its files are missing, cannot be opened or cannot be downloaded.
        """
        dataset_class = find_class(self.name)
        arguments = json.loads(self.arguments) | more
        parameters = inspect.signature(dataset_class).parameters
        for key in arguments:
            if key not in parameters:
                message = f"torchgeo's {self.name} has no argument {key!r}"
                raise ConfigError(message, did_you_mean(key, parameters))
        arguments |= {"checksum": True} if arguments.get("download") and "checksum" in parameters else {}
        with self._readable_errors(arguments), suppress_output():
            return dataset_class(**{"root" if "root" in parameters else "paths": str(self.root)}, **arguments)

    @contextlib.contextmanager
    def _readable_errors(self, arguments: Mapping[str, Any]) -> Iterator[None]:
        from torchgeo.datasets import DatasetNotFoundError, DependencyNotFoundError  # noqa: PLC0415 - takes 5 seconds

        try:
            yield
        except DatasetNotFoundError as error:
            hint = "check data.root; torchgeo downloads the dataset, if it can, with --set data.download=true"
            raise DataError(
                f"{self.root} does not contain the files of the torchgeo dataset {self.name}", hint
            ) from error
        except (AssertionError, TypeError, ValueError, KeyError) as error:
            reason = str(error) or "a value is not allowed"
            message = f"torchgeo's {self.name} cannot be called with {arguments}: {reason}"
            hint = "see its page in torchgeo's documentation, and data.splits, data.options"
            raise ConfigError(message, hint) from error
        except Exception as error:
            # Downloads raise errors from many libraries.
            is_download = bool(arguments.get("download"))
            if not is_download and not isinstance(error, OSError | RuntimeError | DependencyNotFoundError):
                raise
            verb = "download" if is_download else "open"
            message = f"torchgeo cannot {verb} {self.name}: {' '.join(str(error).split())}"
            hint = f"check the network, or download it by hand into {self.root}" if is_download else "unpack it again"
            raise DataError(message, hint) from error


@lru_cache(maxsize=32)
def open_cached(factory: DatasetFactory) -> Any:
    """Return the dataset of a factory, created once per process."""
    return factory.create()


def find_class(name: str) -> Any:
    """Return the class with this name in ``torchgeo.datasets``.

    Raises:
        ConfigError: If there is no such class; the hint suggests the most similar name.
    """
    import torchgeo.datasets  # noqa: PLC0415 - takes five seconds

    module = torchgeo.datasets
    bases = module.NonGeoDataset, module.GeoDataset
    classes = {each: getattr(module, each) for each in module.__all__ if inspect.isclass(getattr(module, each))}
    classes = {each: value for each, value in classes.items() if issubclass(value, bases)}
    if name not in classes:
        raise ConfigError(f"torchgeo has no dataset {name!r}", did_you_mean(name, classes))
    return classes[name]


@contextlib.contextmanager
def suppress_output() -> Iterator[None]:
    """Redirect torchgeo's output to stderr, and ignore its warnings about deprecation and missing geotransforms."""
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Dataset has no geotransform")
        yield


def is_geo_dataset(dataset: Any) -> bool:
    """Return True for a dataset that is indexed by coordinates."""
    from torchgeo.datasets import GeoDataset  # noqa: PLC0415 - takes five seconds

    return isinstance(dataset, GeoDataset)
