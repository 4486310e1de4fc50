"""Pages of a built book as a reader's browser has them, by Playwright on the system's Chromium, without a network."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.browser import CHROMIUM

FLAGS = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
GRAVE = ("serious", "critical")
# Off unless asked for, as it is experimental; and no style sheet is read again, which a page from a file may not.
AXE: dict[str, Any] = {"preload": False, "rules": {"label-content-name-mismatch": {"enabled": True}}}
SMALLEST = 0.68
"""Of a figure, of its size in print: text of 10 points is then 9 pixels high."""
FIGURES = """() => [...document.querySelectorAll('.bd-article figure img, article figure img')].map((image) => {
  let around = image.parentElement;
  while (around && !['auto', 'scroll'].includes(getComputedStyle(around).overflowX)) around = around.parentElement;
  const cue = around ? getComputedStyle(around, '::before').content : 'none';
  const caption = image.closest('figure').querySelector('figcaption');
  return {
    name: image.closest('figure').id || image.alt.slice(0, 40),
    scale: image.getBoundingClientRect().width / image.naturalWidth,
    beyond: image.getBoundingClientRect().right - document.documentElement.clientWidth,
    cued: !['none', 'normal', ''].includes(cue),
    caption: caption ? caption.getBoundingClientRect().width - document.documentElement.clientWidth : 0,
    alt: image.alt.trim().length,
  };
})"""


@dataclass
class Visit:
    """What was seen of a page."""

    console: list[str] = field(default_factory=list)
    """Warnings, errors and exceptions."""
    elsewhere: list[str] = field(default_factory=list)
    """Requests to other hosts."""
    missing: list[str] = field(default_factory=list)
    """Files that were asked for and are not there."""
    violations: dict[str, list[str]] = field(default_factory=dict)
    """Elements by rule of axe, with its impact before it."""
    figures: list[str] = field(default_factory=list)
    """What is wrong with figures at this width."""

    def grave(self) -> dict[str, list[str]]:
        return {rule: found for rule, found in self.violations.items() if rule.startswith(GRAVE)}


@contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def visit(browser: Any, file: Path, theme: str = "light", width: int = 1400, axe: bool = True) -> Visit:
    """Open a page from its file, with its folds open, and look at all that :class:`Visit` has.

    Args:
        browser: of :func:`browser`.
        file: the page.
        theme: ``light`` or ``dark``, which the reader's system prefers.
        width: of the window, in pixels.
        axe: whether to look for what keeps readers out; it takes seconds.
    """
    from axe_playwright_python.sync_playwright import Axe

    seen = Visit()
    context = browser.new_context(color_scheme=theme, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.on("console", lambda said: seen.console.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.console.append(str(error)))
    page.on("request", lambda request: seen.elsewhere.append(request.url) if _is_elsewhere(request.url) else None)
    page.on("requestfailed", lambda request: seen.missing.append(request.url))
    page.goto(file.resolve().as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    page.wait_for_timeout(300)  # tables and icons are drawn
    seen.figures += _unreadable(page)
    if axe:
        for found in Axe().run(page, options=AXE).response["violations"]:
            seen.violations[f"{found['impact']}: {found['id']}"] = [node["html"][:200] for node in found["nodes"]]
    context.close()
    return seen


def _is_elsewhere(address: str) -> bool:
    return not address.startswith(("file:", "data:", "blob:"))


def _unreadable(page: Any) -> Iterator[str]:
    """Figures that are too small, go on where nobody sees it, or have no text; and a page that is too wide."""
    for figure in page.evaluate(FIGURES):
        name = figure["name"]
        if figure["scale"] < SMALLEST:
            yield f"{name} is drawn at {figure['scale']:.2f} of its size"
        if figure["beyond"] > 1 and not figure["cued"]:
            yield f"{name} ends {figure['beyond']:.0f} pixels beyond the window, and nothing says so"
        if figure["caption"] > 0:
            yield f"the caption of {name} is wider than the window"
        if not figure["alt"]:
            yield f"{name} has no alternative text"
    beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if beyond > 1:
        yield f"the page is {beyond} pixels wider than the window"
