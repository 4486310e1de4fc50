"""What the book says of an audit, of a series whose weights are a walk."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from embryology.figures import audit as drawn
from embryology.figures import provenance
from embryology.runs.audit import result
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from tests.figures.reading import cells_of, csv_of

STEPS = (0, 10, 20, 30, 40, 50)


def walk(seed=0):
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal(size=(len(STEPS), 60, 70)) * [[[1]], *[[[0.3]]] * 5], axis=0)
    return dict(zip(STEPS, path.astype(np.float32), strict=True))


def saved(folder, weights):
    for step, matrix in weights.items():
        (folder / f"step-{step}").mkdir(parents=True, exist_ok=True)
        save_file({"dense.weight": matrix}, folder / f"step-{step}" / "model.safetensors")
    return folder


def audited(folder):
    (audit,) = result.examine({folder.name: result.entries(RunFolder(folder))})
    result.write(RunFolder(folder), audit)
    return Series.open(folder), audit


@pytest.fixture
def spoilt(tmp_path):
    """A step 0 from elsewhere, and a pair that is swapped."""
    weights = walk()
    weights |= {0: walk(1)[0], 20: weights[30], 30: weights[20]}
    return audited(saved(tmp_path / "<walk>", weights))


def test_what_was_found_is_said_and_every_page_warns(spoilt):
    series, audit = spoilt
    said = drawn.found(series).data
    assert said.startswith("<p>Of &lt;walk&gt; 2 findings (foreign weights and out of order); 0.1 of 0.1 MB of it were")
    for finding in audit.findings:
        assert f"<li>{finding.kind}: {finding.says}</li>" in said
    warning = (
        "Not all of it is what it says: 2 findings (foreign weights and out of order) (embryology audit; see the page"
    )
    assert warning in provenance.about([series]).data


def test_the_table_and_the_figure_have_each_checkpoint(spoilt):
    series, audit = spoilt
    rows = cells_of(drawn.checkpoints(series).data)
    assert [row[0] for row in rows] == [str(step) for step in STEPS]
    assert rows[0][-1] == "foreign weights"
    assert sum(row[-1] == "out of order" for row in rows) == 1
    assert {row[3] for row in rows} == {"F32"}
    figure = drawn.likeness(series).data
    data = csv_of(figure)
    assert data["from_first"].tolist() == [row.from_first for row in audit.checkpoints]
    assert data["to_previous"].tolist() == [row.to_previous for row in audit.checkpoints]
    assert [f"{value:.4f}" for value in data["from_first"]] == [row[4] for row in rows]
    assert "something was found: 2." in figure


def test_the_cosines_are_those_of_the_weights(tmp_path):
    weights = walk()
    _, audit = audited(saved(tmp_path / "walk", weights))
    flat = {
        step: np.clip(matrix, -3 * (limit := np.median(abs(matrix)) / 0.6745), 3 * limit).ravel()
        for step, matrix in weights.items()
    }

    def cosine(one, other):
        return flat[one] @ flat[other] / np.sqrt((flat[one] @ flat[one]) * (flat[other] @ flat[other]))

    assert [row.from_first for row in audit.checkpoints] == pytest.approx([cosine(0, step) for step in STEPS], abs=1e-5)
    before = [0, *STEPS[:-1]]
    expected = [cosine(*pair) for pair in zip(before, STEPS, strict=True)]
    assert [row.to_previous for row in audit.checkpoints] == pytest.approx(expected, abs=1e-5)


def test_nothing_wrong_is_said_too_and_no_page_warns(tmp_path):
    series, audit = audited(saved(tmp_path / "walk", walk()))
    assert audit.findings == ()
    assert "nothing was found to be wrong" in drawn.found(series).data
    assert "<li>" not in drawn.found(series).data
    assert drawn.warning(series) == ""
    assert "Not all of it" not in provenance.about([series]).data
    assert 'id="figure-likeness"' in drawn.likeness(series).data


def test_what_does_not_hold_is_not_shown(spoilt):
    series, _ = spoilt
    saved(series.folder.root, walk(2))
    assert drawn.found(series).data == (
        "<p>Whether &lt;walk&gt; is what it says is not known: its files have changed since it was audited (embryology "
        "audit RUN).</p>"
    )
    assert drawn.warning(series) == drawn.likeness(series).data == drawn.checkpoints(series).data == ""
    series.folder.audit.unlink()
    assert "it was not audited (embryology audit RUN)" in drawn.found(series).data
    assert drawn.warning(series) == ""
