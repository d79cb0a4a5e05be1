"""Draw the pictures of reports and of domain shift in docs/pictures, with headless Chromium.

python benchmarks/report_pictures.py MODEL OTHER_MODEL

The models are bundles of two runs of ``sample.yaml``, for instance that of ``make demo`` and one of fewer iterations.
"""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import geoseg
from geoseg.evaluation.domain_shift.shift_report import write_shift_report

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
CHROMIUM = [
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
]

DARK = "document.documentElement.dataset.theme = 'dark';"
VIEWER = "document.querySelectorAll('figure')[0].querySelector('img').click();"
"""Scripts that are run after the page is loaded."""


def photograph(page: Path, name: str, size: tuple[int, int], script: str = "") -> None:
    """Save a page as a small PNG with a color palette.

    Args:
        page: HTML file.
        name: File name of the picture.
        size: Width and height of the window in pixels.
        script: JavaScript that is run after the page is loaded.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy, picture = Path(folder) / "page.html", Path(folder) / "page.png"
        copy.write_text(page.read_text("utf-8").replace("</body>", f"<script>{script}</script></body>"), "utf-8")
        window = f"--window-size={size[0]},{size[1]}"
        arguments = [*CHROMIUM, window, f"--screenshot={picture}", copy.as_uri()]
        subprocess.run(arguments, check=True, capture_output=True, timeout=120)
        image = Image.open(io.BytesIO(picture.read_bytes())).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.save(PICTURES / name, optimize=True)
    print(name, (PICTURES / name).stat().st_size // 1024, "kB")


def main(model: str, other: str) -> None:
    """Write reports of one and of two models, and a page of domain shift, and save pictures of them."""
    with tempfile.TemporaryDirectory() as folder:
        single, both, shift = (Path(folder) / f"{name}.html" for name in ("single", "both", "shift"))
        geoseg.report(model, single, split="test", boundary_m=0.5, objects=["building", "car"])
        geoseg.report([model, other], both, split="test")
        write_shift_report(geoseg.measure_shift("sample.yaml:test", "sample.yaml:train", model=model), shift)
        photograph(single, "report-sample.png", (1024, 1400))
        photograph(single, "report-dark.png", (1024, 1400), DARK)
        photograph(single, "report-viewer.png", (1200, 800), VIEWER)
        photograph(single, "report-narrow.png", (500, 1200))
        photograph(both, "report-two.png", (1024, 1120))
        photograph(shift, "gap.png", (1024, 1200))


if __name__ == "__main__":
    main(*sys.argv[1:])
