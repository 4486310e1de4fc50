"""Where minimal pairs come from: BLiMP's files, and rules on tagged sentences, against what a person reads there."""

import gzip
import json
from collections import Counter

import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.grammar import Pair, blimp, pair_sets, silver
from embryology.grammar.questions import SAME, SAME_PIECES, TOO_LONG, UNKNOWN, ask
from embryology.grammar.rules import changes
from embryology.treebanks import Sentence, Word
from tests.grammar_pairs import SENTENCES, line, write

COVERS = (
    "embryology/grammar/blimp.py",
    "embryology/grammar/pair_sets.py",
    "embryology/grammar/questions.py",
    "embryology/grammar/rules.py",
    "embryology/grammar/silver.py",
)


def tagged(text):
    """A sentence of words such as ``city/NN``, with spaces between, and ``,/,`` and ``./.`` right behind a word."""
    words, plain = [], ""
    for token in text.split():
        form, _, tag = token.rpartition("/")
        plain += "" if not plain or form in ".," else " "
        words.append(Word(form, len(plain), len(plain) + len(form), tag))
        plain += form
    return Sentence("s-1", plain, tuple(words))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The/DT old/JJ city/NN is/VBZ in/IN the/DT north/NN ./.",
            {
                ("verb-singular", "The old city are in the north."),
                ("order-preposition-article", "The old city is the in north."),
                ("order-article-noun", "The old city is in north the."),
            },
        ),
        ("They/PRP were/VBD kings/NNS ./.", {("verb-plural", "They was kings."), ("pronoun-plural", "It were kings.")}),
        (
            "It/PRP carries/VBZ water/NN ./.",
            {("verb-singular", "It carry water."), ("pronoun-singular", "They carries water.")},
        ),
        ("Rivers/NNS carry/VBP it/PRP ./.", {("verb-plural", "Rivers carries it.")}),
        ("Dogs/NNS reach/VBP us/PRP ./.", {("verb-plural", "Dogs reaches us.")}),
        ("He/PRP uses/VBZ it/PRP ./.", {("pronoun-singular", "They uses it.")}),  # "use" or "us"
        ("He/PRP wrote/VBD it/PRP ./.", set()),
        ("You/PRP are/VBP here/RB ./.", set()),  # plural, of one person
        ("They/NNP are/VBP here/RB ./.", {("verb-plural", "They is here.")}),  # tagged as a name
        ("Two/CD old/JJ books/NNS fell/VBD ./.", {("determiner-plural", "One old books fell.")}),
        ("That/DT book/NN fell/VBD ./.", {("determiner-singular", "Those book fell.")}),
        ("That/DT city/NN council/NN fell/VBD ./.", set()),  # which noun it goes with is not looked at
        ("Two/CD species/NNS fell/VBD ./.", set()),
        ("Each/DT man/NN or/CC woman/NN fell/VBD ./.", set()),
        ("He/PRP 's/VBZ here/RB ./.", {("pronoun-singular", "They 's here.")}),
    ],
)  # fmt: skip
def test_rules_make_what_a_person_would(text, expected):
    sentence = tagged(text)
    made = silver.pairs([sentence])
    assert {(pair.paradigm, pair.bad) for pair in made} == expected
    assert len(made) == len(list(changes(sentence)))
    for pair in made:
        assert pair.good == sentence.text
        assert pair.unit == "s-1"
        if pair.paradigm.startswith("order"):
            assert pair.critical is None
            assert (
                Counter(pair.bad.split())
                != Counter()
                == Counter(pair.good.strip(".").split()) - Counter(pair.bad.strip(".").split())
            )
        else:
            (start, end), (also, bad_end) = pair.critical
            assert start == also
            assert pair.good[:start] + pair.bad[also:bad_end] + pair.good[end:] == pair.bad


def test_both_directions_have_as_many_pairs_those_of_short_sentences(monkeypatch):
    def pair(paradigm, number, words):
        return Pair(f"{paradigm}:{number}", "p", paradigm, "a " * words, "b", str(number))

    made = [pair("verb-singular", n, 9 - n) for n in range(5)] + [pair("verb-plural", n, 5) for n in range(2)]
    made += [pair("order-article-noun", n, n) for n in range(4)] + [pair("pronoun-plural", 0, 5)]
    kept = silver.balanced(made)
    assert Counter(each.paradigm for each in kept) == {"verb-singular": 2, "verb-plural": 2, "order-article-noun": 4}
    assert {each.id for each in kept if each.paradigm == "verb-singular"} == {"verb-singular:4", "verb-singular:3"}
    assert kept == [each for each in made if each in kept]
    monkeypatch.setattr(silver, "MOST", 3)
    order = [each.id for each in silver.balanced(made) if each.paradigm == "order-article-noun"]
    assert order == ["order-article-noun:0", "order-article-noun:1", "order-article-noun:2"]


def test_the_silver_set_is_short_balanced_and_of_held_out_sentences():
    data = pair_sets.find("silver")
    pairs = data.read().pairs
    counts = Counter(pair.paradigm for pair in pairs)
    for rule in ("verb", "determiner", "pronoun"):
        assert counts[f"{rule}-singular"] == counts[f"{rule}-plural"] > 10
    assert max(counts.values()) <= silver.MOST
    assert len({pair.id for pair in pairs}) == len(pairs)
    assert all(5 <= len(pair.good.split()) <= 20 and pair.good.endswith(".") for pair in pairs)
    assert "silver" in data.label
    assert data.identity()["rules"] == silver.VERSION


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    return write(tmp_path / blimp.PLACE)


def test_blimp_is_read_with_its_critical_words(folder):
    reading = pair_sets.find("blimp").read()
    assert pair_sets.counted(reading) == {"phenomena": 2, "paradigms": 2, "pairs": 7}
    assert [(pair.good, pair.bad) for pair in reading.pairs] == [pair[:2] for own in SENTENCES.values() for pair in own]
    assert {pair.phenomenon for pair in reading.pairs} == {"agreement", "argument_structure"}
    for pair, (good, bad, _, word_good, word_bad) in zip(reading.pairs, SENTENCES["agreement_1"], strict=False):
        (start, end), (also, bad_end) = pair.critical
        assert (good[start:end], bad[also:bad_end]) == (word_good, word_bad)
    assert reading.pairs[-1].critical is None
    assert reading.pairs[0].id == reading.pairs[0].unit == "agreement_1:0"


def test_the_shared_word_behind_two_prefixes_is_critical(folder):
    record = line("agreement_1", 0, "Those boys left.", "That boys left.")
    record |= {"two_prefix_prefix_good": "Those", "two_prefix_prefix_bad": "That", "two_prefix_word": " boys"}
    with gzip.open(folder / "data" / "agreement_1.jsonl.gz", "wt") as file:
        file.write(json.dumps(record))
    (folder / "data" / "agreement_1.jsonl").unlink()
    first = blimp.read(folder).pairs[0]
    assert first.critical == ((6, 10), (5, 9))


def test_published_scores_are_read_without_their_means(folder):
    (folder / "scores").mkdir()
    scores = {"UID": "agreement_1", "ngram": 0.4, "lstm": 0.5, "txl": 0.6, "gpt2": 0.9}
    lines = [scores, scores | {"UID": "overall"}]
    (folder / "scores" / "models_summary.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (folder / "scores" / "human_validation_summary.csv").write_text(
        "Condition,accepted,total_mean,count\norder_1,5,.94,80\n"
    )
    got = [(each.who, each.paradigm, each.accuracy, each.n) for each in blimp.read(folder).published]
    of_models = [("ngram", 0.4), ("lstm", 0.5), ("transformer-xl", 0.6), ("gpt2", 0.9)]
    assert got == [*((who, "agreement_1", right, 1000) for who, right in of_models), ("people", "order_1", 0.94, 80)]
    (folder / "scores" / "models_summary.jsonl").write_text('{"UID": "a"}')
    with pytest.raises(EmbryologyError, match=r"models_summary\.jsonl does not hold scores"):
        blimp.read(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sentence_bad": None}, r"agreement_1.jsonl, line 2: sentence_bad: Input should be a valid string"),
        ({"linguistics_term": ...}, r"agreement_1.jsonl, line 2: linguistics_term: Field required"),
        ({"UID": "other"}, r"agreement_1.jsonl, line 2: the UID is 'other', and not the name of the file"),
        ({"pairID": "0"}, r"agreement_1.jsonl, line 2: the pairID '0' comes twice"),
    ],
)
def test_malformed_lines_are_refused(folder, change, message):
    file = folder / "data" / "agreement_1.jsonl"
    lines = file.read_text().splitlines()
    record = {key: value for key, value in (json.loads(lines[1]) | change).items() if value is not ...}
    file.write_text("\n".join([lines[0], json.dumps(record), *lines[2:]]))
    with pytest.raises(EmbryologyError, match=message):
        blimp.read(folder)


def test_empty_and_missing_files_are_refused_and_bad_lines_can_be_skipped(folder, monkeypatch, tmp_path):
    file = folder / "data" / "agreement_1.jsonl"
    file.write_text(file.read_text() + "{}\n")
    reading = blimp.read(folder, skip_bad=True)
    assert (len(reading.pairs), reading.skipped) == (7, {"malformed line": 1})
    file.write_text("\n")
    with pytest.raises(EmbryologyError, match=r"agreement_1\.jsonl holds no pairs; remove it"):
        blimp.read(folder)
    with pytest.raises(EmbryologyError, match=r"holds no \.jsonl files of minimal pairs"):
        blimp.read(tmp_path)
    monkeypatch.delenv("EMBRYOLOGY_DATA")
    with pytest.raises(EmbryologyError, match=r"the minimal pairs 'blimp' need grammar/blimp/data"):
        pair_sets.find("blimp")
    assert not pair_sets.is_there("blimp")


def test_counts_are_printed_and_held_against_those_known(folder, capsys):
    with pytest.raises(
        EmbryologyError, match="3 known counts do not hold: blimp has 2 paradigms instead of 67; blimp has"
    ):
        pair_sets.check(Console())
    assert "blimp: phenomena 2, paradigms 2, pairs 7" in capsys.readouterr().out


def test_what_a_check_skips_is_printed(folder, capsys):
    file = folder / "data" / "agreement_1.jsonl"
    file.write_text(file.read_text() + "{}\n")
    with pytest.raises(EmbryologyError, match="known counts do not hold"):
        pair_sets.check(Console(), skip_bad=True)
    assert "  skipped: malformed line 1" in capsys.readouterr().out.splitlines()


def test_pairs_that_cannot_be_asked_are_counted_by_reason(tokenizer):
    texts = {
        SAME: ("It is one.", "It is one."),
        SAME_PIECES: ("It is one.", "it is one."),
        UNKNOWN: ("It is 水.", "It are one."),
        TOO_LONG: ("It is one.", "It is " + "one " * 80),
        "": ("It is one.", "It are one."),
    }
    pairs = [Pair(reason, "made up", "p", good, bad, reason) for reason, (good, bad) in texts.items()]
    excluded = Counter()
    (asked,) = ask(pairs, tokenizer, 64, excluded)
    assert asked.pair.id == ""
    assert excluded == {("p", reason): 1 for reason in texts if reason}
    longest = max(len(tokenizer(text)["input_ids"]) for text in texts[""])
    assert len(ask(pairs[-1:], tokenizer, longest, Counter())) == 1
    assert ask(pairs[-1:], tokenizer, longest - 1, excluded) == []
    assert ask([], tokenizer, 64, excluded) == []
