"""The page "Ask it" of a book: made of the weights that its runs have, and skipped where nothing changed.

Its scripts lie in ``_build/ask`` until the book is built, which takes a copy; the page itself is among the executed
ones.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

import embryology.ask
from embryology.ask import tokenizers, writing
from embryology.errors import EmbryologyError
from embryology.progress import working
from embryology.runs import packed as packing
from embryology.runs.packed import series as packed_series
from embryology.runs.packed.series import Packed
from embryology.runs.series import Series
from embryology.storage.files import read_json, sha256_of, sha256_of_file, write_json, written_whole

TITLE, FOLDER = "Ask it", "ask"
FILE = f"book/executed/{FOLDER}"
"""In a table of contents."""
PART, ORDER = "Your run", 12
"""Where it stands."""
ABOUT = "type a sentence, mask a word, and ask every checkpoint, in your browser"
MADE = "made-of.json"


@dataclass(frozen=True)
class AskPage:
    """Of a book."""

    sha256: str | None
    """Of all that the page was made of; None where there is none, as no run has weights."""
    left_out: dict[str, str]
    """By name of a run that was asked for why it cannot be asked."""


def folder(root: Path) -> Path:
    """Of the scripts, in the project's folder ``root``."""
    return root / "_build" / FOLDER


def prepare(root: Path, asked: Sequence[Series], frozen: Sequence[Series], console: Console) -> AskPage:
    """Make the page of the runs that have weights, those that were asked for first.

    Args:
        root: the project's folder.
        asked: series that the report is of; why one is left out is told.
        frozen: others that stand beside them, with the weights that they keep.
        console: where it is told what was made, what was skipped and what is left out.
    """
    left_out: dict[str, str] = {}
    ready: dict[str, tuple[Series, str]] = {}
    for each in (*asked, *frozen):
        try:
            if reason := packed_series.lacking(each):
                raise EmbryologyError(reason)
            ready[each.name] = each, packed_series.identity(each)
        except EmbryologyError as error:
            left_out[each.name] = str(error)
    made_of = sha256_of([[[name, identity] for name, (_, identity) in ready.items()], _code()])
    place, page = folder(root), root / f"{FILE}.md"
    record = read_json(place / MADE) if (place / MADE).is_file() else {}
    if ready and record.get("sha256") == made_of and page.is_file():
        left_out |= record["left_out"]
        console.print("ask.md: unchanged, skipped (same weights, tokenizers, code)", highlight=False)
    elif ready:
        with working(console, "ask.md: packing weights"):
            refused = _make(place, page, {name: series for name, (series, _) in ready.items()}, made_of)
        left_out |= refused
        record = {"sha256": made_of, "left_out": refused}
        if len(refused) < len(ready):
            size = sum(file.stat().st_size for file in place.rglob("*.js"))
            console.print(f"ask.md: made, {size / 1e6:.1f} MB of scripts", highlight=False)
    told = {each.name: left_out[each.name] for each in asked if each.name in left_out}
    for name, reason in told.items():
        console.print(f"{name}/ask.md: left out: {reason}", highlight=False, soft_wrap=True)
    is_made = len(record.get("left_out", ())) < len(ready)
    return AskPage(made_of if is_made else None, told)


def _make(place: Path, page: Path, runs: dict[str, Series], made_of: str) -> dict[str, str]:
    """Write scripts and page; why runs cannot be asked, by name."""
    packed: dict[str, Packed] = {}
    refused, room = {}, writing.SIZE_LIMIT
    for name, series in runs.items():
        try:
            every = packed_series.of_series(series)
            tokenizers.exported(every.tokenizer)
        except EmbryologyError as error:
            refused[name] = str(error)
            continue
        fitting = writing.fitting(every, room)
        if fitting is None:
            refused[name] = f"its weights take more than the {room / 1e6:.0f} MB that are left for them in a book"
        else:
            packed[name] = fitting
            room -= writing.size_of(fitting)
    shutil.rmtree(place, ignore_errors=True)
    if packed:
        with written_whole(place) as temporary:
            writing.write(packed, temporary)
            write_json(temporary / MADE, {"sha256": made_of, "left_out": refused})
        with written_whole(page) as temporary:
            raw = writing.fragment(f"../../{FOLDER}/")
            temporary.write_text(f"# {TITLE}\n\n```{{raw}} html\n{raw}```\n", encoding="utf-8")
    return refused


def _code() -> list[str]:
    """Hashes of all that makes the page."""
    roots = [Path(str(module.__file__)).parent for module in (embryology.ask, packing)]
    files = [
        file for root in roots for file in sorted(root.rglob("*")) if file.suffix in (".py", ".js", ".css", ".html")
    ]
    return [sha256_of_file(file) for file in (*files, Path(__file__))]
