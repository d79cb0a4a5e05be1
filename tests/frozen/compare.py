"""Compare what the base commit and the working tree write, byte for byte: ``python tests/frozen/compare.py``.

Both trees get the same inputs, which the base tree makes, and run the same commands at the same paths. What differs and
may differ (dates, durations, versions, wording) is left out by name in ``normalize.py``.
"""

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import outputs
from command import CASES
from normalize import compare_folders
from trees import HERE, ROOT, git, run_in_tree, say, worktree

BASE = "a105f66"
FREE = {"compare.py", "normalize.py", "adapters.py"}
"""Files that may change without the base's outputs having to be made again; names added to adapters change nothing."""


def main() -> int:
    """Make outputs of both trees, and compare them.

    Returns:
        1 if anything differs or a case failed, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default=BASE, help="commit that says what is right (%(default)s)")
    parser.add_argument("--working", type=Path, default=ROOT, help="root of the tree to be judged; this one")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="a case, or how names of cases begin; may be repeated"
    )
    parser.add_argument("--keep", type=Path, help="keep inputs and outputs in this folder")
    parser.add_argument("--reuse", action="store_true", help="use the base's outputs in --keep if they still hold")
    parser.add_argument("--list", action="store_true", help="only list the cases")
    given = parser.parse_args()
    for subject in outputs.SUBJECTS:
        __import__(subject)
    chosen = [name for name in CASES if not given.only or any(name.startswith(each) for each in given.only)]
    if given.list or not chosen:
        say("\n".join(CASES))
        return int(not chosen)
    if given.keep is not None:
        return run(given.base, given.working, chosen, given.keep.resolve(), reuse=given.reuse)
    with tempfile.TemporaryDirectory(prefix="geoseg-frozen-") as folder:
        return run(given.base, given.working, chosen, Path(folder), reuse=False)


def run(base: str, working: Path, chosen: list[str], keep: Path, *, reuse: bool) -> int:
    """Make what is missing, and compare.

    Args:
        base: The base commit.
        working: Root of the other tree.
        chosen: Names of cases.
        keep: Folder for all of it.
        reuse: Take outputs of the base that are there, if they still hold.

    Returns:
        The exit code.
    """
    keep.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    make_base(git("rev-parse", base), chosen, keep, reuse=reuse)
    say(f"base: {time.monotonic() - begun:.0f} s")
    begun = time.monotonic()
    shutil.rmtree(keep / "working", ignore_errors=True)
    make_outputs(working.resolve(), "working", chosen, keep)
    say(f"working tree: {time.monotonic() - begun:.0f} s\n")
    return compare_folders(keep / "base", keep / "working", chosen)


def make_base(commit: str, chosen: list[str], keep: Path, *, reuse: bool) -> None:
    """Make inputs and the outputs of the base tree, as far as they are missing.

    Args:
        commit: The base commit.
        chosen: Names of cases.
        keep: Folder for all of it.
        reuse: Take what is there, if it is of the same commit and scripts.
    """
    stamp, inputs_stamp = keep / "base.json", keep / "inputs.json"
    wanted = {"commit": commit, "scripts": digest(path for path in HERE.glob("*.py") if path.name not in FREE)}
    inputs_wanted = {"commit": commit, "scripts": digest([HERE / "inputs.py", HERE / "command.py"])}
    if not reuse or read(inputs_stamp) != inputs_wanted:
        shutil.rmtree(keep / "inputs", ignore_errors=True)
    if not reuse or read(stamp) != wanted or not (keep / "inputs").exists():
        shutil.rmtree(keep / "base", ignore_errors=True)
    stamp.write_text(json.dumps(wanted))
    missing = [name for name in chosen if not is_done(keep / "base" / name)]
    if not missing:
        return
    with worktree(commit, keep / "tree") as tree:
        if not (keep / "inputs").exists():
            (keep / "inputs").mkdir()
            with (keep / "inputs.log").open("w") as log:
                run_in_tree(tree, keep, "base", keep / "inputs", "inputs.py", log=log)
            inputs_stamp.write_text(json.dumps(inputs_wanted))
        make_outputs(tree, "base", missing, keep)


def make_outputs(tree: Path, name: str, chosen: list[str], keep: Path) -> None:
    """Run cases in a tree, at a place that is the same for all trees, and put what they wrote into a folder.

    Args:
        tree: Root of the tree.
        name: What it is called.
        chosen: Names of cases.
        keep: Folder for all of it.
    """
    place = keep / "run"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    folders = (
        "--tree",
        str(tree),
        "--out",
        str(place),
        "--into",
        str(keep / name),
        "--logs",
        str(keep / "logs" / name),
    )
    run_in_tree(tree, keep, name, place, "outputs.py", *folders, *chosen)


def is_done(folder: Path) -> bool:
    """Tell if a case ended well.

    Args:
        folder: Its folder.

    Returns:
        True if it did.
    """
    return folder.exists() and not (folder / "FAILED.txt").exists()


def digest(paths: object) -> str:
    """Tell scripts apart.

    Args:
        paths: Files.

    Returns:
        One digest of their bytes.
    """
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()


def read(path: Path) -> object:
    """Read a stamp.

    Args:
        path: The file.

    Returns:
        Its content; None if it is not there.
    """
    return json.loads(path.read_text()) if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
