"""The sets of tagged sentences by name, of this package and of plug-ins."""

from embryology.runs.paths import data_folder
from embryology.specs import registry
from embryology.specs.sources import Data, chosen
from embryology.treebanks import conllu_reader, silver

AUTO = "auto"
OWN = (conllu_reader.TAGS, silver.TAGS, conllu_reader.OWN_TAGS)


def find(name: str = AUTO, split: str = "test") -> Data:
    """A set by its name.

    What it reads is a list of :class:`embryology.treebanks.Sentence`.

    Args:
        name: ``ewt`` (gold tags, from ``EMBRYOLOGY_DATA``), ``silver`` (spaCy's tags on held-out
            bundled articles), ``auto``: ``ewt`` where it is there, else ``silver``; the path of a CoNLL-U file,
            in which ``{split}`` stands for the split; or a plug-in's.
        split: ``train``, ``dev`` or ``test``; ``silver`` has only ``test``.

    Raises:
        EmbryologyError: there is no such set or split, or its data are not there.
    """
    if name == AUTO:
        data = data_folder()
        gold = data is not None and (data / conllu_reader.EWT).is_dir()
        name = (conllu_reader.TAGS if gold else silver.TAGS).name
    return chosen(registry.sources("treebank", OWN), name, split)
