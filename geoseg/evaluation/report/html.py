"""HTML put together from elements, and one file that needs nothing else: styles, script and pictures are inside."""

import base64
import io
from html import escape
from importlib.resources import files

import numpy as np
from PIL import Image

from geoseg.plotting.images import Picture

RESOURCES = "geoseg.evaluation.report"
JPEG_QUALITY = 82
MOST_COLOURS = 256
"""Pictures of no more colours are kept to the last bit, as PNG with a palette."""


class Html(str):
    """Text that is HTML already; any other text is escaped before it becomes part of a page."""

    __slots__ = ()


Child = str | float | None
"""What may stand in an element; None leaves nothing."""


def tag(name: str, *children: Child, **attributes: Child) -> Html:
    """An element; ``class_`` and ``data_layer`` stand for ``class`` and ``data-layer``, attributes of None are left out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{said}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Html:
    """Elements and text one after another."""
    return Html("".join(c if isinstance(c, Html) else escape(str(c)) for c in children if c is not None))


def picture_tag(picture: Picture, alt: str, **attributes: Child) -> Html:
    """The picture itself, inside the page."""
    height, width = picture.shape[:2]
    source = data_uri(picture)
    return Html(tag("img", src=source, alt=alt, width=width, height=height, **attributes).removesuffix("</img>"))


def data_uri(picture: Picture) -> str:
    """The picture as text: as PNG where it has few colours, else as JPEG."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    few = image.getcolors(MOST_COLOURS) is not None
    buffer = io.BytesIO()
    if few:
        image.quantize(MOST_COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    else:
        image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    kind = "png" if few else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def document(title: str, lead: Html, sections: list[tuple[str, Html]]) -> str:
    """A whole page: a title, what is to be said first, and sections by name, which the bar at the side leads to."""
    shown = [(name, body) for name, body in sections if body]
    links = joined(*(tag("a", name, href=f"#{anchor(name)}") for name, _ in shown))
    parts = joined(*(tag("section", tag("h2", name), body, id=anchor(name)) for name, body in shown))
    button = tag("button", "dark or light", id="theme", type="button")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_resource('style.css')}</style></head><body>"
        f"{tag('nav', tag('b', 'geoseg'), links, button)}"
        f"{tag('main', tag('header', tag('h1', title), lead), parts)}"
        f"<script>{_resource('script.js')}</script></body></html>\n"
    )


def under_name(name: str, body: Html, *, alone: bool) -> Html:
    """The body under a run's name, unless there is only one run."""
    return body if alone else tag("div", tag("h3", name), body)


def anchor(name: str) -> str:
    """A section's name as part of an address."""
    return name.lower().replace(" ", "-")


def html_table(header: list[Child], rows: list[list[Child]], *, sortable: bool = False) -> Html:
    """A table; the first column holds words, the others numbers."""
    head = tag("thead", tag("tr", *(tag("th", cell) for cell in header)))
    body = tag("tbody", *map(_row, rows))
    return tag("div", tag("table", head, body, class_="sortable" if sortable else None), class_="wide")


def _row(cells: list[Child]) -> Html:
    """A row of a table; that of the mean stays below the others when they are sorted."""
    first = tag("th", cells[0], scope="row")
    return tag("tr", first, *(tag("td", cell) for cell in cells[1:]), class_="mean" if cells[0] == "mean" else None)


def _resource(name: str) -> str:
    return files(RESOURCES).joinpath(name).read_text("utf-8")
