"""The front page, of a series of which anything may be unmeasured."""

import re
from types import SimpleNamespace

import pandas as pd

from embryology.figures import front
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.storage.files import read_json, write_json
from tests.synthetic import make_run


def test_the_front_page_tells_what_was_measured_and_why_there_is_no_more(tmp_path):
    series = make_run(tmp_path / "bert", sentences=30)
    assert 'id="figure-learning-order"' in front.order(series).data
    whole = front.findings(series).data.splitlines()
    assert len(whole) == 6
    assert whole[0].startswith("- After 2,000 steps (4,096,000 tokens), of words that are given, 8 of 9 groups (")
    assert "NNP" not in whole[0]
    assert re.search(r"final accuracy come determiners.* and nouns together\.$", whole[0])
    assert "The two have Kendall's τ = " in whole[1]
    assert whole[2].startswith("- Is it just frequency? Ranked by how often the training text has their words")
    assert whole[5].startswith(
        "- On text it never saw, the held-out loss is within 0.1 nats of the unigram line from step "
    )
    early = front.findings(series, "0,20,40").data
    assert early.startswith("- After 40 steps (81,920 tokens)")
    assert "is not told: when words are acquired cannot be told from 3 checkpoints; it takes 4." in early
    series.folder.losses.unlink()
    without_losses = Series.open(series.folder.root)
    assert front.findings(without_losses).data.splitlines() == whole[:5]
    series.folder.standing.unlink()
    reason = "<p>Not drawn for bert: probe tokens has not measured it (embryology probe RUN --probe tokens).</p>"
    assert front.order(without_losses).data == reason
    assert front.findings(without_losses).data == "Neither its losses nor its words were measured."


def test_without_losses_the_last_checkpoint_tells_how_long_it_was_trained():
    frame, none = (
        pd.DataFrame({"series": "run", "step": [0, 2000, 1000], "tokens": [0.0, 4_096_000.0, 5.0]}),
        pd.DataFrame(),
    )

    def said(unit, tokens=float("nan")):
        return front._read(SimpleNamespace(unit=unit), frame.assign(tokens=tokens), none)

    assert said("step", frame["tokens"]) == "2,000 steps (4,096,000 tokens)"
    counted = ["step", "tokens", "words", "epochs", "order"]
    expected = ["2,000 steps", "2,000 tokens", "2,000 words", "2,000 epochs", "3 checkpoints"]
    assert [said(unit) for unit in counted] == expected


def test_of_a_model_without_words_the_front_page_tells_what_classifiers_read(tmp_path):
    series = make_run(tmp_path / "electra", steps=(0, 20, 2000), sentences=3)
    record = read_json(series.folder.standing)
    write_json(series.folder.standing, {name: record[name] for name in record if name != "tokens"})
    series.folder.losses.unlink()
    said = front.findings(Series.open(series.folder.root)).data
    frame = measurements.read(series, "edges")
    last = frame[(frame["step"] == 2000) & (frame["metric"] == "f1_micro") & (frame["group"] == "")]
    layers = last[last["baseline"].isna() & last["layer"].notna()]
    best = int(layers.groupby("layer")["value"].mean().idxmax())
    assert f"labels linear classifiers read from its layer {best}, 2 end above every baseline: " in said
    assert said.count("(made-up)") == 2
    assert "entity" not in said, "it ends below the majority"
