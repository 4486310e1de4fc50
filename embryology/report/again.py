"""The line that draws a page's figures again, beside each of them in the book, with a button that copies it."""

import html
import json
import shlex
from pathlib import Path
from typing import Any

from embryology.figures.origin import COMMAND
from embryology.report.pages import Page


def line(page: Page, parameters: dict[str, Any]) -> str:
    """The command of papermill that executes a page as the report does, in the project's folder.

    Parameters that have their default are left out, but for the run. Text stays text: ``100`` as steps is no number.
    """
    words = ["papermill", *_template(page), f"{page.name}.ipynb"]
    defaults = page.parameters()
    for name, value in parameters.items():
        if isinstance(value, str) and (name == "run" or value != defaults.get(name)):
            words += ["-r", name, value]
        elif not isinstance(value, str) and value != defaults.get(name):
            words += ["-y", json.dumps({name: value}, ensure_ascii=False)]
    return shlex.join(words)


def tell(cell: Any, page: Page, parameters: dict[str, Any], place: Path) -> None:
    """Put the command, and the page's executed notebook, into the folds of the figures that a cell displays.

    Args:
        cell: of an executed notebook.
        page, parameters: what was executed.
        place: of the executed notebook, below ``book/executed``.
    """
    depth = 2 if page.is_study else 3
    source = "/".join(["..", *[".."] * (depth - 1), "_sources", *place.parts[-depth - 1 :]])
    told = (
        '<div class="highlight-sh notranslate"><div class="highlight"><pre>'
        f"{html.escape(line(page, parameters))}</pre></div></div>"
        f'<p>The notebook: <a href="{html.escape(source)}" download>{place.name}</a>, executed.</p>'
    )
    for output in cell.get("outputs", []):
        text = output.get("data", {}).get("text/html", "")
        if COMMAND in text:
            output["data"]["text/html"] = text.replace(COMMAND, told)


def _template(page: Page) -> list[str]:
    """Below the project's folder; of a plug-in's page its name alone, as its folder is one of this machine."""
    of_project = page.template.parent.name == "notebooks"
    return [f"notebooks/{page.template.name}" if of_project else page.template.name]
