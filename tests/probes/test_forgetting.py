"""The forgetting probe on a small run of two texts: against its own log, transformers, and plain counting."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForMaskedLM

from embryology.corpus import articles, store
from embryology.corpus import tokenizer as tokenizers
from embryology.errors import EmbryologyError
from embryology.models import remembering
from embryology.models.encoder import Encoder
from embryology.pretraining.objectives import IGNORED
from embryology.probes import forgetting, runner
from embryology.probes.forgetting import TAGS, ForgettingProbe
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import NotApplicable, registry
from embryology.specs.forgetting import ForgettingSettings
from tests.training import SHORT, small_preset, train

COVERS = ("embryology/runs/misfit.py", "embryology/specs/forgetting.py", "embryology/treebanks/universal.py")
ENGLISH = ("The/DET old/ADJ city/NOUN is/AUX large/ADJ ./PUNCT", "He/PRON wrote/VERB it/PRON in/ADP 1901/NUM ./PUNCT")
FRENCH = ("La/DET vieille/ADJ ville/NOUN est/AUX grande/ADJ ./PUNCT", "Il/PRON est/AUX né/VERB en/ADP 1901/NUM ./PUNCT")


def treebank(file, sentences, times=8):
    """CoNLL-U with universal tags."""
    blocks = []
    for number, sentence in enumerate(sentences * times, start=1):
        words = [word.rsplit("/", 1) for word in sentence.split()]
        lines = [f"{at}\t{form}\t_\t{tag}\t_\t_\t0\troot\t_\t_" for at, (form, tag) in enumerate(words, start=1)]
        blocks.append("\n".join([f"# sent_id = s-{number}", *lines]))
    file.write_text("\n\n".join(blocks) + "\n\n", encoding="utf-8")
    return str(file)


@pytest.fixture(scope="module")
def banks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("banks")
    for split, times in (("train", 20), ("test", 8)):
        treebank(folder / f"en-{split}.conllu", ENGLISH, times)
    return folder / "en-{split}.conllu", treebank(folder / "fr.conllu", FRENCH)


@pytest.fixture(scope="module")
def series(home):
    """English and French by turns."""
    french = home / "fr.txt"
    french.write_text(
        "\n\n".join(article.text for article in itertools.islice(articles.articles("bundled", "fr"), 300))
    )
    of_both = {
        "steps": 20,
        "mixture": [{"weight": 1}, {"corpus": {"source": "text", "path": str(french)}, "weight": 1}],
    }
    preset = small_preset(home, **SHORT, steps=20, checkpoints=[0, 20], phases=[of_both])
    return Series.open(train(preset, home / "runs" / "both").root)


def settings(banks, **changes):
    english, french = banks
    few = {"train": 30, "sentences": 12, "seeds": 1, "epochs": 4, "batch_size": 8, "learning_rate": 5e-3}
    return ForgettingSettings(**{"treebank": str(english), "other": french} | few | changes)


@pytest.fixture(scope="module")
def measured(series, banks):
    """By method the rows of the last checkpoint and its items."""
    chosen = settings(banks)
    examples = ForgettingProbe().prepare(chosen, tokenizers.load(series.folder.tokenizer), series)
    encoder = Encoder.load(series.checkpoints[-1], device="cpu")
    return examples, {part: ForgettingProbe().measure(encoder, examples, part) for part in ("plain-0", "gem-0")}


def value(rows, metric, group, baseline=None):
    (row,) = (r for r in rows if (r["metric"], r["group"], r["baseline"]) == (metric, group, baseline))
    return row


def test_what_is_lost_is_of_the_loss_that_the_run_itself_logged(measured, series):
    _, parts = measured
    last = series.losses.dropna(subset="held_out_masked_loss").iloc[-1]
    for part, (rows, _) in parts.items():
        before, after = (value(rows, "masked_loss", "en", baseline) for baseline in ("before", None))
        assert before["value"] == pytest.approx(last["held_out_masked_loss"], abs=2e-4)
        assert before["n"] == last["held_out_places"]
        assert value(rows, "masked_loss", "en", "unigram")["value"] == pytest.approx(last["unigram_loss"], abs=1e-5)
        for group in ("en", "fr"):
            before, after = (value(rows, "masked_loss", group, baseline)["value"] for baseline in ("before", None))
            lost = value(rows, "forgotten", group)
            assert lost["value"] == pytest.approx(after - before, abs=1e-6)
            assert lost["low"] < lost["value"] < lost["high"]
        assert {row["task"] for row in rows} == {part.partition("-")[0]}
    lost = {part: value(rows, "forgotten", "en")["value"] for part, (rows, _) in parts.items()}
    assert lost["plain-0"] > lost["gem-0"]


def test_the_loss_of_the_other_text_is_transformers_own(measured, series):
    examples, parts = measured
    model = AutoModelForMaskedLM.from_pretrained(series.checkpoints[-1].location).eval()
    losses = []
    with torch.no_grad():
        for batch in examples.held_out["fr"]:
            types, mask = batch.token_type_ids, batch.attention_mask.long()
            logits = model(input_ids=batch.input_ids, token_type_ids=types, attention_mask=mask).logits
            known = batch.labels != IGNORED
            logs = logits.flatten(0, 1)[batch.positions[known]].log_softmax(-1)
            losses += (-logs[range(len(logs)), batch.labels[known]]).tolist()
    assert value(parts["gem-0"][0], "masked_loss", "fr", "before")["value"] == pytest.approx(np.mean(losses), abs=2e-4)


def test_tags_stand_at_the_first_pieces_of_words_and_are_counted(measured, series, banks):
    examples, parts = measured
    tokenizer = tokenizers.load(series.folder.tokenizer)
    for tagged, sentences in ((examples.train, ENGLISH), (examples.tests["other"], FRENCH)):
        words = {tuple(word.rsplit("/", 1)) for sentence in sentences for word in sentence.split()}
        known = {(tokenizer.tokenize(form)[0], tag) for form, tag in words}
        labels = [row[: len(ids)] for row, ids in zip(tagged.labels, tagged.inputs.ids, strict=True)]
        told = {
            (tokenizer.convert_ids_to_tokens(ids[at]), TAGS[row[at]])
            for ids, row in zip(tagged.inputs.ids, labels, strict=True)
            for at in np.flatnonzero(row != IGNORED)
        }
        assert told == known
    assert len(examples.train.inputs) == 30
    rows, items = parts["plain-0"]
    for group in ("learnt", "other"):
        test, of_group = examples.tests[group], items[items["group"] == group]
        assert value(rows, "accuracy", group)["value"] == pytest.approx(of_group["correct"].mean())
        assert value(rows, "accuracy", group)["n"] == len(of_group) == (test.labels != IGNORED).sum()
        assert value(rows, "share_unaligned", group)["value"] == pytest.approx(1 - len(of_group) / test.words)
        gold, often = test.labels[test.labels != IGNORED], examples.train.labels[examples.train.labels != IGNORED]
        most = pd.Series(often).value_counts().idxmax()
        assert value(rows, "accuracy", group, "majority")["value"] == pytest.approx((gold == most).mean())
    assert value(rows, "accuracy", "learnt")["low"] > value(rows, "accuracy", "learnt", "majority")["value"]
    assert items["item_id"].is_unique
    assert items["source"].unique().tolist() == [
        "gold universal tags, en-train.conllu; gold universal tags, en-test.conllu; gold universal tags, fr.conllu"
    ]


def test_answers_are_the_classes_of_the_greatest_score_at_the_words_first_pieces(monkeypatch):
    labels = np.array([[IGNORED, 2, IGNORED, 0, IGNORED], [IGNORED, 1, IGNORED, IGNORED, IGNORED]])
    test = SimpleNamespace(inputs=None, labels=labels)
    scores = [np.eye(3)[[0, 2, 0, 1, 0]], np.eye(3)[[0, 1, 2]]]
    monkeypatch.setattr("embryology.models.finetuning.scores_of_places", lambda *_: scores)
    right, often = forgetting._answers(None, test, SimpleNamespace(labels=np.array([[1, IGNORED, 1, 2]])))
    assert (right.tolist(), often.tolist()) == ([True, False, True], [False, False, True])


def test_what_is_remembered_is_of_every_text_in_turn_and_masked_as_what_is_asked(measured, series):
    examples, _ = measured
    from embryology.corpus import several

    texts = several.of_run(series.folder)
    tokenizer = tokenizers.load(series.folder.tokenizer)
    for number, text in ((0, texts.own), (1, texts.others[0]), (2, texts.own), (3, texts.others[0])):
        batch = examples.remembered.part(0, range(number, number + 1))
        ids, known = batch.input_ids[0].clone(), batch.labels != IGNORED
        assert (ids[batch.positions[known]] == tokenizer.mask_token_id).all()
        ids[batch.positions[known]] = batch.labels[known]
        pieces = ids.tolist()[1 : ids.tolist().index(tokenizer.sep_token_id)]
        whole = " ".join(map(str, text.train.pieces))
        assert f" {' '.join(map(str, pieces))} " in f" {whole} "
    batch = examples.remembered.part(0, range(240, 270))
    assert batch.pair_labels.eq(IGNORED).all()


def test_cells_are_kept_and_the_tables_of_a_series_hold_every_method(series, banks):
    asked = settings(banks, methods=("replay",), seeds=2, epochs=1)
    assert runner.run_probes(series, {"forgetting": asked}, device="cpu", steps="20") == 1
    rows = measurements.read(series, "forgetting")
    assert set(rows["seed"]) == {0, 1}
    assert rows[rows["baseline"] == "majority"]["seed"].unique().tolist() == [0]
    assert set(rows["unit"]) == {"word", "sentence", "sequence"}
    learnt, other = measurements.standing(series.folder)["forgetting"].data["train"], "fr"
    assert (learnt["language"], other) == ("en", "fr")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share": 0}, "share: .*greater than 0"),
        ({"share": 1}, "share: .*less than 1"),
        ({"share": 0.02}, "a share of 0.02 beside 32 sentences is less than one remembered sequence a step"),
        ({"treebank": "ewtt"}, "no treebank 'ewtt' with universal tags"),
        ({"methods": ["ewc"]}, r"methods\.0: .*'plain', 'replay' or 'gem'"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(changes, message):
    with pytest.raises(EmbryologyError, match=message) as caught:
        registry.settings_of("forgetting", changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"other": "en-test"}, "is in 'en', as the one whose tags are learnt; give one in another language"),
        ({"treebank": "en-test"}, r"needs \{split\} in its path, as tags are learnt from one split"),
        ({"other": "gone"}, "there is no treebank at"),
        ({"other": "penn"}, "word 1 has no form or no universal tag"),
        ({"other": "unknown"}, "'DT' is none of the universal tags"),
    ],
)
def test_treebanks_that_do_not_fit_are_named_in_one_line(changes, message, banks, series):
    folder = banks[0].parent
    treebank(folder / "unknown.conllu", [FRENCH[0].replace("DET", "DT")])
    (folder / "penn.conllu").write_text((folder / "fr.conllu").read_text().replace("\tDET\t_", "\t_\tDT"))
    asked = settings(banks, **{key: str(folder / f"{name}.conllu") for key, name in changes.items()})
    tokenizer = tokenizers.load(series.folder.tokenizer)

    def all_of_it():
        ForgettingProbe().inputs(asked, series)
        ForgettingProbe().prepare(asked, tokenizer, series)

    with pytest.raises(EmbryologyError, match=message) as caught:
        all_of_it()
    assert "\n" not in str(caught.value)


def test_without_the_text_of_the_run_it_does_not_apply(series, banks, monkeypatch):
    monkeypatch.setattr(store, "all_prepared", list)
    assert ForgettingProbe().inputs(settings(banks), series)["text"] is None
    with pytest.raises(NotApplicable, match="text that it was trained on is not at hand"):
        ForgettingProbe().prepare(settings(banks), tokenizers.load(series.folder.tokenizer), series)


def test_a_head_of_another_kind_does_not_apply(measured):
    model = torch.nn.Module()
    assert remembering.masked_head(model) is None
    with pytest.raises(NotApplicable, match="not that of ALBERT or BERT"):
        ForgettingProbe().measure(SimpleNamespace(model=model), measured[0], "plain-0")
