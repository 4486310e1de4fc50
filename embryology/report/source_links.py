"""A Sphinx extension: the book's buttons lead to the notebook templates, in the repository that is there.

A page is built from ``book/executed/…/x.ipynb``, which no repository holds; its source is
``notebooks/x.ipynb``. Where no public repository is known, the buttons that need one are left out.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

HOSTS = ("github", "gitlab", "bitbucket")
"""The hosting services that the theme knows how to link into."""
REPOSITORY_BUTTONS = ("use_repository_button", "use_source_button", "use_edit_page_button", "use_issues_button")
EXECUTED = re.compile(r"book/executed/(?:[^/?&]+/)?([^/?&]+\.ipynb)")


def template_of(url: str) -> str:
    """``url`` with every path of an executed notebook replaced by that of its template."""
    return EXECUTED.sub(r"notebooks/\1", url)


def public_url(address: str) -> str | None:
    """The web address of a git remote at a known hosting service, without credentials; else None."""
    matched = re.fullmatch(r"(?:https?://(?:[^@/]+@)?|ssh://git@|git@)([\w.-]+)[/:](.+?)(?:\.git)?/?", address.strip())
    if matched is None or not any(service in matched[1] for service in HOSTS):
        return None
    return f"https://{matched[1]}/{matched[2]}" if matched[2].count("/") else None


def repository_url(root: Path) -> str | None:
    """The project's public repository: ``EMBRYOLOGY_REPOSITORY``, else the checkout's remote ``origin``."""
    address = os.environ.get("EMBRYOLOGY_REPOSITORY")
    if not address:
        try:
            answer = subprocess.run(
                ["git", "remote", "get-url", "origin"], cwd=root, capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        address = answer.stdout
    return public_url(address)


def choose_buttons(app: "Sphinx", config: "Config") -> None:
    """Before the theme reads its options: name the repository, or take out what cannot work without one."""
    options = config.html_theme_options
    url = repository_url(Path(app.srcdir))
    if url is None:
        options["repository_url"] = ""
        options["launch_buttons"] = {}
        options.update(dict.fromkeys(REPOSITORY_BUTTONS, False))
        return
    options["repository_url"] = url
    if "github" not in url:  # Colab opens notebooks from GitHub alone
        options.get("launch_buttons", {}).pop("colab_url", None)


def rewrite_buttons(app: "Sphinx", pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """After the theme has made its buttons: point those that leave the book at the templates.

    A plug-in's template lies in no repository that is known here, so that its page has no such buttons.
    """
    context["header_buttons"] = _leading_somewhere(context.get("header_buttons", []), Path(app.srcdir))


def _leading_somewhere(buttons: list[dict[str, Any]], root: Path) -> list[dict[str, Any]]:
    kept = []
    for button in buttons:
        url = button.get("url", "")
        if url.startswith("http"):  # downloads are relative, and are to give the executed notebook
            notebook = EXECUTED.search(url)
            if notebook and not (root / "notebooks" / notebook[1]).is_file():
                continue
            kept.append(button | {"url": template_of(url)})
        elif "buttons" not in button:
            kept.append(button)
        elif inner := _leading_somewhere(button["buttons"], root):
            kept.append(button | {"buttons": inner})
    return kept


def setup(app: "Sphinx") -> dict[str, bool]:
    app.connect("config-inited", choose_buttons, priority=100)
    app.connect("html-page-context", rewrite_buttons, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
