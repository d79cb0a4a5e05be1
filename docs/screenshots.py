"""Draw the screenshots of HTML reports in docs/pictures from the output of `make demo`; needs Chromium.

python docs/screenshots.py demo
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURES = Path(__file__).parent / "pictures"
DARK = "document.documentElement.dataset.theme = 'dark';"
OPEN_VIEWER = "setTimeout(() => document.querySelector('figure img[data-layer]').click(), 200);"


def main(demo: Path) -> None:
    """Write the reports to a temporary folder and draw them."""
    runs, prepared = demo / "runs", f"data.prepared={demo / 'prepared'}"
    _run_geoseg("train", "sample.yaml", "--runs", runs, "--set", prepared, *_short_run())
    with tempfile.TemporaryDirectory() as folder:
        one, two, shift = (Path(folder) / f"{name}.html" for name in ("one", "two", "shift"))
        test = ("--split", "test", "--set", prepared)
        _run_geoseg("report", runs / "sample", "-o", one, *test)
        _run_geoseg("report", runs / "sample", runs / "short", "-o", two, *test)
        model = runs / "sample" / "best.safetensors"
        _run_geoseg("gap", "sample.yaml:test", "sample.yaml:train", "--model", model, "-o", shift, "--set", prepared)
        for page, name, size, script in _screenshots(one, two, shift):
            _draw(page, PICTURES / f"{name}.png", size=size, script=script)


def _short_run() -> Iterator[str]:
    for setting in ("name=short", "train.iterations=40", "train.validate_every=40"):
        yield from ("--set", setting)


def _screenshots(one: Path, two: Path, shift: Path) -> list[tuple[Path, str, tuple[int, int], str]]:
    """List page, file name, (width, height) in pixels and a script to run before the screenshot."""
    return [
        (one, "report-sample", (1024, 1400), ""),
        (one, "report-dark", (832, 1900), DARK),
        (one, "report-viewer", (1024, 608), DARK + OPEN_VIEWER),
        (one, "report-narrow", (520, 960), ""),
        (two, "report-two", (1024, 1120), ""),
        (shift, "gap", (832, 1950), ""),
    ]


def _draw(page: Path, picture: Path, *, size: tuple[int, int], script: str) -> None:
    scripted = page.with_name("screenshot.html")
    html = page.read_text("utf-8")
    scripted.write_text(html.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or sys.exit("Chromium is not installed")
    subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=5000",
            f"--window-size={size[0]},{size[1]}", f"--screenshot={picture}", scripted.as_uri(),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip


def _run_geoseg(*arguments: object) -> None:
    command = Path(sys.executable).with_name("geoseg")
    subprocess.run([command, *map(str, arguments)], check=True, cwd=ROOT)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]).resolve())
