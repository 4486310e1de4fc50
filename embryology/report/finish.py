"""The pages of a built book: what many of them hold goes into files of its own, and what keeps readers out is mended.

A figure is whole in a notebook, its SVG and its CSV included, so that it shows in Jupyter and on Colab. In the book
these are files beside the page, which is read in a tenth of the time, and the script of tables is there once. All
addresses are relative: a book opens from a folder as it does from a server.
"""

import base64
import hashlib
import html
import os
import re
from pathlib import Path

from embryology.errors import EmbryologyError

ENDINGS = {"image/svg+xml": ".svg", "text/csv": ".csv", "image/png": ".png"}
DATA = re.compile(r'(<(?:img|a)\b[^<>]*?\b(?:src|href)=")data:([\w/+.-]+);base64,([A-Za-z0-9+/=]+)("[^<>]*>)')
"""An element with its data in it: what stands before them, their type, the data, what follows."""
DOWNLOAD = re.compile(r'\bdownload="([^"]+)"')
SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
LONG = 20_000
"""Characters of a script that is worth a file."""
SHARED = "_static/shared"

MENDED: tuple[tuple[str, str, str], ...] = (
    (
        "the sidebar is a landmark",
        r'<div id="pst-primary-sidebar" class="',
        '<div id="pst-primary-sidebar" role="region" aria-label="Pages of the book" class="',
    ),
    (
        "the button to search is called what it says",
        r'(<button class="btn search-button-field[^>]*?) aria-label="Search"',
        r"\1",
    ),
    ("the icons of a button are not its text", r'(<i class="theme-switch [^>]*?) title="[^"]*"', r"\1"),
    ("a fold is called what it says", r'<summary aria-label="Toggle hidden content">', "<summary>"),
    (
        "the button that opens a part of the contents says which",
        r'>([^<>"]+)(</a><details\b[^>]*><summary)>(?=<span class="toctree-toggle")',
        r'>\1\2 aria-label="Pages of \1">',
    ),
    ("a heading says something", r"<th\b([^>]*)>(?:\s|<p>\s*</p>)*</th>", r"<td\1></td>"),
    ("what is in a list is an item", r' role="doc-biblioentry"', ' role="listitem"'),
    (
        "what scrolls can be reached by keys",
        r'<div class="(pst-scrollable-table-container)"',
        r'<div class="\1" tabindex="0"',
    ),
)
"""What the theme, docutils and pandas write and a screen reader or a keyboard stumbles over: what holds afterwards, a
pattern and what takes its place."""


def finish(book: Path) -> None:
    """Change every page of a built book in place; running it twice changes nothing more.

    Raises:
        EmbryologyError: data of a type that no ending is known for.
    """
    for page in sorted(book.rglob("*.html")):
        if "_static" in page.relative_to(book).parts:
            continue
        text = page.read_text(encoding="utf-8")
        page.write_text(mended(shared(beside(text, page), page, book)), encoding="utf-8")


def beside(text: str, page: Path) -> str:
    """The text of a page with addresses of files in place of data, after these were written beside it.

    A file is called what its link says that it is to be saved as; without a link, by its content.
    """
    folder = page.with_name(f"{page.stem}_files")
    names: dict[str, str] = {}
    taken: set[str] = set()

    def name_of(kind: str, content: str, element: str) -> str:
        said = DOWNLOAD.search(element)
        if kind not in ENDINGS:
            raise EmbryologyError(f"{page.name}: no file is known to hold data of the type {kind}")
        name = html.unescape(said[1]) if said else f"{_short(content)}{ENDINGS[kind]}"
        return name if name not in taken else f"{_short(content)}-{name}"

    # A link names its file, and the image with the same data stands before it.
    for linked in (True, False):
        for before, kind, content, after in DATA.findall(text):
            if content not in names and bool(DOWNLOAD.search(before + after)) is linked:
                names[content] = name_of(kind, content, before + after)
                taken.add(names[content])
    for content, name in names.items():
        _write(folder / name, base64.b64decode(content))
    return DATA.sub(lambda found: f"{found[1]}{folder.name}/{names[found[3]]}{found[4]}", text)


def shared(text: str, page: Path, book: Path) -> str:
    """The text of a page whose long scripts are files of the book, the same one on all pages."""

    def moved(found: re.Match[str]) -> str:
        if len(found[1]) < LONG:
            return found[0]
        file = book / SHARED / f"{_short(found[1])}.js"
        _write(file, found[1].encode())
        return f'<script src="{Path(os.path.relpath(file, page.parent)).as_posix()}"></script>'

    return SCRIPT.sub(moved, text)


def mended(text: str) -> str:
    """The text of a page after :data:`MENDED`."""
    for _, pattern, instead in MENDED:
        text = re.sub(pattern, instead, text)
    return text


def _short(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
