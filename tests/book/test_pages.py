"""Every page of the book that lies in ``_build/html`` (or in the folder that ``EMBRYOLOGY_BOOK`` names), looked at."""

import os
from pathlib import Path

import pytest

from embryology.runs.paths import ROOT
from tests.browser import CHROMIUM, NOT_INSTALLED

BOOK = Path(os.environ.get("EMBRYOLOGY_BOOK", ROOT / "_build" / "html"))
PAGES = sorted(
    page.relative_to(BOOK).as_posix()
    for page in BOOK.rglob("*.html")
    if page != BOOK / "index.html" and "_static" not in page.relative_to(BOOK).parts
)
"""All but the one that leads to the first."""
LARGEST = 1_500_000
"""Bytes of a page."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not PAGES, reason=f"there is no book in {BOOK}: make frozen-book"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open pages in"),
]


@pytest.fixture(scope="module")
def opened():
    pytest.importorskip("playwright", reason=NOT_INSTALLED)
    pytest.importorskip(
        "axe_playwright_python", reason="axe is not installed: pip install -r requirements-browser.lock"
    )
    from tests.book.visits import browser

    with browser() as started:
        yield started


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_keeps_nobody_out_and_asks_nobody(opened, name, theme):
    from tests.book.visits import visit

    page = visit(opened, BOOK / name, theme)
    assert page.violations == {}
    assert (page.console, page.elsewhere, page.missing) == ([], [], [])


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_readable_on_a_phone_and_soon_there(opened, name):
    from tests.book.visits import visit

    page = visit(opened, BOOK / name, width=390, axe=False)
    assert page.figures == []
    assert (page.console, page.elsewhere, page.missing) == ([], [], [])
    assert (BOOK / name).stat().st_size < LARGEST
