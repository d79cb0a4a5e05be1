"""Run a script together with mmsegmentation, in an environment that is created for it.

    python benchmarks/parity                                    compare everything, write docs/parity.md (5 minutes)
    python benchmarks/parity benchmarks/network.py --rounds 5   run another script with its options

The environment is in the folder ``build/parity``. It uses the packages of the Python that runs this file, in particular
torch, so that both libraries run the same kernels. Its additional packages are listed in ``requirements.txt``. The
environment is created again if these packages or this file change, which requires internet access.
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

OPERATORS = '''"""Stubs of mmcv's compiled operators: mmsegmentation imports some by name; DeepLab does not use them."""


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})
'''


def environment() -> Path:
    """Return the Python interpreter of the environment; create the environment if it does not exist."""
    python, made_of = HOME / "bin" / "python", HOME / "made-of.txt"
    wanted = "\n".join(
        [sys.executable, sys.version, REQUIREMENTS.read_text("utf-8"), Path(__file__).read_text("utf-8")]
    )
    if not made_of.is_file() or made_of.read_text("utf-8") != wanted:
        print(f"creating {HOME.relative_to(ROOT)}", file=sys.stderr)
        venv.create(HOME, clear=True, with_pip=True)
        fill(python)
        made_of.write_text(wanted, "utf-8")
    return python


def fill(python: Path) -> None:
    """Make the packages of this Python available in the environment, and install the missing ones."""
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(HOME)}))
    # Use addsitedir instead of a plain path, because it also reads .pth files, which editable packages need.
    lent = [f"import site; site.addsitedir({path!r})\n" for path in {*map(sysconfig.get_path, ("purelib", "platlib"))}]
    (packages / "lent.pth").write_text("".join(lent), "utf-8")
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(REQUIREMENTS)]
    subprocess.run([python, *install], check=True)
    (packages / "mmcv" / "ops" / "__init__.py").write_text(OPERATORS, "utf-8")


def main() -> int:
    script, *options = sys.argv[1:] if sys.argv[1:2] and sys.argv[1].endswith(".py") else ["", *sys.argv[1:]]
    command = [environment(), script or HERE / "compare.py", *options]
    # Threads that spin while they wait make a pass many times slower if another program uses the same CPU.
    settings = {"PYTHONPATH": str(HERE), "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.run(command, check=False, env={**os.environ, **settings}).returncode


if __name__ == "__main__":
    sys.exit(main())
