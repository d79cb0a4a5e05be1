"""Render Jinja2 templates to a single self-contained HTML page with an embedded style sheet, script and images."""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from geoseg._text import percent
from geoseg.evaluation.report.charts import SERIES_COLOURS
from geoseg.raster.display import RgbImage

PACKAGE = "geoseg.evaluation.report"
"""Package that contains the style sheet, the script and the shared templates."""
TEMPLATE_PACKAGES = (PACKAGE, "geoseg.evaluation.domain_shift")
"""Packages that have a folder of templates."""
JPEG_QUALITY = 82
MAX_PALETTE_COLOURS = 256
"""Images with at most this many colors are stored losslessly, as PNG with a palette."""


@dataclass(frozen=True)
class ClassName:
    """Name and color of a class, for table cells."""

    name: str
    """Displayed name."""
    colour: str
    """Color as ``#rrggbb``."""


@dataclass(frozen=True)
class Bar:
    """A number with a horizontal bar, shown in a table cell."""

    share: float
    """Length of the bar, 0 to 1; NaN for no bar."""
    text: str
    """The number as text."""
    series: int = 0
    """Index of the run, which determines the color."""
    interval: tuple[float, float] | None = None
    """Confidence interval of the number, drawn as a thin line."""

    @property
    def is_known(self) -> bool:
        """True if the number is not NaN."""
        return not math.isnan(self.share)

    @property
    def width(self) -> str:
        """Length of the bar in percent."""
        return f"{100 * min(max(self.share, 0), 1):.1f}"

    @property
    def colour(self) -> int:
        """Number of the color in the style sheet."""
        return self.series % SERIES_COLOURS


View = dict[str, Any]
"""Variables of a template."""
Cell = str | ClassName | Bar | list[Bar]
"""Content of a table cell."""


@dataclass(frozen=True)
class PageSection:
    """A part of a page with a heading."""

    name: str
    """Heading."""
    body: Markup
    """Rendered content; empty sections are omitted."""

    @property
    def anchor(self) -> str:
        """The heading as a URL fragment."""
        return self.name.lower().replace(" ", "-")


@cache
def environment() -> Environment:
    """Return the Jinja2 environment for all templates, with autoescaping."""
    loader = ChoiceLoader([PackageLoader(package) for package in TEMPLATE_PACKAGES])
    made = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    made.filters |= {"data_uri": data_uri, "percent": percent}
    made.tests |= {
        "bar": lambda value: isinstance(value, Bar),
        "class_name": lambda value: isinstance(value, ClassName),
    }
    made.globals |= {"series_colours": SERIES_COLOURS}
    return made


def render_section(name: str, template: str, view: View | None) -> PageSection:
    """Render a section.

    Args:
        name: Heading of the section.
        template: File name of the template.
        view: Variables of the template; None for an empty section.
    """
    if view is None:
        return PageSection(name, Markup())
    body = environment().get_template(template).render(view).strip()
    return PageSection(name, Markup(body))  # noqa: S704 (rendered with autoescaping)


def render_page(title: str, lead: str, sections: Sequence[PageSection]) -> str:
    """Render a complete page: title, lead paragraph, and sections with links to them."""
    return environment().get_template("page.html.j2").render(
        title=title,
        lead=lead,
        sections=[section for section in sections if section.body],
        style=Markup(_resource("style.css")),  # noqa: S704 (shipped with the package)
        script=Markup(_resource("script.js")),  # noqa: S704
    )  # fmt: skip


def data_uri(image: RgbImage) -> str:
    """Encode an image as a data URI: PNG if it has few colors, otherwise JPEG."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    is_palette = picture.getcolors(MAX_PALETTE_COLOURS) is not None
    buffer = io.BytesIO()
    if is_palette:
        picture.quantize(MAX_PALETTE_COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    else:
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    kind = "png" if is_palette else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _resource(name: str) -> str:
    return files(PACKAGE).joinpath(name).read_text("utf-8")
