"""Whether a zip is what LoveDA's server takes: every image of a phase, nothing else, and each of the right kind.

The server (Codabench 13030; the two phases of domain adaptation are 13037) wants PNGs named as the test images
(``4191.png``), without folders. Nothing here needs torch.
"""

import contextlib
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from geoseg.data.datasets._archive_files import listed
from geoseg.data.datasets.loveda import IDS, LEGEND
from geoseg.errors import ConfigError, DataError, did_you_mean
from geoseg.evaluation.submission.loveda_png import no_damage, values_in
from geoseg.progress import Progress, silent

TEST = IDS["test"]
PHASES: Mapping[str, range] = {
    "all": range(TEST["rural"].start, TEST["urban"].stop),
    "urban": TEST["urban"],
    "rural": TEST["rural"],
}
"""Numbers of the images of each phase: the whole test set, or one of its domains."""

LARGEST = 16 << 20
"""Bytes. A PNG of an image's size is smaller, whatever its kind; what claims more is not unpacked."""


@dataclass(frozen=True)
class Checked:
    """What a zip turned out to be."""

    phase: str
    """The phase it was compared with, a key of :data:`PHASES`."""
    images: int
    """How many of the phase's images it holds."""
    classes: tuple[str, ...]
    """Names of the classes that occur."""
    problems: tuple[DataError, ...]
    """Why it is not valid; empty if it is."""

    def __str__(self) -> str:
        return (
            f"{'not valid' if self.problems else 'valid'} for {self.what}: {self.images} images, "
            f"classes present: {', '.join(self.classes) or 'none'}"
        )

    @property
    def what(self) -> str:
        """The phase in words."""
        return "LoveDA test" if self.phase == "all" else f"LoveDA test ({self.phase} phase)"

    def require_valid(self) -> Self:
        """Itself; :class:`DataError` with the first problem, and how many more there are, if it is not valid."""
        if not self.problems:
            return self
        first, more = self.problems[0], len(self.problems) - 1
        count = f" (and {more} more {'problem' if more == 1 else 'problems'})" if more else ""
        raise DataError(f"not valid for {self.what}: {first.message}{count}", first.hint)


def check_submission(path: str | Path, *, phase: str | None = None, progress: Progress = silent) -> Checked:
    """Compares a zip with a phase of :data:`PHASES`, by default the one it fits best; all its problems are collected.

    Images are read one at a time. :class:`DataError` if there is no file or it is no zip, :class:`ConfigError` if there
    is no such phase.
    """
    if phase is not None:
        require_phase(phase)
    with _opened(Path(path)) as archive:
        members = archive.infolist()
        found = Counter(number for member in members if (number := _number(member)) is not None)
        phase = phase or _best_phase(found)
        problems = [*_layout_problems(members), *_number_problems(found, phase)]
        wanted = [member for member in members if _number(member) in PHASES[phase]]
        values: set[int] = set()
        with progress(len(wanted), "checking") as task:
            for member in wanted:
                try:
                    values |= _values(archive, member)
                except DataError as error:
                    problems.append(error)
                task.advance(note=member.filename)
    classes = tuple(name for index, name in enumerate(LEGEND.names) if index in values)
    return Checked(phase, sum(number in found for number in PHASES[phase]), classes, tuple(problems))


def require_phase(phase: str) -> None:
    """:class:`ConfigError` unless it is a phase."""
    if phase not in PHASES:
        raise ConfigError(f"LoveDA has no phase {phase!r}", did_you_mean(phase, PHASES))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    if not path.is_file():
        raise DataError(f"there is no file {path}", "name the zip to check")
    try:
        with no_damage():
            archive = zipfile.ZipFile(path)
    except DataError as error:
        raise DataError(f"{path} {error.message}", "give a zip of PNGs, or make it again") from None
    with archive:
        yield archive


def _values(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> set[int]:
    """The class indices in an image of the zip; :class:`DataError` that names it."""
    try:
        return values_in(_unpacked(archive, member))
    except DataError as error:
        raise DataError(f"{member.filename} {error.message}", error.hint) from None


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > LARGEST:
        raise DataError(f"would unpack to {member.file_size} bytes", "write PNGs of one byte per pixel")
    with no_damage():
        return archive.read(member)


def _number(member: zipfile.ZipInfo) -> int | None:
    """4191 for ``4191.png``, in whatever folder; None for any other name."""
    match = re.fullmatch(r"(0|[1-9][0-9]{0,8})\.png", PurePosixPath(member.filename).name)
    return int(match[1]) if match and not member.is_dir() else None


def _best_phase(found: Iterable[int]) -> str:
    """The phase that shares most with the numbers found (intersection over union)."""
    numbers = set(found)
    return max(PHASES, key=lambda phase: len(numbers & {*PHASES[phase]}) / len(numbers | {*PHASES[phase]}))


def _layout_problems(members: Sequence[zipfile.ZipInfo]) -> Iterator[DataError]:
    nested = [member.filename for member in members if "/" in member.filename]
    others = [member.filename for member in members if _number(member) is None and not member.is_dir()]
    if nested:
        yield DataError(f"there are folders in it: {listed(nested)}", "zip the files alone: zip -j FILE FOLDER/*.png")
    if others:
        yield DataError(f"there are other files in it: {listed(others)}", "leave only images named like 4191.png")


def _number_problems(found: Counter[int], phase: str) -> Iterator[DataError]:
    wanted = PHASES[phase]
    missing = [number for number in wanted if number not in found]
    extra = sorted(number for number in found if number not in wanted)
    twice = sorted(number for number, count in found.items() if count > 1)
    span = f"it should hold {wanted[0]}.png to {wanted[-1]}.png, each once"
    if missing:
        yield DataError(f"it lacks {len(missing)} of {len(wanted)} images: {_files(missing)}", span)
    if extra:
        yield DataError(f"it holds images of other numbers: {_files(extra)}", span)
    if twice:
        yield DataError(f"it holds more than one {_files(twice)}", span)


def _files(numbers: Iterable[int]) -> str:
    return listed(f"{number}.png" for number in numbers)
