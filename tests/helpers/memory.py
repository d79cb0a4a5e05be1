"""Peak memory of Python code in a process of its own."""

import subprocess
import sys
import textwrap

MEASURE = """
from pathlib import Path
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def run_and_measure(code: str, *arguments: object, timeout_s: float = 120) -> tuple[str, int]:
    """Run code, with ``sys.argv[1:]`` as given, and return what it printed and its peak resident memory in MB.

    ``getrusage`` would count the process that started it, too: the peak survives ``exec``.
    """
    command = [sys.executable, "-c", textwrap.dedent(code) + MEASURE, *map(str, arguments)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout_s).stdout.splitlines()
    return "\n".join(lines[:-1]), int(lines[-1])
