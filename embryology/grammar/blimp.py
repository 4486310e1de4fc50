"""BLiMP (Warstadt et al. 2020) in its original layout: a file a paradigm, a pair a line, gzipped or not."""

import csv
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.facts.records import Record, records
from embryology.grammar import Pair, Published, Reading, Span
from embryology.runs.paths import data_folder
from embryology.specs.grammar import PEOPLE, SPECIFICATION
from embryology.specs.sources import Data, Source
from embryology.storage.files import sha256_of_files
from embryology.storage.lines import numbered

PLACE = "grammar/blimp"
MODELS = {"ngram": "ngram", "lstm": "lstm", "txl": "transformer-xl", "gpt2": "gpt2"}
"""Columns of the published scores by the names of references."""
JUDGEMENTS = 1000
"""Pairs behind a model's published score."""
IN_PAPER = {"s-selection": "argument_structure"}
"""Terms of the files that the paper counts to another phenomenon, which makes 12 of 13."""


class _Line(Record):
    sentence_good: str
    sentence_bad: str
    linguistics_term: str
    UID: str
    pairID: str  # noqa: N815 - as in the files
    one_prefix_prefix: str | None = None
    one_prefix_word_good: str | None = None
    one_prefix_word_bad: str | None = None
    two_prefix_prefix_good: str | None = None
    two_prefix_prefix_bad: str | None = None
    two_prefix_word: str | None = None


def read(folder: Path, skip_bad: bool = False) -> Reading:
    """All paradigms of a folder ``data/``, and the published scores where they lie beside it.

    Raises:
        EmbryologyError: there is no file, or one is empty or malformed; file and line are named.
    """
    reading = Reading()
    for file in files(folder):
        own: dict[str, Pair] = {}
        for number, line in records(file, _Line, reading.skipped, skip_bad):
            if file.name.split(".")[0] != line.UID:
                raise EmbryologyError(f"{file}, line {number}: the UID is {line.UID!r}, and not the name of the file")
            pair = _pair(line)
            if pair.id in own:
                raise EmbryologyError(f"{file}, line {number}: the pairID {line.pairID!r} comes twice; remove one")
            own[pair.id] = pair
        if not own:
            raise EmbryologyError(f"{file} holds no pairs; remove it, or restore it")
        reading.pairs.extend(own.values())
    reading.published.extend(_published(folder))
    return reading


def files(folder: Path) -> list[Path]:
    """The files of pairs, by name.

    Raises:
        EmbryologyError: there is none.
    """
    found = sorted((folder / "data").glob("*.jsonl*"))
    if not found:
        raise EmbryologyError(f"{folder / 'data'} holds no .jsonl files of minimal pairs (or .jsonl.gz)")
    return found


def _pair(line: _Line) -> Pair:
    name = f"{line.UID}:{line.pairID}"
    phenomenon = IN_PAPER.get(line.linguistics_term, line.linguistics_term)
    return Pair(name, phenomenon, line.UID, line.sentence_good, line.sentence_bad, name, _critical(line))


def _critical(line: _Line) -> tuple[Span, Span] | None:
    """The word behind a prefix that both sentences share, or the one that they share behind different prefixes."""
    for before, words in (
        ((line.one_prefix_prefix,) * 2, (line.one_prefix_word_good, line.one_prefix_word_bad)),
        ((line.two_prefix_prefix_good, line.two_prefix_prefix_bad), (line.two_prefix_word,) * 2),
    ):
        spans = []
        for sentence, prefix, word in zip((line.sentence_good, line.sentence_bad), before, words, strict=True):
            if prefix is not None and word is not None and sentence.startswith(f"{prefix} {word.strip()}"):
                spans.append((len(prefix) + 1, len(prefix) + 1 + len(word.strip())))
        if len(spans) == 2:
            return spans[0], spans[1]
    return None


def _scores(folder: Path) -> list[Path]:
    names = ("models_summary.jsonl", "human_validation_summary.csv")
    return [file for name in names if (file := folder / "scores" / name).is_file()]


def _published(folder: Path) -> Iterator[Published]:
    for file in _scores(folder):
        text = [line for _, line in numbered(file) if line.strip()]
        try:
            if file.suffix == ".csv":
                for row in csv.DictReader(text):
                    yield Published(PEOPLE, row["Condition"], float(row["total_mean"]), int(row["count"]))
                continue
            for entry in map(json.loads, text):
                for column, who in MODELS.items() if entry["UID"] != "overall" else ():
                    yield Published(who, entry["UID"], float(entry[column]), JUDGEMENTS)
        except (KeyError, TypeError, ValueError) as error:
            raise EmbryologyError(f"{file} does not hold scores as BLiMP has them ({error!r}); restore it") from error


def _find(name: str, part: str) -> Data:
    data = data_folder()
    if data is None or not (data / PLACE / "data").is_dir():
        raise EmbryologyError(
            f"the minimal pairs {name!r} need {PLACE}/data in the folder that EMBRYOLOGY_DATA names "
            "(github.com/alexwarstadt/blimp)"
        )
    folder = data / PLACE
    there = [*files(folder), *_scores(folder)]
    identity, reader = partial(sha256_of_files, folder, there), partial(read, folder)
    return Data(name, SPECIFICATION.tasks[name], tuple(there), identity, reader)


SOURCE = Source("pairs", "blimp", _find, known={"": {"paradigms": 67, "phenomena": 12, "pairs": 67_000}})
"""Counts as the repository and ``grammar/README.md`` of the data state them, by a script that shares no code."""
