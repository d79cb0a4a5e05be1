"""Runs a script beside mmsegmentation, in an environment made for it: geoseg's own packages and a few more.

    python benchmarks/parity                                    compares all, writes docs/parity.md (5 minutes)
    python benchmarks/parity benchmarks/network.py --rounds 5   another script, with its options

The environment lies in ``build/parity``. It sees the packages of the Python that runs this file, torch above all, so that
both sides compute with the same kernels; ``requirements.txt`` says what it has beyond them. It is made anew when they
or this file change. Making it needs the network once.
"""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HOME = ROOT / "build" / "parity"
REQUIREMENTS = HERE / "requirements.txt"

OPERATORS = '''"""Stand-ins for mmcv's compiled operators: mmsegmentation imports some by name, and no DeepLab uses one."""


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})
'''


def environment() -> Path:
    """The Python of the environment, which is made if it is not there."""
    python, made_of = HOME / "bin" / "python", HOME / "made-of.txt"
    wanted = "\n".join(
        [sys.executable, sys.version, REQUIREMENTS.read_text("utf-8"), Path(__file__).read_text("utf-8")]
    )
    if not made_of.is_file() or made_of.read_text("utf-8") != wanted:
        print(f"making {HOME.relative_to(ROOT)}", file=sys.stderr)
        venv.create(HOME, clear=True, with_pip=True)
        fill(python)
        made_of.write_text(wanted, "utf-8")
    return python


def fill(python: Path) -> None:
    """Lends the environment this Python's packages, and installs what they lack."""
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(HOME)}))
    # addsitedir, because a mere path would not look into the .pth files there, by which editable packages are found.
    lent = [f"import site; site.addsitedir({path!r})\n" for path in {*map(sysconfig.get_path, ("purelib", "platlib"))}]
    (packages / "lent.pth").write_text("".join(lent), "utf-8")
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(REQUIREMENTS)]
    subprocess.run([python, *install], check=True)
    (packages / "mmcv" / "ops" / "__init__.py").write_text(OPERATORS, "utf-8")


def main() -> int:
    script, *options = sys.argv[1:] if sys.argv[1:2] and sys.argv[1].endswith(".py") else ["", *sys.argv[1:]]
    command = [environment(), script or HERE / "compare.py", *options]
    # Threads that spin while they wait make a pass many times slower as soon as another program wants the processor.
    settings = {"PYTHONPATH": str(HERE), "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.run(command, check=False, env={**os.environ, **settings}).returncode


if __name__ == "__main__":
    sys.exit(main())
