"""A Sphinx extension: pages ask no other host for anything.

Formulas become MathML when the book is built, by the converter of docutils, which Sphinx brings along: every browser
shows MathML by itself, with the colours of the page and to a screen reader, where MathJax is a script of a megabyte
from elsewhere. Thebe, which would run cells on another's server, is no part of this book; Jupyter Book declares its
script twice on every page.
"""

from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

from embryology.errors import EmbryologyError

RENDERER = "mathml"
"""What ``html_math_renderer`` calls it."""
LEFT_OUT = "thebe"


def mathml(tex: str, displayed: bool) -> str:
    """A formula as MathML.

    Raises:
        EmbryologyError: it holds what docutils cannot convert.
    """
    try:
        return tex2mathml(tex, as_block=displayed)
    except MathError as error:
        raise EmbryologyError(f"the formula ${tex}$ has no MathML: {error}; write it with less") from error


def inline(translator: "HTML5Translator", node: nodes.math) -> None:
    translator.body.append(f'<span class="math">{mathml(node.astext(), False)}</span>')
    raise nodes.SkipNode


def displayed(translator: "HTML5Translator", node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{mathml(node.astext(), True)}</div>')
    raise nodes.SkipNode


def leave_out(app: "Sphinx", pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Take Thebe's files off a page, and an inline script that it has already."""
    seen: set[str] = set()
    for kind in ("script_files", "css_files"):
        kept = []
        for file in context[kind]:
            body = getattr(file, "attributes", {}).get("body") or ""
            if LEFT_OUT in f"{getattr(file, 'filename', file)} {body}".lower() or (body and body in seen):
                continue
            seen.add(body)
            kept.append(file)
        context[kind] = kept


def setup(app: "Sphinx") -> dict[str, bool]:
    app.add_html_math_renderer(RENDERER, (inline, None), (displayed, None))
    app.connect("html-page-context", leave_out, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
