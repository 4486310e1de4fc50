"""The texts of test sets by name, so that articles which hold them can be left out of training.

Of treebanks it is the test split, of tasks the development sets, on which models are scored here. Sets of facts are
none: their sentences are made from templates, and to have read a fact is how one knows it.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from embryology.corpus.articles import plain_text
from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.tasks import catalogue, glue, squad
from embryology.treebanks import edge_sets

AUTO = "auto"
TREEBANKS = ("ewt", "gum", "gentle", "ontonotes")
GLUE = {name.lower(): name for name in glue.TASKS}
NAMES = (*TREEBANKS, *GLUE, squad.NAME.lower())


def read(sets: Sequence[str]) -> dict[str, list[str]]:
    """Texts by set, each once; a pair of texts is two.

    Args:
        sets: of :data:`NAMES`, ``auto`` for all of those that are there, or paths of plain text (a ``.txt`` file, or
            what has a separator in it), an article a text.

    Raises:
        EmbryologyError: a set is unknown, not there or malformed, or ``auto`` finds none.
    """
    names = list(dict.fromkeys(name for given in sets for name in (_all_there() if given == AUTO else [given])))
    return {name if _is_path(name) else name.lower(): list(dict.fromkeys(_texts(name))) for name in names}


def _all_there() -> list[str]:
    there = [name for name in NAMES if _is_there(name)]
    if not there:
        raise EmbryologyError(
            "corpus.leave_out auto finds no test set: set EMBRYOLOGY_DATA to a folder that holds some, or leave it out"
        )
    return there


def _is_there(name: str) -> bool:
    data = data_folder()
    if name in GLUE:
        return data is not None and (data / glue.PLACE / GLUE[name]).is_dir()
    if name in TREEBANKS:
        try:
            edge_sets.find(name, "test")
        except EmbryologyError:
            return False
        return True
    return "dev" in squad.files()


def _is_path(name: str) -> bool:
    return os.sep in name or ".txt" in Path(name).suffixes


def _texts(name: str) -> Iterable[str]:
    if _is_path(name):
        return (article.text for article in plain_text(Path(name).expanduser()))
    known = name.lower()
    if known not in NAMES:
        raise EmbryologyError(
            f"there is no test set {name!r} to leave out; choose {AUTO}, {', '.join(NAMES)}, or a path of plain text"
        )
    if known in TREEBANKS:
        return (sentence.text for sentence in edge_sets.find(known, "test").read().sentences)
    if known in GLUE:
        examples = [one for split in catalogue.find(GLUE[known]).dev.values() for one in split.examples]
        return (text for one in examples for text in (one.first, one.second) if text)
    return (text for question in squad.find().dev for text in (question.context, question.question))
