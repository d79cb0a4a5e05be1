"""Datasets of torchgeo by what they are called with: found by name, opened once per process, errors in a sentence."""

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

from geoseg.errors import ConfigError, DataError, did_you_mean


@dataclass(frozen=True)
class Call:
    """A dataset of torchgeo by what it is called with: this is what travels between processes."""

    name: str
    """Name of the class."""
    root: Path
    """Folder of its files."""
    arguments: str = "{}"
    """Its other keyword arguments, as JSON."""
    words: str = ""
    """What tells this call from others, for names of scenes."""

    def with_split(self, said: Any) -> "Call":
        """The call for a value of ``split``, or with more keyword arguments."""
        more = dict(said) if isinstance(said, Mapping) else {"split": said}
        words = "-".join(str(one) for each in more.values() for one in (each if isinstance(each, list) else [each]))
        arguments = json.dumps(json.loads(self.arguments) | more, sort_keys=True)
        return replace(self, arguments=arguments, words=words or self.name)

    def open(self, **more: Any) -> Any:
        """The dataset; :class:`ConfigError` if it is called wrongly, :class:`DataError` if its files are not there."""
        kind = find(self.name)
        given = json.loads(self.arguments) | more
        takes = inspect.signature(kind).parameters
        for key in given:
            if key not in takes:
                raise ConfigError(f"torchgeo's {self.name} takes no {key!r}", did_you_mean(key, takes))
        given |= {"checksum": True} if given.get("download") and "checksum" in takes else {}
        with self._explained(given), quiet():
            return kind(**{"root" if "root" in takes else "paths": str(self.root)}, **given)

    @contextlib.contextmanager
    def _explained(self, given: Mapping[str, Any]) -> Iterator[None]:
        from torchgeo.datasets import DatasetNotFoundError, DependencyNotFoundError  # noqa: PLC0415 - takes 5 seconds

        try:
            yield
        except DatasetNotFoundError:
            hint = "check data.root; torchgeo fetches what it may with --set data.download=true"
            raise DataError(f"{self.root} does not hold the files of torchgeo's {self.name}", hint) from None
        except (AssertionError, TypeError, ValueError, KeyError) as error:
            said = f"torchgeo's {self.name} cannot be called with {given}: {str(error) or 'a value is not allowed'}"
            raise ConfigError(said, "see its page in torchgeo's documentation, and data.splits, data.options") from None
        except Exception as error:
            # Of all that goes wrong on the way from a server, each library has an error of its own.
            fetches = bool(given.get("download"))
            if not fetches and not isinstance(error, OSError | RuntimeError | DependencyNotFoundError):
                raise
            said = f"torchgeo cannot {'fetch' if fetches else 'open'} {self.name}: {' '.join(str(error).split())}"
            hint = f"check the network, or fetch it by hand into {self.root}" if fetches else "unpack it again"
            raise DataError(said, hint) from None


@lru_cache(maxsize=32)
def opened(call: Call) -> Any:
    """The dataset, opened once per process."""
    return call.open()


def find(name: str) -> Any:
    """The class of this name in ``torchgeo.datasets``; :class:`ConfigError` with the nearest name if there is none."""
    import torchgeo.datasets as known  # noqa: PLC0415 - takes five seconds

    bases = known.NonGeoDataset, known.GeoDataset
    kinds = {each: getattr(known, each) for each in known.__all__ if inspect.isclass(getattr(known, each))}
    kinds = {each: kind for each, kind in kinds.items() if issubclass(kind, bases)}
    if name not in kinds:
        raise ConfigError(f"torchgeo has no dataset {name!r}", did_you_mean(name, kinds))
    return kinds[name]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What torchgeo prints goes to stderr; that it calls old functions, or that an image has no place, is not said."""
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Dataset has no geotransform")
        yield


def has_places(dataset: Any) -> bool:
    """Whether a dataset is asked with coordinates."""
    from torchgeo.datasets import GeoDataset  # noqa: PLC0415 - takes five seconds

    return isinstance(dataset, GeoDataset)
