"""The folders of a campaign: inputs, one working directory per call, and traps for files that are written elsewhere."""

import itertools
import os
import shutil
from pathlib import Path

from .calls import Call, Limits
from .faults import Record, list_files

TARGETS = "targets"
"""Folder among the inputs with paths that calls write to."""


class Sandbox:
    """Folders of a campaign, two levels below a folder that nothing else uses.

    HOME and TMPDIR point into it, so files that are written outside of an output are found.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.inputs = self.root / "level" / "inputs"
        self.outputs = self.root / "level" / "outputs"
        self.logs = self.root / "logs"
        self.executed = self.root / "executed"
        """Code in hostile inputs creates files in this folder."""
        for folder in (self.inputs, self.outputs, self.logs, self.executed, self.root / "home", self.root / "tmp"):
            folder.mkdir(parents=True)
        os.environ["HOME"], os.environ["TMPDIR"] = str(self.root / "home"), str(self.root / "tmp")
        self._numbers = itertools.count()
        self._before: dict[str, tuple[int, int]] = {}

    def new_folder(self) -> Path:
        """Create an empty working directory."""
        folder = self.outputs / f"{next(self._numbers):05}"
        folder.mkdir()
        return folder

    def call(
        self,
        label: str,
        *arguments: object,
        output: str | None = None,
        limits: Limits | None = None,
        must_fail: bool = False,
    ) -> Call:
        """Create a call in a new working directory.

        Args:
            label: Description of the call.
            *arguments: Arguments; ``OUT`` stands for the path of the output.
            output: Name of the output.
            limits: Limits of the process.
            must_fail: Whether success is a fault.
        """
        folder = self.new_folder()
        path = None if output is None else folder / output
        words = tuple(str(path) if word == "OUT" else str(word) for word in arguments)
        return Call(label, words, folder, path, limits or Limits(), must_fail=must_fail)

    def remove(self, call: Call) -> None:
        """Remove the working directory of a call."""
        shutil.rmtree(call.folder, ignore_errors=True)

    def watch(self) -> None:
        """Note all files outside of the working directories."""
        self._before = self._files()

    def find_strays(self, record: Record) -> None:
        """Record files that were written or changed since :meth:`watch`, and code that was executed."""
        nothing = Call(f"all calls of {record.name}", (), self.root)
        for path in self.executed.iterdir():
            record.add_fault("code executed", nothing, path.name)
        after = self._files()
        for name in sorted(after.keys() | self._before.keys()):
            if after.get(name) != self._before.get(name) and Path(name).parent != self.executed:
                record.add_fault("file outside", nothing, ascii(name))

    def _files(self) -> dict[str, tuple[int, int]]:
        caches = self.root / "home" / ".cache"
        targets = self.inputs / "names" / TARGETS
        without = (self.outputs, self.logs, caches, self.root / "home" / ".config", targets)
        return list_files(self.root, without=without)
