"""Pages -> the book: its table of contents for the series at hand, and Jupyter Book."""

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.progress import working
from embryology.report import ask_page, docstrings, finish, neighbours, offline, source_links
from embryology.report.pages import Page
from embryology.runs.series import Series, of_one_recipe
from embryology.specs.imports import modules
from embryology.storage.files import (
    read_json,
    read_yaml,
    refusal,
    remove_leftovers,
    removed_whole,
    sha256_of,
    sha256_of_file,
    write_json,
    write_yaml,
    written_whole,
)

CONTENTS, SETTINGS, CITATION = "_toc.yml", "_config.yml", "CITATION.cff"
DOCUMENTED = re.compile(r"^\.\. auto\w+:: (\S+)", re.MULTILINE)
"""What a written page shows the docstring of."""
BUILT_FROM = ".built-from.json"
"""Beside the pages: the hash of all that they were made of."""
JUPYTER_BOOK = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
LEAST_FREE = 2**16
"""Bytes; with less a disk is full."""
_BELOW = "below"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Contents:
    """What a book holds."""

    series: tuple[Series, ...]
    """Those that were asked for; the first is the one that the report lays over all others."""
    frozen: tuple[Series, ...]
    """Those that stand beside them."""
    chosen: list[tuple[Series | None, Page]]
    """The pages, by their order; None of those of no series."""
    left_out: list[tuple[Series, Page, list[str]]]
    """Pages of ``series`` that cannot be, and why."""
    comparable: dict[str, list[Series]]
    """By name of a page the series that have what it needs."""
    ask: ask_page.AskPage = field(default_factory=lambda: ask_page.AskPage(None, {}))
    """The page on which a reader asks the checkpoints."""

    def compared(self, page: Page, series: Series) -> list[Series]:
        """The series that a page compares one with: those that have what it needs, all, or other seeds of it."""
        if page.metadata.kind in ("front", "runs"):
            return [other for other in (*self.series, *self.frozen) if other is not series]
        if page.metadata.kind == "factors":
            return [other for other in self.series if other is not series]
        if page.metadata.kind == "seeds":
            groups = of_one_recipe([*self.series, *self.frozen])
            return next((others for first, *others in groups if first is series), [])
        return [other for other in self.comparable[page.name] if other != series]

    def of(self, series: Series | None, part: str | None = None) -> list[Page]:
        """The pages of a series in a part; in all parts if left out."""
        return [page for each, page in self.chosen if each is series and (part is None or page.metadata.part == part)]

    def list_of_pages(self, root: Path) -> str:
        """The front page's list of the others by their parts, in Markdown, with those that are left out and why.

        Of a series beside the first one its first page stands for the others.
        """
        from embryology.figures import prose  # late, as matplotlib

        first, lines = self.series[0], list[str]()
        for part in read_yaml(root / CONTENTS)["parts"]:
            of_part = [
                (page.metadata.order, _link(page.title, "" if series else "../", page.name, page.metadata.about))
                for series in (first, None)
                for page in self.of(series, part["caption"])
                if page.step is None
            ]
            if self.ask.sha256 and part["caption"] == ask_page.PART:
                of_part.append((ask_page.ORDER, f"- [{ask_page.TITLE}](../{ask_page.FOLDER}.md): {ask_page.ABOUT}"))
            of_part += [
                (order, f"- [{_heading(root / (file + '.md'))}](../../../{file}.md)")
                for file, order in part.get("written", {}).items()
            ]
            named = [line for _, line in sorted(of_part, key=lambda each: each[0])]
            if part.get("others"):
                named += [
                    _link(each.name, f"../{_folder(each)}/", pages[0].name, _pages(len(pages)))
                    for each in self.beside
                    if (pages := self.of(each))
                ]
            if named:
                lines += [f"**{part['caption']}**", "", *named, ""]
        missing = [
            f"- *{page.title}*: {prose.with_code('; '.join(reasons))}."
            for each, page, reasons in self.left_out
            if each is first
        ]
        if reason := self.ask.left_out.get(first.name):
            missing.append(f"- *{ask_page.TITLE}*: {prose.with_code(reason)}.")
        return "\n".join([*lines, *(["**Left out of this report**", "", *missing] if missing else [])]).rstrip("\n")

    @property
    def beside(self) -> tuple[Series, ...]:
        """All but the first."""
        return (*self.series[1:], *self.frozen)


def _link(title: str, folder: str, name: str, about: str) -> str:
    return f"- [{title}]({folder}{name}.ipynb): {about}"


def _pages(count: int) -> str:
    return "1 page" if count == 1 else f"{count} pages"


def _heading(page: Path) -> str:
    """The title of a written page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("# ") for line in lines if line.startswith("# "))


def executed_page(root: Path, series: Series | None, page: Page) -> Path:
    return root / f"{_file(series, page)}.ipynb"


def _file(series: Series | None, page: Page) -> str:
    """Of an executed notebook, as a table of contents names it."""
    return "/".join(["book", "executed", *([] if series is None else [_folder(series)]), page.name])


def _folder(series: Series) -> str:
    return series.name.replace("/", "-")


def contents(root: Path, pages: Contents) -> dict[str, Any]:
    """The table of contents in Jupyter Book's format.

    ``_toc.yml`` names the parts, and their written pages with their place in the order. The first series' pages stand
    in the parts that they name. All other series stand in the part that says so (``others``), each with its first page,
    and the others below it.

    Raises:
        EmbryologyError: a page names a part that is not there.
    """
    parts = read_yaml(root / CONTENTS)["parts"]
    first = pages.series[0]
    captions = [part["caption"] for part in parts]
    for _, page in pages.chosen:
        if page.metadata.part is not None and page.metadata.part not in captions:
            raise EmbryologyError(
                f"{page.template} stands in the part {page.metadata.part!r}, which is not in {CONTENTS}; it has "
                f"{', '.join(captions)}"
            )
    front = next(page for _, page in pages.chosen if page.metadata.kind == "front")
    made = []
    for part in parts:
        caption = part["caption"]
        chapters = [(order, {"file": file}) for file, order in part.get("written", {}).items()]
        for series in (first, None):
            chapters += [(page.metadata.order, _entry(series, page)) for page in pages.of(series, caption)]
        if pages.ask.sha256 and caption == ask_page.PART:
            chapters.append((ask_page.ORDER, {"file": ask_page.FILE}))
        ordered = _nested(chapter for _, chapter in sorted(chapters, key=lambda chapter: chapter[0]))
        if part.get("others"):
            ordered += [_of_run(each, of_it) for each in pages.beside if (of_it := pages.of(each))]
        if ordered:
            made.append({"caption": caption, "chapters": ordered})
    return {"format": "jb-book", "root": _file(first, front), "parts": made}


def _entry(series: Series | None, page: Page) -> dict[str, Any]:
    """A page by its file and what the list of pages calls it, which does not name the series as the heading does."""
    title = {"title": page.title} if series else {}
    return {"file": _file(series, page)} | title | ({_BELOW: True} if page.step is not None else {})


def _nested(chapters: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pages of single checkpoints, of which there may be many, below the page that comes before them."""
    nested: list[dict[str, Any]] = []
    for chapter in chapters:
        if chapter.pop(_BELOW, False) and nested:
            nested[-1].setdefault("sections", []).append(chapter)
        else:
            nested.append(chapter)
    return nested


def _of_run(series: Series, pages: Sequence[Page]) -> dict[str, Any]:
    first, *others = pages
    below = {"sections": _nested(_entry(series, page) for page in others)} if others else {}
    return {"file": _file(series, first), "title": series.name} | below


def pages_of(toc: Any) -> Iterator[str]:
    """Every page that a table of contents names."""
    if isinstance(toc, dict):
        for key, value in toc.items():
            if key in ("root", "file"):
                yield value
            else:
                yield from pages_of(value)
    elif isinstance(toc, list):
        for value in toc:
            yield from pages_of(value)


def build(root: Path, toc: dict[str, Any], console: Console) -> Path:
    """Build the book from executed pages, every warning an error; skipped where nothing changed.

    The pages are built apart and take the place of the old ones when all of them are there.

    Args:
        root: the project's folder.
        toc: of :func:`contents`; its notebooks are executed.
        console: where progress is shown, and the warnings of a failed build.

    Returns:
        The page to open.

    Raises:
        EmbryologyError: there were warnings or errors; Jupyter Book's whole log is kept.
    """
    sha256, html = _inputs_sha256(root, toc), root / "_build" / "html"
    html.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(html.parent / ".lock"):  # of two reports at once the second has nothing left to do
        if (html / "index.html").is_file() and _built_from(html) == sha256:
            console.print("book: unchanged, skipped (same pages, settings, table of contents)", highlight=False)
        else:
            _build(root, toc, sha256, html, console)
            console.print("book: built", highlight=False)
    return html / "index.html"


def place_for(to: str | Path) -> Path:
    """The folder that a built book may be put in.

    Raises:
        EmbryologyError: something that is no such book is there.
    """
    folder = Path(to).expanduser().resolve()
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not is_empty and not (folder / BUILT_FROM).is_file():
        raise EmbryologyError(f"{folder} is there already and holds no book; name another folder, or remove it")
    return folder


def put(html: Path, folder: Path, console: Console) -> Path:
    """Copy a built book to ``folder``, of :func:`place_for`, whole or not at all; skipped where it is there.

    Returns:
        The page to open there.
    """
    with filelock.FileLock(html.parent / ".lock"):  # against a report that builds it anew
        if _built_from(folder) != _built_from(html):
            apart = folder.with_name(f".{folder.name}.new")
            shutil.rmtree(apart, ignore_errors=True)  # of a report that was killed
            with written_whole(apart) as temporary:
                shutil.copytree(html, temporary)
            if folder.exists():
                removed_whole(folder)
            os.rename(apart, folder)
            console.print(f"book: put into {folder}", highlight=False, soft_wrap=True)
    return folder / "index.html"


def _build(root: Path, toc: dict[str, Any], sha256: str, html: Path, console: Console) -> None:
    """Build ``html`` anew, alone in its folder; arguments as of :func:`build`."""
    contents, log, apart = (html.parent / name for name in (CONTENTS, "jupyter-book.log", ".building"))
    remove_leftovers(html.parent)
    shutil.rmtree(apart, ignore_errors=True)  # of a report that was killed
    write_yaml(contents, toc)
    try:
        with working(console, "book: building"), open(log, "w", encoding="utf-8") as stream:
            outcome = subprocess.run(
                [
                    # Not the folder that it runs in: what lies there is no code of the book's.
                    *(sys.executable, "-P", "-c", JUPYTER_BOOK, "build", root),
                    *("--path-output", apart, "--toc", contents),
                    *("-n", "-W", "--keep-going"),
                ],
                cwd=root,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        made = apart / "_build" / "html"
        if outcome.returncode or not (made / "index.html").is_file():
            if reason := _refusal(log):
                raise EmbryologyError(f"cannot write {html}: {reason}")
            raise EmbryologyError(f"the book does not build: {_complaints(log, console)}; the whole log is {log}")
        finish.finish(made)
        if ask_page.FILE in pages_of(toc):
            shutil.copytree(ask_page.folder(root), made / ask_page.FOLDER)
        write_json(made / BUILT_FROM, {"sha256": sha256})
        if html.exists():
            removed_whole(html)
        os.rename(made, html)
    finally:
        shutil.rmtree(apart, ignore_errors=True)


def _inputs_sha256(root: Path, toc: dict[str, Any]) -> str:
    executed = [file for file in pages_of(toc) if file.startswith("book/executed/")]
    notebooks = [root / f"{file}.ipynb" for file in executed if file != ask_page.FILE]
    if ask_page.FILE in executed:
        notebooks += [root / f"{ask_page.FILE}.md", ask_page.folder(root) / ask_page.MADE]
    written = [
        file
        for file in (root / "book").rglob("*")
        if file.is_file() and not file.is_relative_to(root / "book" / "executed")
    ]
    files = sorted([*notebooks, *written, root / SETTINGS])
    hashes = {file.relative_to(root).as_posix(): sha256_of_file(file) for file in files}
    links = [source_links.repository_url(root), sha256_of_file(Path(source_links.__file__))]
    passed = [Path(str(module.__file__)) for module in (docstrings, finish, neighbours, offline)]
    others = [*root.glob(CITATION), *passed, *_documented(written)]
    return sha256_of([toc, hashes, links, [sha256_of_file(file) for file in others]])


def _documented(written: Iterable[Path]) -> list[Path]:
    """The code whose docstrings the written pages show."""
    pages = [page.read_text(encoding="utf-8") for page in written if page.suffix == ".md"]
    return sorted({file for page in pages for name in DOCUMENTED.findall(page) for file in modules(name)})


def _built_from(html: Path) -> str | None:
    try:
        return read_json(html / BUILT_FROM)["sha256"]
    except (EmbryologyError, KeyError, TypeError):
        return None


def _refusal(log: Path) -> str | None:
    """Why the system refused to write the pages; a disk may be too full to say it."""
    said = log.read_text(encoding="utf-8", errors="replace")
    full = OSError(errno.ENOSPC, "") if shutil.disk_usage(log.parent).free < LEAST_FREE else OSError(said)
    return refusal(full)


def _complaints(log: Path, console: Console) -> str:
    """Print the warnings and errors of a log, or its end where there are none; return the first of them."""
    lines = COLOURS.sub("", log.read_text(encoding="utf-8")).splitlines()
    complaints = (
        [line for line in lines if re.search(r"\b(WARNING|ERROR|CRITICAL|Error):", line)] or lines[-20:] or ["no log"]
    )
    for line in complaints:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return complaints[0].strip()
