"""The tokens probe on answers that are planted: rows and their intervals by plain counting, and what is asked."""

from collections import Counter, defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from embryology import intervals
from embryology.models.encoder import Predictions
from embryology.probes import tokens
from embryology.probes.tokens import TokensProbe
from embryology.runs import measurements
from embryology.specs.tokens import TokensSettings
from embryology.treebanks import Sentence, Word

COVERS = ("embryology/probes/tokens.py",)
FORMS = ("the", "city", ",", "of", "unbelievable", "music", ",", "Norwegian", ",", "sea")
TAGS = {"the": "DT", "of": "IN", ",": ",", "Norwegian": "JJ", "unbelievable": "JJ"}


def sentence(number, rng):
    text, words = "", []
    for form in rng.permutation(FORMS)[: int(rng.integers(4, 10))]:
        words.append(Word(str(form), len(text), len(text) + len(form), TAGS.get(str(form), "NN")))
        text += f"{form} "
    return Sentence(f"s-{number}", text.rstrip(), tuple(words))


@pytest.fixture(scope="module")
def sentences():
    rng = np.random.default_rng(0)
    return [sentence(number, rng) for number in range(30)]


def planted(ids, place, target):
    """Whether a piece is told, and how likely it is: by what is shown and where alone."""
    draw = np.random.default_rng([place, target, *ids])
    return draw.random() < 0.6, float(draw.normal(-3))


class Encoder:
    def __init__(self):
        self.asked, self.precisions = [], []

    def predict(self, sequences, places, targets, precision="float32"):
        self.precisions.append(precision)
        self.asked.append((sequences, places, targets))
        flat = [
            (*planted(ids, place, target), target)
            for ids, at, true in zip(sequences, places, targets, strict=True)
            for place, target in zip(at, true, strict=True)
        ]
        top = np.array([target if told else 0 for told, _, target in flat])
        return Predictions(top, np.array([log_probability for _, log_probability, _ in flat], np.float32))


@pytest.fixture
def probe(sentences, monkeypatch):
    """Finds the sentences in the split ``dev`` alone."""
    splits = {"dev": sentences, "test": []}
    monkeypatch.setattr(
        tokens.catalogue,
        "find",
        lambda name="auto", split="test": SimpleNamespace(
            name="made", label=f"made up {split}", read=lambda: splits[split], identity=lambda: {"split": split}
        ),
    )
    return TokensProbe()


def measured(probe, tokenizer, series, **settings):
    encoder = Encoder()
    asked = TokensSettings(**{"split": "dev"} | settings)
    rows, items = probe.measure(encoder, probe.prepare(asked, tokenizer, series))
    return rows, items, encoder


def words_by_hand(sentences, tokenizer):
    """By task a dictionary a word, all of them in their order; these texts are cut at spaces alone."""
    found = {"reconstruction": [], "mask-prediction": []}
    for number, one in enumerate(sentences):
        ids, spans = [tokenizer.cls_token_id], []
        for word in one.words:
            pieces = tokenizer(word.form, add_special_tokens=False)["input_ids"]
            spans.append(range(len(ids), len(ids) + len(pieces)))
            ids += pieces
        ids.append(tokenizer.sep_token_id)
        assert ids == tokenizer(one.text)["input_ids"]
        for place, (word, span) in enumerate(zip(one.words, spans, strict=True), start=1):
            copy = [tokenizer.mask_token_id if i in span else piece for i, piece in enumerate(ids)]
            for task, shown in (("reconstruction", ids), ("mask-prediction", copy)):
                told = [planted(shown, i, ids[i]) for i in span]
                found[task].append(
                    {
                        "item_id": f"{one.id}:{place}",
                        "sentence": number,
                        "group": word.tag,
                        "form": word.form,
                        "correct": all(right for right, _ in told),
                        "log_probability": np.mean([value for _, value in told]),
                    }
                )
    for words in found.values():
        by_group = defaultdict(Counter)
        for word in words:
            by_group[word["group"]][word["form"]] += 1
        frequent = sum((by_group[group] for group in by_group if group != ","), Counter()).most_common(1)[0][0]
        for word in words:
            word["most-frequent-word"] = word["form"] == frequent
            word["most-frequent-in-group"] = word["form"] == by_group[word["group"]].most_common(1)[0][0]
    return found


def ends_over_sentences(of_units, words, name):
    sums, counts = defaultdict(float), defaultdict(int)
    for word in words:
        sums[word["sentence"]] += float(word[name])
        counts[word["sentence"]] += 1
    return of_units(np.array([sums[unit] for unit in counts]), np.array([counts[unit] for unit in counts]))


def test_every_row_is_its_words_counted(probe, sentences, tokenizer, tiny_series, tmp_path):
    rows, items, _ = measured(probe, tokenizer, tiny_series, seed=6)
    names = {"series": "s", "step": 0, "tokens": 0, "model": "m", "objective": "masked", "probe": "tokens", "key": "k"}
    measurements.write(tmp_path / "rows.parquet", [one | names for one in rows])
    found = {tuple(one[name] for name in ("task", "group", "metric", "baseline")): one for one in rows}
    assert len(found) == len(rows)
    assert {one["seed"] for one in rows} == {6}
    alignment = found.pop(("alignment", "", "share_unaligned", None))
    assert (alignment["value"], alignment["n"], alignment["unit"]) == (0, sum(len(s.words) for s in sentences), "word")
    for task, words in words_by_hand(sentences, tokenizer).items():
        own = items[items["task"] == task].to_dict("records")
        for word, item in zip(words, own, strict=True):
            for name in ("item_id", "group", "correct", "most-frequent-word", "most-frequent-in-group"):
                assert word[name] == item[name], (name, word)
            assert word["log_probability"] == pytest.approx(item["log_probability"], abs=1e-5)
            assert item["source"] == "made up dev"
        for tag in ("", *dict.fromkeys(word["group"] for word in words)):
            there = [word for word in words if tag in ("", word["group"])]
            for baseline in (None, "most-frequent-word", "most-frequent-in-group"):
                name = baseline or "correct"
                one, right = found.pop((task, tag, "accuracy", baseline)), sum(word[name] for word in there)
                if tag:
                    ends, unit = proportion_confint(right, len(there), method="wilson"), "word"
                else:
                    ends, unit = ends_over_sentences(intervals.of_share, there, name), "sentence"
                assert (one["value"], one["n"], one["unit"]) == (pytest.approx(right / len(there)), len(there), unit)
                assert (one["low"], one["high"]) == pytest.approx(tuple(map(float, ends)), abs=1e-9)
            one = found.pop((task, tag, "log_probability", None))
            assert one["value"] == pytest.approx(np.mean([word["log_probability"] for word in there]), abs=1e-5)
            ends = ends_over_sentences(intervals.of_mean, there, "log_probability")
            assert (one["low"], one["high"]) == pytest.approx(tuple(map(float, ends)), abs=1e-5)
            assert (one["n"], one["unit"]) == (len(there), "sentence")
    assert not found


def test_words_are_asked_as_the_settings_say(probe, sentences, tokenizer, tiny_series, monkeypatch):
    _, _, encoder = measured(probe, tokenizer, tiny_series, precision="bfloat16")
    assert encoder.precisions == ["bfloat16"] * 2
    (plain, _, _), (masked, places, targets) = encoder.asked
    assert len(plain) == len(sentences)
    assert all(tokenizer.mask_token_id not in ids for ids in plain)
    assert max(map(len, places)) > 1
    for ids, at in zip(masked, places, strict=True):
        assert [i for i, piece in enumerate(ids) if piece == tokenizer.mask_token_id] == list(at)
    assert sum(map(len, targets)) == sum(len(ids) - 2 for ids in plain)

    monkeypatch.setattr(tokens, "longest_input", lambda *_: 9)
    rows, _, encoder = measured(probe, tokenizer, tiny_series)
    assert max(map(len, encoder.asked[0][0])) == 9
    share = next(one for one in rows if one["metric"] == "share_unaligned")
    assert 0 < share["value"] < 1
    assert share["n"] == sum(len(one.words) for one in sentences)
    scored = share["n"] - round(share["value"] * share["n"])
    assert scored == sum(one["n"] for one in rows if one["metric"] == "accuracy" and not one["group"]) / 6


def test_sentences_and_words_are_drawn_by_seed(probe, tokenizer, tiny_series):
    def drawn(**settings):
        examples = probe.prepare(TokensSettings(split="dev", **settings), tokenizer, tiny_series)
        return list(dict.fromkeys(examples.words["sentence"])), examples.masked.tolist()

    assert drawn(sentences=8) != drawn(sentences=8, seed=1)
    assert len(drawn(sentences=8)[0]) == 8
    assert drawn(sentences=8)[0] != [f"s-{number}" for number in range(8)]  # and not the first
    assert drawn(mask_words_per_tag=3)[1] != drawn(mask_words_per_tag=3, seed=1)[1]
    assert len(drawn(mask_words_per_tag=3)[1]) == 3 * 5


def test_texts_are_those_of_all_words_whatever_is_drawn(probe, sentences, tokenizer, tiny_series):
    texts = probe.texts(TokensSettings(split="dev", sentences=3), tokenizer, tiny_series)
    expected = [
        (f"{one.id}:{i}", one.text, word.form) for one in sentences for i, word in enumerate(one.words, start=1)
    ]
    assert list(texts[["item_id", "text", "word"]].itertuples(index=False, name=None)) == expected
    for row in texts.itertuples():
        assert list(row.pieces) == tokenizer(row.word, add_special_tokens=False)["input_ids"]
        assert list(row.context) == tokenizer(row.text, add_special_tokens=False)["input_ids"]
        assert row.context[row.place : row.place + len(row.pieces)] == row.pieces
    assert texts.groupby("text")["place"].apply(lambda places: places.is_monotonic_increasing).all()


def test_the_key_names_the_split(probe, tiny_series):
    found = [probe.inputs(TokensSettings(split=split), tiny_series) for split in ("dev", "test")]
    assert [each["split"] for each in found] == ["dev", "test"]
