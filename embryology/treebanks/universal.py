"""Sentences with universal tags (UPOS), which are the same in every language."""

from functools import cache
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.specs.sources import Data
from embryology.storage.files import sha256_of_file
from embryology.treebanks import conllu_reader, silver

ENGLISH = "en"


def find(name: str, split: str) -> Data:
    """A split of a treebank; what it reads is a list of :class:`embryology.treebanks.Sentence`.

    Its identity says the ``language`` (ISO 639-1) that most of its sentences are in.

    Args:
        name: ``ewt``, ``silver``, ``auto`` for the first of them that is there, or the path of a CoNLL-U file, in which
            ``{split}`` stands for the split.
        split: ``train`` or ``test``.

    Raises:
        EmbryologyError: it is not there, or one to learn from has no ``{split}`` in its path.
    """
    if name == "auto":
        data = data_folder()
        name = "ewt" if data is not None and (data / conllu_reader.EWT).is_dir() else "silver"
    if name == "silver":
        return Data(
            name,
            "silver universal tags (spaCy), held-out vital articles",
            (),
            lambda: {**silver.versions(), "shares": silver.SHARES, "split": split, "language": ENGLISH},
            lambda _: silver.read_universal(split),
        )
    if name == "ewt":
        file = conllu_reader.ewt_file(split)
    elif split == "train" and "{split}" not in name:
        raise EmbryologyError(f"the treebank {name} needs {{split}} in its path, as tags are learnt from one split")
    else:
        file = conllu_reader.own_file(name, split)
    return Data(
        name if name == "ewt" else "own",
        f"gold universal tags, {file.name}",
        (file,),
        lambda: _identity(file, sha256_of_file(file)),
        lambda _: conllu_reader.read(file, "upos"),
    )


@cache
def _identity(file: Path, sha256: str) -> dict[str, str | None]:
    """Asked for at every checkpoint, and a treebank takes seconds to look through."""
    return {"file": sha256, "language": conllu_reader.look(file)[1]}
