"""Trajectories whose answers are known: by hand, and drawn from the models that are to be told apart."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from embryology.analysis import trajectories
from embryology.analysis.trajectories import Trajectories, events
from embryology.analysis.two_states import TwoStates
from embryology.errors import EmbryologyError

STEPS = np.array([0, 10, 20, 40])


def rows(*patterns):
    return np.array([[letter == "1" for letter in pattern] for pattern in patterns])


def made(known, relations=1, objects=50, steps=None):
    """Facts in relations, each with so many objects."""
    n = len(known)
    facts = pd.DataFrame({"item_id": [f"f{i}" for i in range(n)], "group": [f"P{i % relations}" for i in range(n)]})
    clusters = np.arange(n) % (relations * objects)
    return Trajectories(facts, np.arange(known.shape[1]) * 10 if steps is None else steps, known, clusters)


def test_events_are_those_of_hand_checked_trajectories():
    known = rows("0000", "0011", "1010", "0100", "1111", "0101")
    table = events(known)
    assert table["first"].tolist() == [-1, 2, 0, 1, 0, 1]
    assert table["learnt"].tolist() == [0, 1, 2, 1, 1, 2]
    assert table["forgotten"].tolist() == [0, 0, 2, 1, 0, 1]
    assert table["relearnt"].tolist() == [0, 0, 1, 0, 0, 1]
    assert table["state"].tolist() == ["never", "known", "forgotten", "forgotten", "known", "relearnt"]


def test_states_add_up_and_gains_less_losses_are_what_is_known():
    known = np.random.default_rng(0).random((200, 7)) < 0.3
    table = trajectories.states(known)
    assert (table[["known", "relearnt", "forgotten", "never"]].sum(axis=1) == 200).all()
    assert (table["known"] + table["relearnt"]).tolist() == known.sum(axis=0).tolist()
    assert (table["gained"] - table["lost"]).cumsum().tolist() == known.sum(axis=0).tolist()


def test_states_at_each_checkpoint_are_those_of_hand_checked_trajectories():
    table = trajectories.states(rows("0011", "1010", "0101", "1111", "0000"))
    assert table["never"].tolist() == [3, 2, 1, 1]
    assert table["known"].tolist() == [2, 2, 2, 2]
    assert table["relearnt"].tolist() == [0, 0, 1, 1]
    assert table["forgotten"].tolist() == [0, 1, 1, 1]
    assert table["gained"].tolist() == [2, 1, 2, 1]
    assert table["lost"].tolist() == [0, 1, 1, 1]


def test_random_order_forgets_as_often_as_shuffled_answers_do():
    rng = np.random.default_rng(1)
    known = np.arange(12) < rng.integers(0, 13, 300)[:, None]
    shuffled = [events(rng.permuted(known, axis=1))["forgotten"].sum() for _ in range(200)]
    assert trajectories.forgotten_in_random_order(known).sum() == pytest.approx(np.mean(shuffled), rel=0.01)


@pytest.mark.parametrize(("forget", "lost"), [(0.1, True), (0.0, False)])
def test_forgetting_is_told_from_slips(forget, lost, monkeypatch):
    model = TwoStates(start=0.05, learn=0.1, forget=forget, guess=0.01, slip=0.15)
    known = model.draw(1000, np.ones(11), np.random.default_rng(5))
    monkeypatch.setattr(trajectories, "REFITS", 40)
    forgetting = trajectories.forgetting(made(known, steps=2 ** np.arange(12)), draws=60)
    assert forgetting.beyond_chance == lost
    assert forgetting.low <= forgetting.model.forget <= forgetting.high
    if lost:
        assert forgetting.low < forget < forgetting.high
    else:
        assert forgetting.high < 0.01


def test_chance_and_interval_decide_whether_forgetting_is_beyond():
    model = TwoStates(0.1, 0.1, 0.2, 0.0, 0.0)
    assert trajectories.Forgetting(model, 0.15, 0.3, 0.14).beyond_chance
    assert not trajectories.Forgetting(model, 0.15, 0.3, 0.16).beyond_chance


def test_rates_are_drawn_by_object_and_chance_is_what_nearly_all_fits_stay_below(monkeypatch):
    """Six facts of an object come and go as one: the interval is that of as many single facts, whatever their order."""
    rng = np.random.default_rng(12)
    paths = TwoStates(0.2, 0.3, 0.3, 0.01, 0.01).draw(40, np.ones(7), rng)
    clusters = rng.permutation(np.repeat(np.arange(40), 6))
    whole = Trajectories(pd.DataFrame({"group": ["P"] * 240}), 2 ** np.arange(8), paths[clusters], clusters)
    one_each = Trajectories(pd.DataFrame({"group": ["P"] * 40}), 2 ** np.arange(8), paths, np.arange(40))
    chances, plain = [], trajectories.fit_all

    def fits_of(known, doublings, counts, forgets=True, begin=None, tolerance=1e-7, iterations=500):
        fitted = plain(known, doublings, counts, forgets, begin, max(tolerance, 1e-5), min(iterations, 30))
        if known.ndim == 3:
            chances.append(fitted[:, 2])
        return fitted

    monkeypatch.setattr(trajectories, "fit_all", fits_of)
    monkeypatch.setattr(trajectories, "REFITS", 12)
    of_objects, of_facts = (trajectories.forgetting(each, draws=30) for each in (whole, one_each))
    assert [len(each) for each in chances] == [12, 12]
    assert of_objects.chance == pytest.approx(np.quantile(chances[0], 0.975))
    assert np.median(chances[0]) < of_objects.chance
    assert of_objects.high - of_objects.low == pytest.approx(of_facts.high - of_facts.low, rel=0.05)


def test_facts_that_are_left_out_leave_no_objects_behind():
    paths = made(rows("01", "11", "00", "10"), objects=4).where(np.array([False, True, False, True]))
    assert paths.clusters.tolist() == [0, 1]
    assert paths.facts["item_id"].tolist() == ["f1", "f3"]
    assert paths.known.tolist() == [[True, True], [True, False]]


def test_where_nothing_is_known_there_is_nothing_to_forget():
    with pytest.raises(ValueError, match="nothing to forget"):
        trajectories.forgetting(made(rows("000", "000")))
    assert trajectories.half_life(made(rows("001", "000"))) is None


def test_a_half_life_is_the_likeliest_of_ends_that_are_seen_between_checkpoints():
    """SciPy finds the rate of an exponential whose ends lie somewhere in an interval, of uneven width."""
    steps = np.array([0, 10, 15, 80, 100, 900])
    known = np.random.default_rng(11).random((80, 6)) < 0.6
    known[:, 0] = True  # nothing is said of step 0
    widths = np.diff(np.log2(steps[1:]))
    before, after = known[:, 1:-1], known[:, 2:]
    ended, lasted = (before & ~after).sum(axis=0), (before & after).sum(axis=0)

    def loss(rate):
        return -np.sum(ended * np.log(1 - np.exp(-rate * widths))) + rate * np.sum(lasted * widths)

    rate = optimize.minimize_scalar(loss, bounds=(1e-4, 10), method="bounded", options={"xatol": 1e-9}).x
    life = trajectories.half_life(made(known, objects=40, steps=steps), draws=50)
    assert life.value == pytest.approx(np.log(2) / rate, rel=1e-4)
    assert life.low < life.value < life.high
    other = trajectories.half_life(made(known, objects=40, steps=steps), draws=50, seed=1)
    assert (other.value, other.low != life.low) == (life.value, True)


def test_half_life_is_that_of_the_rate_facts_were_drawn_with():
    """Right answers that end at a constant rate a doubling, seen at uneven checkpoints."""
    rng = np.random.default_rng(6)
    steps = np.array([0, 50, 100, 150, 400, 1000, 1500, 6000])
    lasted = rng.exponential(2 / np.log(2), 6000)  # half of them two doublings or longer
    known = np.log2(steps[1:] / 50) < lasted[:, None]
    known = np.column_stack([rng.random(6000) < 0.5, known])  # nothing is said of step 0
    life = trajectories.half_life(made(known, objects=300, steps=steps), draws=200)
    assert life.value == pytest.approx(2, rel=0.05)
    assert life.low < 2 < life.high


def test_facts_that_are_never_lost_live_for_ever():
    life = trajectories.half_life(made(rows("0111", "0011", "1111"), objects=3, steps=STEPS), draws=50)
    assert life.value == np.inf
    assert np.isnan(life.low)  # of three objects


def test_gains_of_whole_objects_are_one_event():
    """Object 0 has two facts that come together and one of them goes; object 1 has two that come apart."""
    known = rows("0110", "0001", "0111", "0011")  # facts of objects 0, 1, 0, 1
    table = trajectories.changes_of_objects(made(known, objects=2))
    assert table.loc["learnt"].tolist() == [4, 3, 0.5]
    assert table.loc["forgotten"].tolist() == [1, 1, 0.0]
    # Object 2 of one fact changes as a whole by itself, and says nothing of wholes.
    single = Trajectories(
        pd.DataFrame({"group": ["P"] * 5}),
        STEPS,
        rows("0110", "0001", "0111", "0011", "0101"),
        np.array([0, 1, 0, 1, 2]),
    )
    table = trajectories.changes_of_objects(single)
    assert table.loc["learnt"].tolist() == [6, 5, 0.5]
    assert table.loc["forgotten"].tolist() == [2, 2, 0.0]


def test_a_count_that_decides_when_facts_are_learnt_is_seen_within_relations():
    rng = np.random.default_rng(7)
    counts = rng.integers(0, 20, 600)
    first = np.clip(10 - counts // 2 + rng.integers(-1, 2, 600), 0, 11)
    known = np.arange(10) >= first[:, None]
    rho, low, high = trajectories.rank_correlation(made(known, relations=3), counts, draws=200)
    assert rho > 0.9
    assert low < rho < high
    noise, low, high = trajectories.rank_correlation(made(known, relations=3), rng.permutation(counts), draws=200)
    assert low < 0 < high
    assert abs(noise) < 0.15


def test_ranks_are_those_within_relations_of_any_size_and_facts_that_are_never_right_are_last():
    rng = np.random.default_rng(9)
    sizes = [60, 12, 7]
    groups = np.repeat(["P0", "P1", "P2"], sizes)
    counts, known = rng.integers(0, 50, 79), rng.random((79, 5)) < 0.15
    known[groups == "P2"] = False  # never right: such a relation says nothing
    paths = Trajectories(pd.DataFrame({"group": groups}), np.arange(5), known, np.arange(79))
    first = np.where(known.any(axis=1), known.argmax(axis=1), 99)
    pairs = [
        (stats.rankdata(-first[groups == name]) / size, stats.rankdata(counts[groups == name]) / size)
        for name, size in zip(["P0", "P1"], sizes[:2], strict=True)
    ]
    centred = [np.concatenate([side - side.mean() for side in sides]) for sides in zip(*pairs, strict=True)]
    rho, low, high = trajectories.rank_correlation(paths, counts, draws=100)
    assert rho == pytest.approx(stats.pearsonr(*centred).statistic)
    assert low < rho < high
    few = paths.where(np.arange(79) < 29)
    assert np.isnan(trajectories.rank_correlation(few, counts[:29])).all()


def test_a_difference_between_relations_alone_is_no_correlation():
    """Relation P0 has high counts and early facts, P1 low ones and late facts; within them there is no order."""
    rng = np.random.default_rng(8)
    known = np.arange(10) >= np.where(np.arange(400) % 2, 8, 2)[:, None] + rng.integers(-1, 2, 400)[:, None]
    counts = np.where(np.arange(400) % 2, 0, 100) + rng.integers(0, 9, 400)
    _, low, high = trajectories.rank_correlation(made(known, relations=2), counts, draws=200)
    assert low < 0 < high


def test_equal_counts_say_nothing():
    assert np.isnan(trajectories.rank_correlation(made(rows("01", "11")), np.zeros(2))[0])


def test_facts_that_were_not_measured_at_every_checkpoint_are_refused():
    items = pd.DataFrame(
        {"item_id": ["a", "a", "b"], "step": [0, 1, 0], "known": True, "group": "P", "object_number": 0}
    )
    with pytest.raises(EmbryologyError, match="measured on different facts"):
        Trajectories.of(items)
    two = pd.DataFrame({"item_id": list("abcd"), "step": 5, "known": True, "group": list("PPQQ")})
    assert Trajectories.of(two.assign(object_number=[0, 0, 0, 1])).clusters.tolist() == [0, 0, 1, 2]
    paths = Trajectories.of(items[items["item_id"] == "a"].iloc[::-1])
    assert paths.steps.tolist() == [0, 1]
    assert paths.known.tolist() == [[True, True]]
