"""ParaRel (Elazar et al. 2021): LAMA's facts with several templates that say the same.

A folder holds ``trex_lms_vocab/<relation>.jsonl`` with a triple a line and ``graphs_json/<relation>.jsonl`` with a
template a line; any file may be gzipped.
"""

from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.facts import Fact, Reading, Relation, id_of_names, source
from embryology.facts.records import Record, checked_template, records, unique
from embryology.storage.lines import found


class _Triple(Record):
    sub_label: str
    obj_label: str


class _Pattern(Record):
    pattern: str


def read(folder: Path, skip_bad: bool = False) -> Reading:
    """The relations that have triples and templates, by name. ``kind`` is empty: ParaRel does not say.

    A triple is known by its names: its uuid is not always there, and the same names under two Wikidata entities make
    the same question.

    Raises:
        EmbryologyError: a file is missing or malformed; file and line are named.
    """
    reading = Reading()
    triples = sorted((folder / "trex_lms_vocab").glob("*.jsonl*"))
    if not triples:
        raise EmbryologyError(f"{folder / 'trex_lms_vocab'} holds no *.jsonl (or .gz); it is part of ParaRel's layout")
    for path in triples:
        name = path.name.split(".")[0]
        patterns = found(folder / "graphs_json" / f"{name}.jsonl")
        facts = [
            Fact(id_of_names(triple.sub_label, triple.obj_label), triple.sub_label, triple.obj_label)
            for _, triple in records(path, _Triple, reading.skipped, skip_bad)
        ]
        if patterns is None:
            reading.left_out["triple of a relation without templates"] += len(facts)
            continue
        templates = tuple(
            checked_template(patterns, number, record.pattern)
            for number, record in records(patterns, _Pattern, reading.skipped, skip_bad)
        )
        if not templates or not facts:
            raise EmbryologyError(f"{patterns if facts else path} holds nothing; remove both of {name}, or restore it")
        reading.relations.append(Relation(name, name, "", templates, unique(facts, reading.left_out)))
    return reading


PLACE = "knowledge/pararel"
SOURCE = source(
    "pararel",
    PLACE,
    "trex_lms_vocab",
    ("*/*.jsonl*",),
    read,
    {"relations": 39, "templates": 329, "facts": 27_610 - 17},
)
"""Counts as LAMA's; 17 doubles by name are one question each and counted once here."""
