"""The book as one PDF, printed by Chromium: every page in the order of the table of contents.

Links within the book stay links. Those to other places get a number, and their addresses stand as notes at the end of
their page. Files beside a page, such as a figure's data, are not in a PDF, and neither is the page that computes.

``make pdf`` runs this module.
"""

import os
import posixpath
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from embryology.errors import EmbryologyError
from embryology.report import ask_page, book
from embryology.runs.paths import project_folder
from embryology.storage.files import read_yaml, written_whole

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PRINT = """
@page { size: A4; margin: 18mm 16mm 20mm; @bottom-center { content: counter(page); font-size: 8pt; } }
html { font-size: 13px; }
article { padding: 0; break-before: page; }
article:first-of-type { break-before: auto; }
.links { font-size: 7.5pt; overflow-wrap: anywhere; }
"""
ABSOLUTE = ("http:", "https:", "mailto:")
FLAGS = ("--headless", "--disable-gpu", "--no-pdf-header-footer", "--generate-pdf-document-outline")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
LONGEST = 900
"""Seconds."""


def browser() -> str:
    """The path of a Chromium, of ``CHROMIUM`` where that is set.

    Raises:
        EmbryologyError: there is none.
    """
    for name in (os.environ.get("CHROMIUM"), *BROWSERS):
        if name and (path := shutil.which(name)):
            return path
    raise EmbryologyError("the PDF is printed by Chromium, which is not installed: install it, or name it in CHROMIUM")


def whole(html: Path, pages: Sequence[str]) -> str:
    """All pages of a built book as one page that stands in its folder.

    Args:
        html: the book's folder.
        pages: their files below it, without ending, in their order.
    """
    index = BeautifulSoup((html / f"{pages[0]}.html").read_text(encoding="utf-8"), "html.parser")
    folder = posixpath.dirname(pages[0])
    sheets = [_joined(folder, str(link["href"])) for link in index.find_all("link", rel="stylesheet")]
    styles = "".join(f'<link rel="stylesheet" href="{sheet}">' for sheet in sheets)
    articles = "".join(_article(html, page, pages) for page in pages)
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{_title(index)}</title>'
        f'{styles}<style>{PRINT}</style></head><body><div class="bd-content">{articles}</div></body></html>'
    )


def printed(html: Path, pages: Sequence[str], to: Path) -> Path:
    """Print ``pages`` of a book, see :func:`whole`, to the file ``to``, whole or not at all.

    Raises:
        EmbryologyError: there is no book or no Chromium, or Chromium failed.
    """
    if not (html / "index.html").is_file():
        raise EmbryologyError(f"there is no book in {html} to print: make book, or make frozen-book")
    chromium, together = browser(), html / ".printed.html"
    together.write_text(whole(html, pages), encoding="utf-8")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # which root cannot have
    try:
        with written_whole(to) as temporary:
            command = [chromium, *FLAGS, *QUIET, *sandbox, f"--print-to-pdf={temporary}", together.as_uri()]
            outcome = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
            if outcome.returncode or not temporary.is_file():
                said = outcome.stderr.strip().splitlines() or ["it said nothing"]
                raise EmbryologyError(f"Chromium printed nothing: {said[-1]}")
    except subprocess.TimeoutExpired as error:
        raise EmbryologyError(f"Chromium printed nothing within {LONGEST // 60} minutes") from error
    finally:
        together.unlink()
    return to


def _title(page: BeautifulSoup) -> str:
    return page.title.get_text() if page.title else "embryology"


def _joined(folder: str, address: str) -> str:
    """An address that is relative to a folder of the book, relative to the book."""
    return posixpath.normpath(posixpath.join(folder, address))


def _article(html: Path, page: str, pages: Sequence[str]) -> str:
    """What a page says, with the addresses that it has among all pages in one."""
    soup = BeautifulSoup((html / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
    article = soup.find("article")
    assert isinstance(article, Tag), f"{page} has no article"
    number, folder = pages.index(page), posixpath.dirname(page)
    for gone in article.select(".embryology-origin, figcaption a[download], a.headerlink, .prev-next-area"):
        gone.decompose()
    for separator in article.find_all(string=" · "):  # of what stood beside each other
        separator.extract()
    for fold in article.select("figcaption details"):  # what is left of a caption
        fold["open"] = ""
    for element in article.select("[id]"):
        element["id"] = f"page-{number}-{element['id']}"
    article["id"] = f"page-{number}"
    for element in article.select("[src]"):
        element["src"] = _joined(folder, str(element["src"]))
    notes: list[str] = []
    for link in article.select("a[href]"):
        address, _, place = str(link["href"]).partition("#")
        target = _joined(folder, address).removesuffix(".html") if address else page
        if address.startswith(ABSOLUTE):
            if link["href"] not in notes:
                notes.append(str(link["href"]))
            mark = soup.new_tag("sup")
            mark.string = str(notes.index(str(link["href"])) + 1)
            link.insert_after(mark)
        elif target in pages:
            link["href"] = f"#page-{pages.index(target)}" + (f"-{place}" if place else "")
        else:  # a file of this machine
            del link["href"]
    if notes:
        listed = soup.new_tag("ol", attrs={"class": "links"})
        for note in notes:
            listed.append(soup.new_tag("li", string=note))
        article.append(listed)
    return str(article)


def main() -> int:
    """Print the project's book; what is mendable is said in a line."""
    try:
        root = project_folder()
        html, contents = root / "_build" / "html", root / "_build" / book.CONTENTS
        if not contents.is_file():
            raise EmbryologyError(f"there is no book in {html} to print: make book, or make frozen-book")
        pages = [page for page in book.pages_of(read_yaml(contents)) if page != ask_page.FILE]
        print(f"open {printed(html, pages, root / '_build' / 'embryology.pdf')}")
    except EmbryologyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
