"""The named sets of tagged sentences, and which of them there is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.storage.files import sha256_of_file
from embryology.storage.lines import found
from embryology.treebanks import Sentence, conllu_reader, silver

NAMES = ("auto", "ewt", "silver")
SPLITS = ("train", "dev", "test")
EWT = "treebanks/UD_English-EWT"


@dataclass(frozen=True)
class Treebank:
    """A set that is there, not yet read."""

    name: str
    label: str
    """For figures: whose tags, on which text."""
    identity: Callable[[], dict]
    """What its sentences depend on: hashes or versions; cheap."""
    read: Callable[[], list[Sentence]]


def find(name: str = "auto", split: str = "test") -> Treebank:
    """A set by its name.

    Args:
        name: ``ewt`` (gold tags, from ``EMBRYOLOGY_DATA``), ``silver`` (spaCy's tags on held-out
            bundled articles), ``auto``: ``ewt`` where it is there, else ``silver``; or the path of a CoNLL-U file,
            in which ``{split}`` stands for the split.
        split: ``train``, ``dev`` or ``test``; ``silver`` has only ``test``.

    Raises:
        EmbryologyError: there is no such set or split, or its data are not there.
    """
    own = name.endswith(conllu_reader.ENDINGS)
    if not (own or name in NAMES) or split not in SPLITS:
        raise EmbryologyError(
            f"there is no treebank {name!r} {split!r}; choose {', '.join(NAMES)}, or the path of a CoNLL-U file; "
            f"{', '.join(SPLITS)}"
        )
    if own:
        return _own(name, split)
    data = data_folder()
    if name == "ewt" or (name == "auto" and data is not None and (data / EWT).is_dir()):
        return _ewt(split)
    if split != "test":
        raise EmbryologyError(f"the silver treebank has only the split 'test', not {split!r}; gold sets have more")
    return Treebank(
        name="silver",
        label="silver tags (spaCy), held-out vital articles",
        identity=silver.versions,
        read=silver.read,
    )


def ewt_file(split: str) -> Path:
    """The CoNLL-U file of a split of UD English-EWT.

    Raises:
        EmbryologyError: it is not there.
    """
    data = data_folder()
    name = f"en_ewt-ud-{split}.conllu"
    file = found(data / EWT / name) if data else None
    if file is None:
        raise EmbryologyError(
            "the treebank 'ewt' is not there: set EMBRYOLOGY_DATA to a folder and run `embryology data get ewt`, or "
            f"get UD_English-EWT from universaldependencies.org and put {name} (or .gz) under $EMBRYOLOGY_DATA/{EWT}/"
        )
    return file


def own_file(name: str, split: str) -> Path:
    """The CoNLL-U file at a path of one's own, in which ``{split}`` stands for the split.

    Raises:
        EmbryologyError: it is not there.
    """
    path = Path(name.replace("{split}", split)).expanduser()
    file = found(path)
    if file is None:
        raise EmbryologyError(f"there is no treebank at {path} (or .gz)")
    return file


def _own(name: str, split: str) -> Treebank:
    file = own_file(name, split)
    column, language = conllu_reader.look(file)
    return Treebank(
        name="own",
        label=f"{'Penn' if column == 'xpos' else 'universal'} tags, {file.name}",
        identity=lambda: {"file": sha256_of_file(file), "tags": column, "language": language},
        read=partial(conllu_reader.read, file, column),
    )


def _ewt(split: str) -> Treebank:
    file = ewt_file(split)
    return Treebank(
        name="ewt",
        label=f"gold tags, UD English-EWT {split}",
        identity=lambda: {"file": sha256_of_file(file)},
        read=partial(conllu_reader.read, file),
    )
