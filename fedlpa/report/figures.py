"""A matplotlib figure as an inline drawing of the page."""

import hashlib
import io
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from fedlpa.report.colours import Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A drawn panel. Its legend, of ``(name, key)``, is text of the page, so that it wraps and can be read aloud."""

    title: str
    svg: Markup
    legend: tuple[tuple[str, Markup | Look], ...]
    note: str = ""


Groups = Mapping[str, tuple[str, str]]
"""By the ``gid`` of lines that are marks only: what they tell when pointed at, and their colour."""


def to_svg(figure: "Figure", label: str, kind: str = "chart", groups: Groups | None = None) -> Markup:
    """The figure as SVG whose text takes the page's font and whose ids do not meet another figure's.

    ``label`` tells those who cannot see it what it is; ``kind`` is its class in the style sheet.
    """
    import matplotlib

    target = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}), warnings.catch_warnings():
        # The browser draws the text, with fonts of its own.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(target, format="svg", transparent=True)
    drawing = target.getvalue()
    body = drawing[drawing.index(">", drawing.index("<svg")) + 1 : drawing.rindex("</svg>")]
    # Its style sheet would apply to the whole page.
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    text_style = r'style="[^"]*?text-anchor: (\w+)[^"]*?fill: ([^";]+)[^"]*"'
    body = re.sub(text_style, r'style="text-anchor: \1; fill: \2"', body)
    if groups:
        # The group has the colour: of thousands of marks.
        body = re.sub(r'(<use [^>]*?) style="[^"]*"', r"\1", body)
    name = "figure-" + hashlib.sha256(f"{label} {body}".encode()).hexdigest()[:8]
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', body)
    for group, (title, colour) in (groups or {}).items():
        start = f'<g id="{name}-{group}"'
        body = body.replace(f"{start}>", f'{start} fill="{colour}"><title>{escape(title)}</title>')
    body = re.sub(r"\s*\n\s*", " ", body)
    width, height = 72 * figure.get_size_inches()
    return Markup('<svg class="{}" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        kind, width, height, label, Markup(body)
    )
