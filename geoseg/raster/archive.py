"""Files in folders and inside zip archives, seen alike: found by name, opened where they lie, nothing unpacked."""

import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from geoseg.errors import DataError

JUNK = {"__MACOSX", ".DS_Store", "Thumbs.db"}
"""Names that operating systems leave behind."""
ENCRYPTED = 1
"""The bit of a member's flags that says it needs a password (section 4.4.4 of the zip format)."""


@dataclass(frozen=True, order=True)
class FileEntry:
    """One file below a root."""

    place: str
    """Path below the root with slashes; a zip counts as a folder (``2_Ortho_RGB.zip/top_potsdam_2_10_RGB.tif``)."""
    path: Path
    """What GDAL opens: the file itself, or ``/vsizip/{archive}/member``."""

    @property
    def name(self) -> str:
        """File name with suffix."""
        return PurePosixPath(self.place).name

    @property
    def is_packed(self) -> bool:
        """True inside a zip."""
        return is_packed(self.path)


def entries(root: Path) -> list[FileEntry]:
    """Every file below a folder, those inside zips included, sorted by place; hidden files are left out.

    :class:`DataError` if there is no such folder or a zip is damaged.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", "give the folder of the archives, zipped or unpacked")
    found: list[FileEntry] = []
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root).as_posix()
        if _is_junk(place) or not path.is_file():
            continue
        if path.suffix.lower() == ".zip":
            members = (name for name in _sizes(path, path.stat().st_mtime_ns) if not _is_junk(name))
            found += [FileEntry(f"{place}/{name}", packed(path, name)) for name in members]
        else:
            found.append(FileEntry(place, path))
    return sorted(found)


def packed(archive: Path, member: str) -> Path:
    """GDAL's name for a member of a zip. Braces, because :class:`Path` would merge the slashes of an absolute name."""
    return Path(f"/vsizip/{{{archive.absolute()}}}/{member}")


def is_packed(path: Path) -> bool:
    """True for a path that :func:`packed` made."""
    return path.as_posix().startswith("/vsizip/{")


def state(path: Path) -> tuple[str, int, int]:
    """What changes when a file does: (name, bytes, date); of a member of a zip (name, bytes, checksum)."""
    if not is_packed(path):
        status = path.stat()
        return path.name, status.st_size, status.st_mtime_ns
    archive, _, member = path.as_posix().removeprefix("/vsizip/{").partition("}/")
    size, checksum = _sizes(Path(archive), Path(archive).stat().st_mtime_ns)[member]
    return path.name, size, checksum


@lru_cache(maxsize=64)
def _sizes(archive: Path, changed: int) -> dict[str, tuple[int, int]]:  # noqa: ARG001 - a changed archive is read anew
    """(bytes, CRC-32) of each file in a zip, by its name there."""
    try:
        with zipfile.ZipFile(archive) as file:
            members = [info for info in file.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{archive} is no zip archive that can be read: {error}", "download it again") from None
    if any(info.flag_bits & ENCRYPTED for info in members):
        raise DataError(f"{archive} is encrypted", "unpack it with its password, and give the folder")
    return {PurePosixPath(info.filename).as_posix(): (info.file_size, info.CRC) for info in members}


def _is_junk(place: str) -> bool:
    parts = PurePosixPath(place).parts
    return bool(JUNK.intersection(parts)) or any(part.startswith(".") for part in parts)
