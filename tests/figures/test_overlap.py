"""The page on test text that was trained on says what known items do."""

from embryology.analysis import overlap
from embryology.figures import overlap as drawn
from embryology.runs import properties
from tests.synthetic import make_run


def test_what_overlaps_is_said_with_the_change_of_scores(series):
    values = drawn.numbers(series)
    assert "5 of 20" not in values["overlap"]
    assert values["overlap"].startswith("Most of it is in ")
    table = overlap.table(series)
    change = table.loc[table["difference"].abs().idxmax(), "difference"]
    assert f"by {-100 * change:+.2f} points" in values["overlap"]
    hardly = drawn._sentence(table.assign(difference=-1e-6))
    assert hardly.endswith("Without such items no share of right answers changes by 0.01 points.")
    assert values["held_out_facts"] == "No fact of an article that was kept out of training was asked for."


def test_tables_have_sets_by_training_text_and_scores_of_what_overlaps_alone(series, tmp_path):
    other = make_run(tmp_path / "other", sentences=20, steps=(0, 20))
    shares = drawn.shares([series, other]).data
    assert shares.count("<tr") == 4  # reconstruction, mask prediction and facts
    assert "<th>synthetic</th>" in shares
    assert "<th>other</th>" in shares
    assert "15.0%, 25.0%" in shares
    assert "too short, too short" in shares
    scores = drawn.scores(series).data
    assert scores.count("<tr") == 3
    assert "in 5 documents" in scores
    assert "fewer than 30 documents, no interval" in scores


def test_where_nothing_overlaps_that_is_one_sentence(tmp_path):
    run = make_run(tmp_path / "run", sentences=20, steps=(0, 20))
    for probe in ("tokens", "knowledge"):
        table = properties.read(run, probe, "overlap").assign(sentence=False, ngram=False)
        file = next(run.folder.measurements.glob(f"{probe}/*/properties/overlap-1.parquet"))
        table.to_parquet(file)
    assert drawn.numbers(run)["overlap"] == "No sentence and no 13 words of any item stand in the training text."
    assert drawn.scores(run).data == "<p>Nothing overlaps, so that there is no score to tell without it.</p>"
