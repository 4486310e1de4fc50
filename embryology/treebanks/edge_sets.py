"""The sets of sentences with edges by name, of this package and of plug-ins."""

from embryology.errors import EmbryologyError
from embryology.specs import registry
from embryology.specs.sources import Source, chosen
from embryology.treebanks import conllu_reader, gum, jsonl, ontonotes, propbank, silver
from embryology.treebanks.sets import EdgeSet

OWN = (
    conllu_reader.EDGES,
    propbank.SOURCE,
    *gum.SOURCES,
    ontonotes.SOURCE,
    silver.EDGES,
    conllu_reader.OWN_EDGES,
    jsonl.SOURCE,
)


def sources() -> dict[str, Source]:
    """The sets by name, whether they are there or not."""
    return registry.sources("edges", OWN)


def find(name: str, split: str = "test") -> EdgeSet:
    """A set by its name.

    Args:
        name: ``ewt`` (tags and dependencies), ``ewt-propbank`` (tags, constituents and roles), ``gum`` and
            ``gentle`` (tags, dependencies, entities, coreference), ``ontonotes`` (all but dependencies), ``silver``
            (spaCy's tags, dependencies and entities on held-out bundled articles), a path that ends in ``.conllu``,
            with ``{split}`` in it (tags and dependencies), ``TASK:PATH`` for files in jiant's format, or a plug-in's.
        split: ``train``, ``dev`` or ``test``; ``gentle`` has only ``test``, ``ontonotes`` ``conll-2012-test`` too.

    Raises:
        EmbryologyError: there is no such set or split, or its data are not there.
    """
    found = chosen(sources(), name, split)
    if not isinstance(found, EdgeSet):
        raise EmbryologyError(f"the edge set {name!r} of a plug-in is no EdgeSet of embryology.treebanks.sets")
    return found
