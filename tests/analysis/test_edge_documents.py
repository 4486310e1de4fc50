"""Edge probes by document: what is read, chosen and resampled, held against plain loops and known truth."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import edge_documents, tables
from embryology.analysis.edge_documents import Documents
from tests.synthetic import STEPS, make_run, measure

STEPS_OF = np.array([0, 100, 200, 400])
RISING = np.array([[0.3, 0.3], [0.3, 0.4], [0.3, 0.6], [0.3, 0.7]])


def test_items_are_counted_by_document_step_and_layer(tmp_path):
    run = make_run(tmp_path / "run", sentences=20, steps=(0, 20))
    rng, tables_of = np.random.default_rng(0), {}
    for step in (0, 20):
        names = [f"doc-{d}-{s}" for d in range(3) for s in range(4)]
        items = pd.DataFrame(
            {"sentence": np.repeat(names, 2), "task": "made-up/pos", "layers": rng.integers(0, 16, 24), "correct": True}
        )
        items["item_id"] = [f"{name}:{number}" for number, name in enumerate(items["sentence"])]
        tables_of[step] = items
        rows = tables.read([run], "edges").query("step == @step and baseline != 'untrained'")
        columns = ["task", "group", "layer", "metric", "value", "low", "high", "n", "seed", "baseline", "reason"]
        measure(run.folder, "edges", step, rows[columns].to_dict("records"), items.assign(source="x", group="NN"))
    (documents,) = edge_documents.read(run, tables.read([run], "edges")).values()
    assert documents.steps.tolist() == [0, 20]
    assert documents.edges.tolist() == [8, 8, 8]
    for (d, s, layer), count in np.ndenumerate(documents.right):
        items = tables_of[(0, 20)[s]]
        assert count == sum(
            bits >> layer & 1
            for name, bits in zip(items["sentence"], items["layers"], strict=True)
            if name.startswith(f"doc-{d}-")
        )


def test_runs_that_kept_no_layers_have_no_documents(series):
    frame = tables.read([series], "edges")
    assert edge_documents.lacking(series) is None
    assert list(edge_documents.read(series, frame)["made-up/pos"].steps) == list(STEPS)


def test_checkpoints_that_were_not_chosen_are_not_read(series):
    frame = tables.read([series], "edges", "0,20,640")
    assert edge_documents.read(series, frame)["made-up/pos"].steps.tolist() == [0, 20, 640]


def made(rates, documents=60, edges=20, seed=0, spread=0.0):
    """Documents whose layers are right at known rates (steps, layers); ``spread`` makes some harder than others."""
    rng = np.random.default_rng(seed)
    harder = spread * rng.standard_normal((documents, 1, 1))
    right = rng.binomial(edges, np.clip(np.asarray(rates) + harder, 0, 1))
    return Documents(STEPS_OF, right, np.full(documents, edges))


def test_a_layer_is_chosen_by_one_half_and_scored_by_the_other():
    """Even documents are best in layer 1, odd ones in layer 2: each choice is wrong for the other half."""
    right = np.zeros((40, 4, 3))
    right[::2, -1] = [4, 10, 2]
    right[1::2, -1] = [4, 1, 10]
    right[:, 1, 1:] = 20  # an earlier checkpoint is best
    found = edge_documents.chosen(Documents(STEPS_OF, right, np.full(40, 20)))
    assert found["layers"] == [1, 2]
    assert found["steps"] == [100, 100]
    assert found["score"] == pytest.approx((1 + 2) / 40)
    assert found["gain"] == pytest.approx((1 + 2 - 8) / 40)
    assert found["best_gain"] == pytest.approx(1 - 3 / 40)
    assert found["gain_low"] <= found["gain"] <= found["gain_high"] < 0


def test_of_layers_that_are_alike_the_best_one_gains_nothing_on_other_documents():
    chosen = [edge_documents.chosen(made(np.full((4, 8), 0.5), seed=seed)) for seed in range(40)]
    assert abs(np.mean([one["gain"] for one in chosen])) < 0.006
    assert sum(one["gain_low"] > 0 for one in chosen) <= 4
    own = [
        (d.right[:, -1].sum(0).max() - d.right[:, -1, 0].sum()) / d.edges.sum()
        for d in (made(np.full((4, 8), 0.5), seed=s) for s in range(40))
    ]
    assert np.mean(own) > 0.012  # on the documents that choose it, it does


def test_the_best_checkpoint_is_that_of_the_chosen_layer():
    """Layer 1 is the best at the end and best at step 200; another layer is better still at step 100."""
    right = np.zeros((10, 4, 3))
    right[:, :, 1], right[:, :, 2] = [2, 5, 12, 9], [2, 19, 3, 4]
    found = edge_documents.chosen(Documents(STEPS_OF, right, np.full(10, 20)))
    assert found["steps"] == [200, 200]
    assert found["best_gain"] == pytest.approx((12 - 9) / 20)
    table = edge_documents.choices({"a": Documents(STEPS_OF, right, np.full(10, 20))})
    assert table[["task", "documents", "last"]].to_numpy().tolist() == [["a", 10, 400]]


def test_scores_are_of_the_documents_that_are_drawn():
    of = Documents(STEPS_OF[:2], np.array([[[1], [2]], [[9], [3]]]), np.array([4, 10]))
    assert of.scores(np.array([[1.0, 1], [2, 0], [0, 2]]))[..., 0].tolist() == [
        [10 / 14, 5 / 14],
        [0.25, 0.5],
        [0.9, 0.3],
    ]


def test_a_gain_from_the_first_checkpoint_has_a_half_whether_it_is_one_over_static_embeddings_or_not():
    rng = np.random.default_rng(0)
    static = np.tile([[0.3], [0.3], [0.3], [0.7]], (1, 2))
    rising = made(np.column_stack([static[:, 0], RISING[:, 1]]), 60)
    rising.right[:, -1, 0] = rising.right[:, -1, 1]  # static embeddings are as good at the end
    assert edge_documents.half_gain(rising, 1) == (100, 200)
    # One document of twelve has nearly all of the gain: leaving any out there is some, but it is not shown.
    right = np.full((12, 4, 2), 5.0)
    right[:, :, 1] = 8
    right[:, -1, 1] += np.r_[9, 2, 2, -1, 1, 1, 0, -2, 0, 1, -1, 0]
    one = Documents(STEPS_OF, right + rng.integers(0, 1, right.shape), np.full(12, 20))
    assert np.isnan(edge_documents.half_gain(one, 1)).all()


@pytest.mark.parametrize(("documents", "even"), [(29, True), (30, False)])
def test_thirty_documents_are_resampled_and_of_fewer_each_is_left_out(documents, even):
    """Left out one by one, the interval lies evenly around the value; percentiles of a skewed one do not."""
    of = made(np.tile([0.3, 0.4, 0.6, 0.5], (4, 1)), documents, edges=4, spread=0.1)
    scores = of.scores(np.ones((1, documents)))[0, -1]
    gains = np.clip(scores - scores[0], 0, None)
    low, high = edge_documents.centre_of_gravity(of)
    assert ((low + high) / 2 == pytest.approx(gains @ np.arange(4) / gains.sum(), abs=1e-9)) == even


def test_what_has_no_value_of_some_draw_has_no_interval():
    of = made(RISING, documents=40)

    def lacking(draws):
        return lambda scores: np.where(np.isin(np.arange(len(scores)), draws), np.nan, scores[:, -1, 1])

    assert np.isfinite(edge_documents._interval(of, lacking([]))).all()
    assert np.isnan(edge_documents._interval(of, lacking([7]))).all()


def test_few_documents_give_no_interval_and_one_no_choice():
    few = made(RISING, documents=9)
    assert np.isnan([*edge_documents.half_gain(few, 1), *edge_documents.centre_of_gravity(few)]).all()
    two = edge_documents.chosen(made(RISING, documents=2))
    assert np.isnan(two["gain_low"])
    assert edge_documents.choices({"a": few, "b": made(RISING, documents=1)})["task"].tolist() == ["a"]


@pytest.mark.parametrize("documents", [12, 26, 100])
def test_half_of_a_gain_has_an_interval_around_the_truth(documents):
    around = (100, 200) if documents > 12 else (0, 400)  # the checkpoints around 150, and around those
    assert edge_documents.half_gain(made(RISING, documents, spread=0.1), 1) == around
    assert np.isnan(edge_documents.half_gain(made(np.full((4, 2), 0.5), documents), 1)).all()


def test_half_of_a_gain_of_few_documents_is_that_of_leaving_each_out():
    few = made(RISING, 20, spread=0.3)
    logs = []
    for gone in range(20):
        there = np.arange(20) != gone
        curve = few.right[there][:, :, 1].sum(axis=0) / few.edges[there].sum()
        logs.append(np.log1p(np.interp((curve[0] + curve[-1]) / 2, curve, STEPS_OF)))
    whole = few.right[:, :, 1].sum(axis=0) / few.edges.sum()
    at = np.log1p(np.interp((whole[0] + whole[-1]) / 2, whole, STEPS_OF))
    half = stats.t(19).ppf(0.975) * np.sqrt(19 / 20 * np.sum((np.array(logs) - np.mean(logs)) ** 2))
    ends = np.expm1([at - half, at + half])
    assert edge_documents.half_gain(few, 1) == (STEPS_OF[ends[0] > STEPS_OF][-1], STEPS_OF[ends[1] < STEPS_OF][0])


def test_half_of_a_gain_that_may_come_after_the_last_checkpoint_has_no_upper_end():
    late = np.array([[0.3, 0.3], [0.3, 0.32], [0.3, 0.36], [0.3, 0.5]])
    assert edge_documents.half_gain(made(late, documents=12, spread=0.1), 1)[1] == np.inf


@pytest.mark.parametrize("documents", [26, 100])
def test_a_centre_of_gravity_has_an_interval_around_the_truth(documents):
    rates = np.tile([0.3, 0.4, 0.6, 0.5], (4, 1))
    truth = (0.1 * 1 + 0.3 * 2 + 0.2 * 3) / 0.6
    low, high = edge_documents.centre_of_gravity(made(rates, documents, spread=0.1))
    assert low < truth < high
    assert high - low < 0.6


@pytest.mark.long
@pytest.mark.parametrize("documents", [12, 29, 30, 100])
def test_intervals_of_half_gains_cover_the_truth(documents):
    ends = [edge_documents.half_gain(made(RISING, documents, seed=seed, spread=0.1), 1) for seed in range(1000)]
    assert np.mean([low <= 150 <= high for low, high in ends]) >= 0.92  # more, as the checkpoints around are in them
