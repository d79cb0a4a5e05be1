"""List the files in folders and zip archives, and open archived files without extracting them."""

import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from geoseg.errors import DataError

JUNK = {"__MACOSX", ".DS_Store", "Thumbs.db"}
"""Names of files that operating systems add to folders and archives."""

ENCRYPTED = 1
"""Flag bit that marks an encrypted member (section 4.4.4 of the zip specification)."""


@dataclass(frozen=True, order=True)
class FileEntry:
    """A file under a root folder."""

    relative_path: str
    """Path relative to the root, with forward slashes; zip archives are treated as folders, for example
    ``2_Ortho_RGB.zip/top_potsdam_2_10_RGB.tif``."""
    path: Path
    """Path that GDAL can open: the file, or ``/vsizip/{archive}/member``."""

    @property
    def name(self) -> str:
        """File name with suffix."""
        return PurePosixPath(self.relative_path).name

    @property
    def is_packed(self) -> bool:
        """True for a member of a zip archive."""
        return is_zip_member(self.path)


def list_files(root: Path) -> list[FileEntry]:
    """List all files under a folder, including members of zip archives, sorted by relative path; skip hidden files.

    Raises:
        DataError: If the folder does not exist, or a zip archive is damaged or encrypted.
    """
    if not root.is_dir():
        raise DataError(
            f"there is no folder {root}", "specify the folder that contains the archives, zipped or extracted"
        )
    files: list[FileEntry] = []
    for path in sorted(root.rglob("*")):
        relative_path = path.relative_to(root).as_posix()
        if _is_junk(relative_path) or not path.is_file():
            continue
        if path.suffix.lower() == ".zip":
            members = (name for name in _read_members(path, path.stat().st_mtime_ns) if not _is_junk(name))
            files += [FileEntry(f"{relative_path}/{name}", zip_member_path(path, name)) for name in members]
        else:
            files.append(FileEntry(relative_path, path))
    return sorted(files)


def zip_member_path(archive: Path, member: str) -> Path:
    """Return the GDAL path of a member of a zip archive.

    The braces are needed because :class:`Path` would merge the slashes before an absolute path.
    """
    return Path(f"/vsizip/{{{archive.absolute()}}}/{member}")


def is_zip_member(path: Path) -> bool:
    """Return True for a path returned by :func:`zip_member_path`."""
    return path.as_posix().startswith("/vsizip/{")


def fingerprint(path: Path) -> tuple[str, int, int]:
    """Return values that change when the content of a file changes.

    Returns:
        (name, size in bytes, modification time in ns), or (name, size, CRC-32) for a member of a zip archive.
    """
    if not is_zip_member(path):
        status = path.stat()
        return path.name, status.st_size, status.st_mtime_ns
    archive, _, member = path.as_posix().removeprefix("/vsizip/{").partition("}/")
    size, checksum = _read_members(Path(archive), Path(archive).stat().st_mtime_ns)[member]
    return path.name, size, checksum


@lru_cache(maxsize=64)
def _read_members(archive: Path, modified: int) -> dict[str, tuple[int, int]]:  # noqa: ARG001 - part of the cache key
    """Return the (size in bytes, CRC-32) of each file in a zip archive, keyed by name."""
    try:
        with zipfile.ZipFile(archive) as file:
            members = [info for info in file.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{archive} is not a readable zip archive: {error}", "download it again") from error
    if any(info.flag_bits & ENCRYPTED for info in members):
        raise DataError(f"{archive} is encrypted", "extract it with its password, and specify the folder")
    return {PurePosixPath(info.filename).as_posix(): (info.file_size, info.CRC) for info in members}


def _is_junk(relative_path: str) -> bool:
    parts = PurePosixPath(relative_path).parts
    return bool(JUNK.intersection(parts)) or any(part.startswith(".") for part in parts)
