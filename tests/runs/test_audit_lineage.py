"""Kin and order, against permutations that are really made, walks of known order, and searches through everything."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy import stats

from embryology import presets
from embryology.runs.audit import lineage, weights
from embryology.runs.audit.grid import missing_steps, uneven
from embryology.runs.audit.observed import listed
from tests.audited import audited, kinds

COVERS = ("embryology/runs/audit/lineage.py", "embryology/runs/audit/grid.py")


def walk(rng, lengths, noise=0.0, drift=0.0, rows=12, columns=256):
    """Weights after steps of these lengths from a random beginning; ``noise`` is each checkpoint's own."""
    ways = rng.normal(size=(len(lengths), rows, columns)) * np.asarray(lengths, float)[:, None, None]
    towards = rng.normal(size=(rows, columns)) * drift * np.cumsum(np.square(lengths))[:, None, None]
    path = rng.normal(size=(rows, columns)) + np.cumsum(ways, axis=0) + towards
    noises = np.broadcast_to(np.asarray(noise, float), len(lengths))[:, None, None]
    return path + noises * rng.normal(size=path.shape)


def test_kinship_is_the_distance_from_the_mean_of_all_permutations():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(3, 1)) + rng.normal(size=(3, 5))
    one, other = rng.normal(size=(3, 5)) + common, 2 * rng.normal(size=(3, 5)) + common
    products = [np.sum(one * other[:, list(order)]) for order in itertools.permutations(range(5))]
    expected = (np.sum(one * other) - np.mean(products)) / np.std(products)
    assert lineage.kinship(np.array([one, other]))[0, 1] == pytest.approx(expected)
    assert lineage.kinship(np.array([one, other]))[1, 0] == pytest.approx(expected)


def test_independent_runs_have_a_kinship_of_zero_whatever_they_share_and_however_uneven_their_units_are():
    rng = np.random.default_rng(1)
    values = []
    for _ in range(400):
        shared = 3 * rng.normal(size=(16, 1))  # what all seeds learn of a word
        models = rng.normal(size=(2, 16, 96)) * rng.lognormal(sigma=1.0, size=(2, 1, 96)) + shared
        models[[0, 1], :, rng.integers(96, size=2)] *= 20  # a unit that stands out
        values.append(lineage.kinship(np.array([lineage.cut(model) for model in models]))[0, 1])
    assert abs(np.mean(values)) < 0.25
    assert 0.8 < np.std(values) < 1.25
    assert np.max(np.abs(values)) < lineage.UNRELATED


def test_checkpoints_of_one_run_are_kin_as_long_as_something_is_left_of_the_beginning():
    rng = np.random.default_rng(2)
    first = rng.normal(size=(21, 768))
    later = 0.1 * first + rng.normal(size=(21, 768))
    kinship = lineage.kinship(np.array([first, later]))
    assert kinship[0, 1] > lineage.KIN
    assert kinship[0, 1] == pytest.approx(0.1 / np.sqrt(1.01) * np.sqrt(21 * 768), rel=0.15)
    assert lineage.together([kinship, kinship])[0, 1] == pytest.approx(kinship[0, 1] * np.sqrt(2))


def test_large_numbers_are_cut_off_and_others_kept():
    values = np.random.default_rng(3).normal(size=1001).astype(np.float32)
    limit = 3 * stats.median_abs_deviation(values, center=lambda *_, **__: 0, scale="normal")
    expected = np.where(np.abs(values) > limit, np.sign(values) * limit, values)
    assert (np.abs(values) > limit).any()
    np.testing.assert_allclose(lineage.cut(values), expected, rtol=1e-3)


def test_cosines_are_those_of_scipy():
    from scipy.spatial.distance import cosine

    values = np.random.default_rng(4).normal(size=(3, 4, 5))
    found = lineage.cosines(values)
    assert found[0, 2] == pytest.approx(1 - cosine(values[0].ravel(), values[2].ravel()))
    assert found[1, 1] == pytest.approx(1)
    assert (
        lineage.cosines(np.zeros((2, 4, 5))).tolist() == lineage.kinship(np.zeros((2, 4, 5))).tolist() == [[0, 0]] * 2
    )


def test_lineages_hang_together_by_chains():
    kinship = np.zeros((6, 6))
    for one, other in ((1, 2), (2, 4), (0, 5)):
        kinship[one, other] = kinship[other, one] = lineage.KIN
    kinship[3, 1] = kinship[1, 3] = lineage.KIN - 0.1
    assert lineage.lineages(kinship) == [[1, 2, 4], [0, 5], [3]]


EVEN, DENSE_EARLY = [0.2] * 12, [0.01, 0.02, 0.04, 0.08, 0.16, 0.3, 0.3, 0.3, 0.3, 0.1, 0.03, 0.01]
FALLING_NOISE = [0, *np.linspace(0.5, 0, 11)]
SOUND = {
    "a walk": {"lengths": EVEN},
    "dense early, slow late": {"lengths": DENSE_EARLY},
    "drift": {"lengths": EVEN, "drift": 0.5},
    "noise that a falling rate takes away": {"lengths": EVEN, "noise": FALLING_NOISE},
    "noise beside which steps are small": {"lengths": [0.05] * 12, "noise": [0, *[0.3] * 11]},
    "one noisy checkpoint": {"lengths": EVEN, "noise": [0] * 5 + [1.0] + [0] * 6},
    "a noisy second checkpoint": {"lengths": EVEN, "noise": [0, 0.3] + [0] * 10},
    "a noisy one before the last": {"lengths": EVEN, "noise": [0] * 10 + [0.3, 0]},
}


@pytest.mark.parametrize("way", SOUND.values(), ids=SOUND)
@pytest.mark.parametrize("seed", range(5))
def test_an_order_that_is_right_is_left_alone(way, seed):
    weights = walk(np.random.default_rng(seed), **way)
    assert lineage.best_order(lineage.cosines(weights)) == list(range(12))


@pytest.mark.parametrize("way", ["a walk", "dense early, slow late", "drift"])
@pytest.mark.parametrize("seed", range(5))
def test_an_order_that_is_wrong_is_put_right(way, seed):
    rng = np.random.default_rng(seed)
    weights = walk(rng, **SOUND[way])
    one, other = sorted(rng.choice(np.arange(1, 11), 2, replace=False))
    mixed = np.arange(12)
    mixed[[one, other]] = mixed[[other, one]]
    found = set(lineage.displaced(lineage.best_order(lineage.cosines(weights[mixed]))))
    assert found
    assert found <= {one, other}
    assert len(found) == 2 or other - one == 1
    late = [*range(7, 10), *range(7), 10, 11]  # three of them first
    assert lineage.best_order(lineage.cosines(weights[late])) == list(np.argsort(late))
    first = [8, *range(8), *range(9, 12)]
    assert lineage.displaced(lineage.best_order(lineage.cosines(weights[first]))) == [0]


@pytest.mark.parametrize("way", ["a walk", "dense early, slow late", "drift"])
@pytest.mark.parametrize("place", [0, 5, 10])
def test_neighbours_that_change_places_are_told_at_the_ends_too(way, place):
    cosine = lineage.cosines(walk(np.random.default_rng(3), **SOUND[way]))
    assert lineage.untold_pairs(cosine) == []
    order = [*range(place), place + 1, place, *range(place + 2, 12)]
    assert set(lineage.displaced(lineage.best_order(cosine[np.ix_(order, order)]))) < {place, place + 1}


def test_one_neighbour_alone_swaps_no_pair():
    distance = np.abs(np.subtract.outer(np.arange(12.0), np.arange(12))) / 20
    distance[4, 5] = distance[5, 4] = 3.5 / 20
    assert lineage.best_order(1 - distance / 2) == list(range(12))


def test_it_is_said_which_neighbours_noise_would_hide():
    cosine = lineage.cosines(walk(np.random.default_rng(3), [0.05] * 12, noise=[0, *[0.5] * 11]))
    assert {0, 10} <= set(lineage.untold_pairs(cosine))
    few = lineage.cosines(walk(np.random.default_rng(3), EVEN[:2]))
    assert lineage.untold_pairs(few) == [0], "of two nothing is told"
    assert lineage.untold_pairs(few[:1, :1]) == []


def test_an_end_that_leads_back_a_little_is_left_alone():
    """As the end of a decay may, which takes away some of the noise."""
    weights = walk(np.random.default_rng(3), EVEN)
    last = weights[-1] + 0.06 * (weights[-2] - weights[-1])
    cosine = lineage.cosines(np.concatenate([weights, last[None]]))
    assert lineage.best_order(cosine) == list(range(13))
    assert lineage.untold_pairs(cosine)[-1] == 11
    far = weights[-1] + 0.6 * (weights[-2] - weights[-1])
    assert lineage.displaced(lineage.best_order(lineage.cosines(np.concatenate([weights, far[None]])))) != []


def pair_is_wrong(distance, place):
    """By the words of the module, in plain lines; of at least four checkpoints."""
    count, edge = len(distance), distance[place, place + 1]
    shares = []
    for one in range(1, count - 1):
        before, after, over = distance[one - 1, one], distance[one, one + 1], distance[one - 1, one + 1]
        shares.append(max(0, (before + after - over) / 2 / min(before, after)))
    left = [distance[x, place] - distance[x, place + 1] for x in range(place - 1, -1, -1)][:3]
    right = [distance[x, place + 1] - distance[x, place] for x in range(place + 2, count)][:3]
    if left and right:
        means = sum(left) / len(left), sum(right) / len(right)
        return left[0] + right[0] > edge / 4 and sum(means) > edge / 2 and min(means) > 0
    beside = distance[place - 1, [place, place + 1]] if left else distance[place + 2, [place, place + 1]]
    near = shares[-4:-1] if left else shares[1:4]  # without that of the pair itself
    return edge > max(beside) / 20 and (left or right)[0] > min(1.1, 0.7 + max(near)) * edge


def test_the_best_exchange_is_the_best_of_all():
    rng, found = np.random.default_rng(5), 0
    for number in range(30):
        points = np.cumsum(rng.normal(size=(7, 9)), axis=0)[rng.permutation(7) if number % 2 else range(7)]
        distance = np.square(points[:, None] - points[None]).sum(-1)

        def length(order, distance=distance):
            return sum(distance[pair] for pair in itertools.pairwise(order))

        def gain_of(first, second, end, length=length):
            order = [*range(first), *range(second, end), *range(first, second), *range(end, 7)]
            return length(range(7)) - length(order)

        best, most = None, 0
        for first, second, end in itertools.combinations(range(8), 3):
            least = distance[second - 1, second]
            if end - first == 2:
                least = 0 if pair_is_wrong(distance, first) else np.inf
            elif first == 0 or end == 7:
                beside = [distance[first - 1, first]] * (first > 0) + ([distance[end - 1, end]] if end < 7 else [])
                least *= 0.75 if least > max(beside, default=0) / 20 else np.inf
            if end - first > 2:
                least += max(gain_of(0, second, second + 1), 0) if first == 0 else 0
                least += max(gain_of(second - 1, second, 7), 0) if end == 7 else 0
            gain = gain_of(first, second, end)
            if gain > max(most, least):
                best, most = (first, second, end), gain
        assert lineage._best_exchange(distance) == best
        found += best is not None
    assert 5 < found < 30


def test_as_few_as_possible_are_displaced():
    rng = np.random.default_rng(6)
    for _ in range(50):
        order = rng.permutation(6).tolist()
        fewest = next(
            size
            for size in range(6)
            for out in itertools.combinations(range(6), size)
            if sorted(left := [place for place in order if place not in out]) == left
        )
        found = lineage.displaced(order)
        assert len(found) == fewest
        left = [place for place in order if place not in found]
        assert sorted(left) == left
    assert lineage.displaced([0, 1, 2]) == []


@pytest.mark.parametrize(
    ("steps", "missing"),
    [
        ([0, 10, 20, 40, 50], [30]),
        ([0, 10, 20, 50, 60], [30, 40]),
        ([0, 20, 30, 40], []),
        ([0, 10, 30, 40, 50], [20]),
        ([10, 20, 30, 50], []),
        ([0, 1, 2, 4, 16, 32, 64], [8]),
        ([0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 2000, 3000, 4000], []),
        ([0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 2000, 3000, 5000, 6000, 7000], [4000]),
        ([1, 10, 100, 10_000, 100_000], [1000]),
        ([1, 3, 10, 30, 300, 1000, 3000], [100]),
        ([*range(0, 200_001, 20_000), *range(300_000, 2_000_001, 100_000)], []),
        ([0, 7, 11, 30, 31, 55, 90], []),
        ([0, 10, 20, 30, 55, 65, 75], []),
        ([5], []),
        ([], []),
    ],
)
def test_a_gap_is_told_where_the_spacing_around_it_is_regular(steps, missing):
    found = missing_steps(steps)
    assert len(found) == len(missing)
    assert found == pytest.approx(missing, rel=0.1)


PYTHIA = [0, *(2**power for power in range(10)), *range(1000, 143001, 1000)]
GRIDS = {
    "Pythia": (PYTHIA, {1, 2, 512}),
    "MultiBERTs": ([*range(0, 201, 20), *range(300, 2001, 100)], set()),
    "BabyLM": ([*range(1, 11), *range(20, 101, 10), *range(200, 1001, 100)], set()),
    "even": (list(range(0, 241, 24)), set()),
    "even, without 0": (list(range(20, 241, 20)), set()),
    "an end between": ([*range(0, 1001, 100), 1050], {900, 1000}),
}


@pytest.mark.parametrize(("steps", "hidden"), GRIDS.values(), ids=GRIDS)
def test_of_regular_grids_each_step_that_is_lost_is_told_or_it_is_said_that_it_cannot(steps, hidden):
    assert missing_steps(steps) == []
    for lost in steps[1:-1]:
        others = [step for step in steps if step != lost]
        if lost not in hidden:
            assert missing_steps(others) == [lost]
        else:
            assert set(missing_steps(others)) <= {lost}
            assert any(before < lost < after for before, after in uneven(others)) or missing_steps(others) == [lost]


def test_spacing_that_no_neighbour_shares_is_uneven():
    assert uneven(PYTHIA) == uneven(range(0, 100, 10)) == uneven([1, 2, 4, 8, 16]) == uneven([5]) == uneven([]) == []
    assert uneven([0, 2, 4, 8, 16, 32]) == [(0, 2)]
    assert uneven([0, 36, 62, 72]) == [(0, 36), (36, 62), (62, 72)]
    assert uneven([0, 10, 20, 25, 90]) == [(20, 25), (25, 90)]
    assert uneven([0, 10]) == [(0, 10)]


@pytest.mark.parametrize(
    "steps",
    [
        [0, 1000, 1200, 1500, 2000],
        [*range(0, 901, 100), 1100, 1500, 2100],
        [0, 5, 15, 25, 35, 45],
        [0, 120, 250, 350, 450, 550, 650],
        [*range(0, 801, 100), *range(1000, 3001, 200)],
    ],
)
def test_irregular_grids_are_left_alone(steps):
    assert missing_steps(steps) == []


@pytest.mark.parametrize("name", ["smoke", "tiny", "baby", "small", "albert-base", "bert-base", "electra-base"])
def test_presets_leave_nothing_out(name):
    assert missing_steps(presets.load(name).outcome.checkpoints) == []


def to_and_fro(folder, order=range(12)):
    """A walk of 40 × 40, and two rows beside it that swing far in one direction and back."""
    rng = np.random.default_rng(4)
    body, (there,), (back,) = walk(rng, [0.05] * 12, rows=40, columns=40), *rng.normal(size=(2, 1, 2, 40))
    swing = np.cumsum([0, 1, 1, 1, -1.6, 1.2, 1, 1, -1.4, 1, 1, 1])
    for step, place in enumerate(order):
        tensors = {"body.weight": body[place], "types.weight": back + 0.1 * swing[place] * there}
        (folder / f"step-{step}").mkdir(parents=True)
        save_file(
            {name: each.astype(np.float32) for name, each in tensors.items()}, folder / f"step-{step}/model.safetensors"
        )
    return folder


def test_a_few_rows_that_go_to_and_fro_are_no_order(tmp_path, monkeypatch):
    sound = audited(to_and_fro(tmp_path / "sound"))
    assert sound.findings == ()
    assert not [note for note in sound.notes if "in this order" in note]
    swapped = [0, 1, 2, 3, 4, 5, 9, 7, 8, 6, 10, 11]
    assert kinds(audited(to_and_fro(tmp_path / "swapped", swapped))) == {"out of order": {6, 9}}
    monkeypatch.setattr(weights, "FEWEST", 0)
    assert "out of order" in kinds(audited(tmp_path / "sound"))
    monkeypatch.setattr(weights, "FEWEST", 41)  # as where there are no others: nothing is left out
    assert "out of order" in kinds(audited(tmp_path / "sound"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ([0, 1, 2, 6, 3, 4, 5], "step 30: by their weights after step 60 ("),
        ([0, 1, 2, 3, 4, -1], "step 50: by their weights before step 0 ("),
        ([0, 1, 3.5, 2, 3, 4, 5], "step 20: by their weights between steps 40 and 50 ("),
    ],
)
def test_what_is_out_of_order_is_put_before_after_or_between(line, says):
    """Weights on a line, whose cosines fall with their distance."""
    cosine = np.exp(-np.abs(np.subtract.outer(line, line)) / 20)
    checkpoints = [SimpleNamespace(step=10 * number) for number in range(len(line))]
    (found,), _ = weights._out_of_order(checkpoints, cosine)
    assert found.says.startswith(says)


def test_a_matrix_of_which_both_sides_are_kin_and_it_of_neither_was_changed_and_changed_back():
    def kinship(of_the_sides, of_it):
        return np.array([[20, of_it, of_the_sides], [of_it, 20, of_it], [of_the_sides, of_it, 20]])

    assert weights._returns(kinship(10, 1), [1])
    assert not weights._returns(kinship(2, 1), [1])  # each is of no kin: it may learn that fast
    assert not weights._returns(kinship(10, 7), [1])
    assert not weights._returns(kinship(10, 1), [0])
    assert not weights._returns(kinship(10, 1), [1, 2])


def test_many_steps_are_told_by_the_first_three_and_the_last():
    assert listed([1]) == "step 1"
    assert listed([1, 2, 3, 4, 5000]) == "steps 1, 2, 3, 4, 5,000"
    assert listed([1, 2, 3, 4, 5, 6000]) == "steps 1, 2, 3, … 6,000 (6 in all)"
