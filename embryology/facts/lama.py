"""LAMA in its original layout (Petroni et al. 2019): T-REx, Google-RE and SQuAD.

A folder holds ``relations.jsonl`` with a template each, ``TREx/<relation>.jsonl`` with a fact a line,
``Google_RE/<relation>_test.jsonl`` and ``Squad/test.jsonl``; any file may be gzipped.
"""

from pathlib import Path
from typing import Literal

from embryology.errors import EmbryologyError
from embryology.facts import OBJECT, Fact, Reading, Relation, id_of_names, source
from embryology.facts.records import Record, checked_template, records, unique
from embryology.storage.lines import found

GOOGLE_RE = {
    "date_of_birth": "[X] (born [Y]).",
    "place_of_birth": "[X] was born in [Y] .",
    "place_of_death": "[X] died in [Y] .",
}
"""Templates of LAMA's own script; the data have no file of relations."""
MASK = "[MASK]"


class _Relation(Record):
    relation: str
    template: str
    label: str
    type: Literal["1-1", "N-1", "N-M"]


class _Fact(Record):
    sub_label: str
    obj_label: str
    sub_uri: str
    obj_uri: str


class _GoogleFact(Record):
    sub_label: str
    obj_label: str
    sub: str


class _Cloze(Record):
    id: str
    obj_label: str
    masked_sentences: tuple[str, ...]


def trex(folder: Path, skip_bad: bool = False) -> Reading:
    """The T-REx relations that have facts, in the order of ``relations.jsonl``.

    Raises:
        EmbryologyError: a file is missing or malformed; file and line are named. A relation of the list may be
            without a file, and is counted as left out; a file without facts, or all relations without one, may not.
    """
    reading = Reading()
    listed = _required(folder / "relations.jsonl")
    for number, entry in records(listed, _Relation, reading.skipped, skip_bad):
        template = checked_template(listed, number, entry.template)
        path = found(folder / "TREx" / f"{entry.relation}.jsonl")
        if path is None:
            reading.left_out["relation without a file of facts"] += 1
            continue
        facts = [
            Fact(f"{fact.sub_uri}-{fact.obj_uri}", fact.sub_label, fact.obj_label)
            for _, fact in records(path, _Fact, reading.skipped, skip_bad)
        ]
        if not facts:
            raise EmbryologyError(f"{path} holds no facts; remove it, or restore it")
        distinct = unique(facts, reading.left_out)
        reading.relations.append(Relation(entry.relation, entry.label, entry.type, (template,), distinct))
    if not reading.relations:
        raise EmbryologyError(f"{folder / 'TREx'} holds no facts of any relation in {listed}")
    return reading


def google_re(folder: Path, skip_bad: bool = False) -> Reading:
    """The three relations of Google-RE."""
    reading = Reading()
    for name, template in GOOGLE_RE.items():
        path = _required(folder / "Google_RE" / f"{name}_test.jsonl")
        facts = [
            Fact(id_of_names(fact.sub, fact.obj_label), fact.sub_label, fact.obj_label)
            for _, fact in records(path, _GoogleFact, reading.skipped, skip_bad)
        ]
        distinct = unique(facts, reading.left_out)
        reading.relations.append(Relation(name, name.replace("_", " "), "N-1", (template,), distinct))
    return reading


def squad(folder: Path, skip_bad: bool = False) -> Reading:
    """LAMA's cloze questions from SQuAD as one relation, each with the first of its sentences that has one mask.

    Raises:
        EmbryologyError: the file is missing or malformed, or no question has such a sentence.
    """
    path, reading, facts = _required(folder / "Squad" / "test.jsonl"), Reading(), []
    for _, cloze in records(path, _Cloze, reading.skipped, skip_bad):
        sentence = next((text for text in cloze.masked_sentences if text.count(MASK) == 1), None)
        if sentence is None:
            reading.left_out["question without a sentence that has one mask"] += 1
            continue
        facts.append(Fact(cloze.id, "", cloze.obj_label, sentence=sentence.replace(MASK, OBJECT)))
    if not facts:
        raise EmbryologyError(f"{path} holds no sentence with exactly one {MASK}; remove it, or restore it")
    reading.relations.append(Relation("squad", "sentences", "", (), unique(facts, reading.left_out)))
    return reading


def _required(path: Path) -> Path:
    file = found(path)
    if file is None:
        raise EmbryologyError(f"{path} is missing (or .gz); it is part of LAMA's layout")
    return file


PLACE = "knowledge/LAMA"
SOURCES = (
    source(
        "trex",
        PLACE,
        "relations.jsonl",
        ("relations.jsonl", "TREx/*.jsonl*"),
        trex,
        {"relations": 41, "facts": 34_039, "1-1": 937, "N-1": 20_006, "N-M": 13_096},
    ),
    source("google-re", PLACE, "Google_RE", ("Google_RE/*.jsonl*",), google_re, {"relations": 3, "facts": 5_528}),
    source("squad", PLACE, "Squad", ("Squad/*.jsonl*",), squad, {"facts": 305 - 3}),
)
"""Counts are from ``knowledge/README.md`` of the data, by a script that shares no code with ours; three sentences of
SQuAD have two masks."""
