"""The named sets of sentences with edges, and where each is looked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.storage.files import sha256_of, sha256_of_file
from embryology.storage.lines import found
from embryology.treebanks import (
    CONSTITUENT,
    COREFERENCE,
    DEPENDENCY,
    ENTITY,
    POS,
    ROLE,
    TASKS,
    Reading,
    conllu_reader,
    gum,
    jsonl,
    ontonotes,
    propbank,
    silver,
)
from embryology.treebanks.catalogue import SPLITS, ewt_file, own_file

NAMES = ("ewt", "ewt-propbank", "gum", "gentle", "ontonotes", "silver")
PROPBANK = "treebanks/propbank-release/data/google/ewt"
GUM = "treebanks/gum"
ONTONOTES = "treebanks/ontonotes"


@dataclass(frozen=True)
class EdgeSet:
    """A split of a set that is there, not yet read."""

    name: str
    split: str
    label: str
    """For figures: whose annotation, on which text."""
    tasks: tuple[str, ...]
    """All that its sentences are annotated with, of ``embryology.treebanks.TASKS``."""
    identity: Callable[[], dict]
    """What its sentences depend on: hashes or versions."""
    reader: Callable[[bool], Reading]

    def read(self, skip_bad: bool = False) -> Reading:
        """The sentences; ``skip_bad`` leaves malformed ones out and counts them.

        Raises:
            EmbryologyError: a file is malformed, or there is no edge of one of the tasks.
        """
        reading = self.reader(skip_bad)
        edges = reading.edges()
        for task in self.tasks:
            if not edges[task]:
                skipped = f" ({reading.skipped.total()} sentences were skipped)" if reading.skipped else ""
                raise EmbryologyError(
                    f"the set {self.name!r} {self.split!r} holds no edges of the task {task!r}{skipped}"
                )
        return reading


def splits(name: str) -> tuple[str, ...]:
    """The splits of a set, in order."""
    return {"gentle": ("test",), "ontonotes": tuple(ontonotes.FOLDERS)}.get(name, SPLITS)


def find(name: str, split: str = "test") -> EdgeSet:
    """A set by its name.

    Args:
        name: ``ewt`` (tags and dependencies), ``ewt-propbank`` (tags, constituents and roles), ``gum`` and
            ``gentle`` (tags, dependencies, entities, coreference), ``ontonotes`` (all but dependencies), ``silver``
            (spaCy's tags, dependencies and entities on held-out bundled articles), a path that ends in ``.conllu``,
            with ``{split}`` in it (tags and dependencies), or ``TASK:PATH`` for files in jiant's format: a folder that
            holds ``SPLIT.json`` or ``.jsonl``, or a file's path with ``{split}`` in it.
        split: ``train``, ``dev`` or ``test``; ``gentle`` has only ``test``, ``ontonotes`` ``conll-2012-test`` too.

    Raises:
        EmbryologyError: there is no such set or split, or its data are not there.
    """
    own = name.endswith(conllu_reader.ENDINGS)
    if name not in NAMES and not own and ":" not in name:
        raise EmbryologyError(
            f"there is no edge set {name!r}; choose {', '.join(NAMES)}, a path to {{split}}.conllu, or TASK:PATH for "
            "JSON lines"
        )
    if own and "{split}" not in name:
        raise EmbryologyError(f"the edge set {name} needs {{split}} in its path, as classifiers learn from one split")
    if split not in splits(name):
        raise EmbryologyError(f"the edge set {name!r} has no split {split!r}; choose one of {', '.join(splits(name))}")
    makers = {"ewt": _ewt, "ewt-propbank": _propbank, "gum": _gum, "gentle": _gum, "ontonotes": _ontonotes}
    if own:
        return _own(name, split)
    return (_silver if name == "silver" else makers.get(name, _jsonl))(name, split)


def _ewt(name: str, split: str) -> EdgeSet:
    file = ewt_file(split)
    return EdgeSet(
        name,
        split,
        f"gold, UD English-EWT {split}",
        (POS, DEPENDENCY),
        partial(_hashes, [file]),
        partial(conllu_reader.read_edges, file),
    )


def _own(name: str, split: str) -> EdgeSet:
    file = own_file(name, split)
    column, language = conllu_reader.look(own_file(name, "train"))  # one for all splits
    return EdgeSet(
        name,
        split,
        f"{'Penn' if column == 'xpos' else 'universal'} tags and dependencies, {file.name}",
        (POS, DEPENDENCY),
        lambda: _hashes([file]) | {"tags": column, "language": language},
        partial(conllu_reader.read_edges, file, column=column),
    )


def _propbank(name: str, split: str) -> EdgeSet:
    words, folder = ewt_file(split), _folder(name, PROPBANK, "propbank-release from github.com/propbank")
    skeletons = sorted(file for pattern in ("*.gold_skel", "*.gold_skel.gz") for file in folder.rglob(pattern))
    if not skeletons:
        raise _missing(name, PROPBANK, "its *.gold_skel files")
    return EdgeSet(
        name,
        split,
        f"gold, English Web Treebank with PropBank {split}",
        (POS, CONSTITUENT, ROLE),
        partial(_hashes, [words, *skeletons]),
        partial(propbank.read, words, skeletons),
    )


def _gum(name: str, split: str) -> EdgeSet:
    folder = _folder(name, GUM, "GUM from github.com/amir-zeldes/gum, a file for each layer and split")
    stem = "test2" if name == "gentle" else split
    places = (f"dep/{stem}.conllu", f"coref/gum/conll/{stem}.conll", f"coref/ontogum/conll/{stem}.conll")
    files = []
    for place in places:
        file = found(folder / place)
        if file is None:
            raise _missing(name, f"{GUM}/{place}", "that file (or .gz)")
        files.append(file)
    dep, entities, chains = files
    return EdgeSet(
        name,
        split,
        f"gold, {name.upper()} {split}",
        (POS, DEPENDENCY, ENTITY, COREFERENCE),
        partial(_hashes, files),
        partial(gum.read, dep, entities, chains),
    )


def _ontonotes(name: str, split: str) -> EdgeSet:
    folder = _folder(name, ONTONOTES, "your own OntoNotes 5 (LDC2013T19) as CoNLL-2012")
    files = ontonotes.files(folder, split)
    if not files:
        raise _missing(name, ONTONOTES, f"*gold_conll files in a folder {ontonotes.FOLDERS[split]!r}")
    return EdgeSet(
        name,
        split,
        f"gold, OntoNotes 5 {split}",
        (POS, CONSTITUENT, ENTITY, COREFERENCE, ROLE),
        partial(_hashes, files),
        partial(ontonotes.read, files),
    )


def _silver(name: str, split: str) -> EdgeSet:
    return EdgeSet(
        name,
        split,
        f"silver (spaCy), held-out vital articles {split}",
        (POS, DEPENDENCY, ENTITY),
        lambda: {**silver.versions(), "split": split, "shares": silver.SHARES},
        lambda skip_bad: silver.read_edges(split),
    )


def _jsonl(name: str, split: str) -> EdgeSet:
    task, _, place = name.partition(":")
    if task not in TASKS:
        raise EmbryologyError(f"{name!r} names no task before the colon; choose one of {', '.join(TASKS)}")
    path = Path(place).expanduser()
    if "{split}" in place:
        wanted = [Path(str(path).replace("{split}", split))]
    elif path.is_dir():
        words = (split, "development") if split == "dev" else (split,)
        wanted = [path / f"{word}{ending}" for word in words for ending in (".jsonl", ".json")]
    else:
        raise EmbryologyError(f"{path} is no folder; give one that holds {split}.jsonl, or a path with {{split}} in it")
    file = next(filter(None, map(found, wanted)), None)
    if file is None:
        raise EmbryologyError(f"{' or '.join(map(str, wanted))} is missing (or .gz)")
    return EdgeSet(
        name,
        split,
        file.name if "{split}" in place else f"{path.name} {split}",
        (task,),
        partial(_hashes, [file]),
        partial(jsonl.read, file, task),
    )


def _folder(name: str, place: str, what: str) -> Path:
    data = data_folder()
    if data is None or not (data / place).is_dir():
        raise _missing(name, place, what)
    return data / place


def _missing(name: str, place: str, what: str) -> EmbryologyError:
    return EmbryologyError(
        f"the edge set {name!r} is not there: set EMBRYOLOGY_DATA to a folder that holds {place}, with {what}"
    )


def _hashes(files: Sequence[Path]) -> dict[str, str]:
    hashes = [sha256_of_file(file) for file in files]
    return {"files": hashes[0] if len(hashes) == 1 else sha256_of(hashes)}
