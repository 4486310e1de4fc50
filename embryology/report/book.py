"""Pages -> the book: its table of contents for the runs at hand, and Jupyter Book."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.report import source_links
from embryology.storage.files import read_json, read_yaml, sha256_of, sha256_of_file, write_json, write_yaml

CONTENTS, SETTINGS = "_toc.yml", "_config.yml"
EXECUTED = re.compile(r"book/executed/([^/]+)/(.+)")
"""A page that is an executed notebook: ``book/executed/<run>/<name of the notebook>``."""
REFERENCE = "reference_runs"
"""The notebook that draws a run beside frozen ones. It opens the part that their pages follow in."""
STUDIES = ("recipes", "published_probing")
"""Notebooks about what is in ``results/`` and of no run, the same in every report and so in it once."""
BUILT_FROM = ".built-from.json"
"""Beside the pages: the hash of all that they were made of."""
JUPYTER_BOOK = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def executed_page(root: Path, run: str, name: str) -> Path:
    return root / "book" / "executed" / run / f"{name}.ipynb"


def templates(root: Path) -> list[str]:
    """The names of the notebooks in the table of contents, in its order.

    Raises:
        EmbryologyError: one of them is not in ``notebooks/``.
    """
    names = [name for _, name in executed(read_yaml(root / CONTENTS))]
    for name in names:
        if not (root / "notebooks" / f"{name}.ipynb").is_file():
            raise EmbryologyError(f"{CONTENTS} names a page {name!r}, and there is no notebooks/{name}.ipynb")
    return names


def executed(toc: Any) -> list[tuple[str, str]]:
    """The run and the notebook of every executed page in a table of contents."""
    return [found.groups() for page in _pages(toc) if (found := EXECUTED.fullmatch(page))]


def contents(
    root: Path, runs: Sequence[str], frozen: Sequence[str] = (), left_out: Collection[tuple[str, str]] = ()
) -> dict:
    """The table of contents with the pages of ``runs`` and of ``frozen`` runs.

    The first run takes the places of the run named in ``_toc.yml``; each further one is a part of its
    own, with all its pages, after the first part that holds executed pages. Frozen runs follow in the
    part of :data:`REFERENCE` with the pages of that first part, but for those ``left_out``, each a run and the
    name of a notebook. A run has no page :data:`REFERENCE`
    where there is no other run that is frozen.
    """
    toc = read_yaml(root / CONTENTS)
    first, *others = runs
    names = templates(root)
    own = [part for part in toc["parts"] if executed(part)][:1]
    parts = []
    for part in toc["parts"]:
        if any(name == REFERENCE for _, name in executed(part)):
            if set(frozen) - {first}:
                parts.append(_for_run(part, first))
                parts[-1]["chapters"] += [
                    {"file": f"book/executed/{run}/{name}", "title": f"{run}: {_title(root, name)}"}
                    for run in frozen
                    if run not in runs
                    for _, name in executed(own)
                    if (run, name) not in left_out
                ]
            continue
        parts.append(_for_run(part, first))
        if others and part in own:
            parts[-1]["caption"] = f"{part['caption']}: {first}"
            for run in others:
                left_out = {*STUDIES, *(() if set(frozen) - {run} else (REFERENCE,))}
                wanted = [name for name in names if name not in left_out]
                chapters = [{"file": f"book/executed/{run}/{name}"} for name in wanted]
                parts.append({"caption": f"{part['caption']}: {run}", "chapters": chapters})
    return _for_run({key: value for key, value in toc.items() if key != "parts"}, first) | {"parts": parts}


def _title(root: Path, name: str) -> str:
    """The heading that a notebook begins with."""
    return "".join(read_json(root / "notebooks" / f"{name}.ipynb")["cells"][0]["source"]).splitlines()[0].lstrip("# ")


def _pages(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("root", "file"):
                yield value
            else:
                yield from _pages(value)
    elif isinstance(node, list):
        for value in node:
            yield from _pages(value)


def _for_run(node: Any, run: str) -> Any:
    if isinstance(node, dict):
        return {key: _for_run(value, run) for key, value in node.items()}
    if isinstance(node, list):
        return [_for_run(value, run) for value in node]
    if isinstance(node, str) and (found := EXECUTED.fullmatch(node)):
        return f"book/executed/{run}/{found[2]}"
    return node


def build(root: Path, toc: dict, console: Console) -> Path:
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
    build_folder = root / "_build"
    html = build_folder / "html"
    sha256 = _inputs_sha256(root, toc)
    if (html / "index.html").is_file() and _built_from(html) == sha256:
        console.print("book: unchanged, skipped (same pages, settings, table of contents)", highlight=False)
        return html / "index.html"
    write_yaml(build_folder / CONTENTS, toc)
    log = build_folder / "jupyter-book.log"
    apart = build_folder / f".building-{os.getpid()}"
    try:
        with console.status("book: building"), open(log, "w", encoding="utf-8") as stream:
            outcome = subprocess.run(
                [
                    *(sys.executable, "-c", JUPYTER_BOOK, "build", root),
                    *("--path-output", apart, "--toc", build_folder / CONTENTS),
                    *("-n", "-W", "--keep-going"),
                ],
                cwd=root,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        made = apart / "_build" / "html"
        if outcome.returncode or not (made / "index.html").is_file():
            raise EmbryologyError(f"the book does not build: {_complaints(log, console)}; the whole log is {log}")
        write_json(made / BUILT_FROM, {"sha256": sha256})
        shutil.rmtree(html, ignore_errors=True)
        os.rename(made, html)
    finally:
        shutil.rmtree(apart, ignore_errors=True)
    console.print("book: built", highlight=False)
    return html / "index.html"


def _inputs_sha256(root: Path, toc: dict) -> str:
    notebooks = [executed_page(root, run, name) for run, name in executed(toc)]
    written = [
        file
        for file in (root / "book").rglob("*")
        if file.is_file() and not file.is_relative_to(root / "book" / "executed")
    ]
    files = sorted([*notebooks, *written, root / SETTINGS])
    hashes = {file.relative_to(root).as_posix(): sha256_of_file(file) for file in files}
    links = [source_links.repository_url(root), sha256_of_file(Path(source_links.__file__))]
    return sha256_of([toc, hashes, links])


def _built_from(html: Path) -> str | None:
    try:
        return read_json(html / BUILT_FROM)["sha256"]
    except (EmbryologyError, KeyError, TypeError):
        return None


def _complaints(log: Path, console: Console) -> str:
    """Print the warnings and errors of a log, or its end where there are none; return the first of them."""
    lines = COLOURS.sub("", log.read_text(encoding="utf-8")).splitlines()
    found = (
        [line for line in lines if re.search(r"\b(WARNING|ERROR|CRITICAL|Error):", line)] or lines[-20:] or ["no log"]
    )
    for line in found:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return found[0].strip()
