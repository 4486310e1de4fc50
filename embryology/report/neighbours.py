"""A Sphinx extension: "next" and "previous" do not lead from a page of one run to a page of another.

Runs have pages of the same titles, so that a reader would not notice it.
"""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

OF_RUN = re.compile(r"book/executed/([^/]+)/")


def leads_to_another_run(page: str, other: str | None) -> bool:
    """Whether two pages, as Sphinx names them, are of two runs."""
    own, others = OF_RUN.match(page), OF_RUN.match(other or "")
    return bool(own and others and own[1] != others[1])


def stay(app: "Sphinx", pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Take out of a page's links those to its neighbours that are of another run."""
    _, previous, following = app.builder.relations.get(pagename, (None, None, None))  # type: ignore[attr-defined]
    for name, other in (("prev", previous), ("next", following)):
        if leads_to_another_run(pagename, other):
            context[name] = None


def setup(app: "Sphinx") -> dict[str, bool]:
    app.connect("html-page-context", stay)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
