"""The page on test text that was trained on says what known items do."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import overlap
from embryology.figures import overlap as drawn
from embryology.runs import properties
from tests.figures.reading import cells_of
from tests.synthetic import make_run


def task(probe, name, items, overlapping, score, without, ends=(np.nan, np.nan), shares=(0.5, 0.25), units=7):
    values = {"probe": probe, "task": name, "sentence": shares[0], "ngram": shares[1], "items": items}
    values |= {"overlapping": overlapping, "units": units, "score": score, "without": without}
    return values | {"difference": score - without, "low": ends[0], "high": ends[1]}


@pytest.fixture
def table():
    """The largest share overlaps in one task, most items in another, and in a third scores change most: they rise."""
    return pd.DataFrame(
        [
            task("tokens", "reconstruction", 1000, 100, 0.5, 0.48, (0.01, 0.0325), (np.nan, 0.125)),
            task("tokens", "mask-prediction", 100, 20, 0.4, 0.4),
            task("knowledge", "trex", 200, 2, 0.25, 0.28),
            task("knowledge", "pararel", 50, 0, 0.25, 0.25),
            task("finetune", "STS-B", 10, 1, np.nan, np.nan),
        ]
    )


def test_prose_tells_the_largest_share_and_the_largest_change_with_its_sign(table):
    assert drawn._sentence(table) == (
        "Most of it is in mask prediction, where 20 of 100 items share text with what the model was trained on. "
        "Without such items the share of right answers changes most for LAMA T-REx, by +3.00 points."
    )
    assert "most for reconstruction, by -2.00 points" in drawn._sentence(table[table["task"] != "trex"])
    assert drawn._sentence(table[4:]).endswith("what the model was trained on.")
    hardly = drawn._sentence(table.assign(difference=-1e-6))
    assert hardly.endswith("Without such items no share of right answers changes by 0.01 points.")
    assert "changes most" in drawn._sentence(table.assign(difference=-1e-4))


def test_scores_are_told_with_and_without_and_their_interval(table, monkeypatch):
    monkeypatch.setattr(overlap, "table", lambda *_: table)
    rows = cells_of(drawn.scores(None).data)
    assert rows == [
        ["tokens: reconstruction", "100 of 1,000, in 7 documents", "50.0%", "48.0%", "+2.00 (+1.00 to +3.25)"],
        ["tokens: mask prediction", "20 of 100, in 7 documents", "40.0%", "40.0%",
         f"+0.00 (fewer than {overlap.FEWEST} documents, no interval)"],
        ["knowledge: LAMA T-REx", "2 of 200, in 7 passages", "25.0%", "28.0%",
         f"-3.00 (fewer than {overlap.FEWEST} passages, no interval)"],
        ["finetune: similarity (STS-B)", "1 of 10, in 7 passages", "not right or wrong", "not right or wrong",
         "cannot be told"],
    ]  # fmt: skip


def test_a_task_of_a_set_names_both():
    rows = [("edges", "gold/ewt/pos"), ("edges", "ewt/role"), ("tokens", "reconstruction"), ("edges", "ewt/unknown")]
    assert [drawn._label(pd.Series(row, ["probe", "task"])) for row in rows] == [
        "part of speech (gold/ewt)", "semantic role (ewt)", "reconstruction", "unknown (ewt)",
    ]  # fmt: skip


def test_shares_have_sentences_first_and_a_column_a_series(table, monkeypatch):
    one, other = table.assign(series="one"), table[:2].assign(series="other", ngram=0.0625)
    monkeypatch.setattr(overlap, "shares", lambda series: pd.concat([one, other]))
    rows = {row[0]: row[1:] for row in cells_of(drawn.shares([]).data)}
    assert rows["tokens: reconstruction"] == ["too short, 12.5%", "too short, 6.2%"]
    assert rows["tokens: mask prediction"] == ["50.0%, 25.0%", "50.0%, 6.2%"]
    assert rows["knowledge: ParaRel"] == ["50.0%, 25.0%", "not counted"]


def test_facts_of_held_out_articles_that_stand_elsewhere_are_told(table, monkeypatch):
    monkeypatch.setattr(overlap, "table", lambda *_: table)
    monkeypatch.setattr(overlap, "held_out_facts", lambda _: (1200, 31))
    assert drawn.numbers(None)["held_out_facts"] == (
        "Of 1,200 facts whose article was kept out of training, the names of 31 stand together in a sentence of "
        "another one."
    )


def test_a_run_is_read_with_its_counts(series):
    values = drawn.numbers(series)
    assert values["overlap"].startswith("Most of it is in ")
    assert values["held_out_facts"] == "No fact of an article that was kept out of training was asked for."
    # Of 20 sentences every fourth stands in the training text, half of those as a whole.
    assert {row[0]: row[1] for row in cells_of(drawn.shares([series]).data)} == {
        "tokens: reconstruction": "15.0%, 25.0%",
        "tokens: mask prediction": "15.0%, 25.0%",
        "knowledge: LAMA T-REx": "too short, too short",
    }


def test_where_nothing_overlaps_that_is_one_sentence(tmp_path):
    run = make_run(tmp_path / "run", sentences=20, steps=(0, 20))
    for probe in ("tokens", "knowledge"):
        table = properties.read(run, probe, "overlap").assign(sentence=False, ngram=False)
        file = next(run.folder.measurements.glob(f"{probe}/*/properties/overlap-1.parquet"))
        table.to_parquet(file)
    assert drawn.numbers(run)["overlap"] == "No sentence and no 13 words of any item stand in the training text."
    assert drawn.scores(run).data == "<p>Nothing overlaps, so that there is no score to tell without it.</p>"
