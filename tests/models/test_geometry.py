"""Similarity and shape of vectors against cases with known answers, plain loops and the papers' own formulas."""

import itertools

import numpy as np
import pytest

from embryology.models.geometry import Vectors, cka, components, mean_cosine, participation, pwcca, two_nn

N, GROUPS = 120, 12
STARTS = np.arange(GROUPS) * (N // GROUPS)


def drawn(size, n=N, seed=0):
    return np.random.default_rng(seed).normal(size=(n, size))


def turned(x, seed=9):
    return x @ np.linalg.qr(np.random.default_rng(seed).normal(size=(x.shape[1],) * 2))[0]


def of(x, starts=STARTS):
    return Vectors.of(x, starts)


def alike(x, y, starts=STARTS):
    return cka(of(x, starts), of(y, starts))


X = drawn(8) * np.arange(1, 9)
Y = X @ drawn(8, 8, 1) + 2 * drawn(8, seed=2)


@pytest.mark.parametrize(
    "change", [lambda x: x, turned, lambda x: 7 * x, lambda x: x - 3, lambda x: -turned(x) / 5 + 1]
)
def test_what_is_rotated_scaled_or_shifted_is_the_same(change):
    assert alike(X, change(X)) == pytest.approx(np.ones(1 + GROUPS), abs=1e-12)
    assert pwcca(X, change(X), STARTS) == pytest.approx(np.ones(1 + GROUPS), abs=1e-6)
    assert alike(change(X), Y) == pytest.approx(alike(X, Y), abs=1e-12)


def test_other_linear_maps_change_cka_and_not_the_correlations():
    """Stretched dimensions are another geometry, and the same canonical correlations."""
    stretched = X * np.array([1, 1, 1, 1, 1, 1, 1, 0.01])
    assert alike(X, stretched)[0] < 0.8
    assert pwcca(X, stretched, STARTS)[0] == pytest.approx(1, abs=1e-6)


def biased_cka(x, y):
    """Kornblith et al. 2019, from centred Gram matrices."""
    centre = np.eye(len(x)) - 1 / len(x)
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    return np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))


@pytest.mark.parametrize(("items", "size"), [(400, 10), (60, 500)])
def test_independent_vectors_are_not_alike_however_many_dimensions_they_have(items, size):
    starts = np.arange(10) * (items // 10)
    values = [alike(drawn(size, items, seed), drawn(size, items, seed + 100), starts)[0] for seed in range(20)]
    assert abs(np.mean(values)) < 0.02
    if size > items:
        assert biased_cka(drawn(size, items), drawn(size, items, 1)) > 0.8


def u_statistic(x, y):
    """The unbiased HSIC of linear kernels as the mean over all ordered quadruples of different items."""
    k, m = x @ x.T, y @ y.T
    total = [k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in itertools.permutations(range(len(x)), 4)]
    return np.mean(total)


def test_cka_is_that_of_quadruples_of_items():
    x, y = drawn(3, 9), drawn(3, 9) @ drawn(3, 3, 5) + drawn(3, 9, 6)
    expected = u_statistic(x, y) / np.sqrt(u_statistic(x, x) * u_statistic(y, y))
    assert alike(x, y, np.array([0, 3, 6]))[0] == pytest.approx(expected, abs=1e-12)


def test_with_many_items_it_is_the_published_one():
    x = drawn(4, 3000)
    y = x @ drawn(4, 4, 5) + drawn(4, 3000, 6)
    assert alike(x, y, np.array([0, 1000]))[0] == pytest.approx(biased_cka(x, y), abs=2e-3)


@pytest.mark.parametrize("group", [0, 4, GROUPS - 1])
def test_without_a_group_each_is_what_the_others_alone_give(group):
    others = np.delete(np.arange(N), slice(STARTS[group], STARTS[group] + 10))
    starts = STARTS[:-1]
    a, b = of(X[others], starts), of(Y[others], starts)
    assert alike(X, Y)[1 + group] == pytest.approx(cka(a, b)[0], abs=1e-12)
    assert pwcca(X, Y, STARTS)[1 + group] == pytest.approx(pwcca(X[others], Y[others], starts)[0], abs=1e-9)
    assert mean_cosine(X, STARTS)[1 + group] == pytest.approx(mean_cosine(X[others], starts)[0], abs=1e-12)
    assert participation(of(X))[1 + group] == pytest.approx(participation(a)[0], rel=1e-9)
    assert two_nn(of(X))[1 + group] == pytest.approx(two_nn(a)[0], rel=1e-9)


def test_groups_may_have_any_size():
    starts = np.array([0, 1, 3, 60])
    without = np.delete(np.arange(N), [1, 2])
    few = np.array([0, 1, 58])
    assert alike(X, Y, starts)[2] == pytest.approx(alike(X[without], Y[without], few)[0], abs=1e-12)
    assert two_nn(of(X, starts))[2] == pytest.approx(two_nn(of(X[without], few))[0], rel=1e-9)


def published_pwcca(x, y):
    """As the authors' code has it, on what is centred: QR of canonical variables, and sums of absolute projections."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    (qx, _), (qy, _) = np.linalg.qr(x), np.linalg.qr(y)
    left, correlations, right = np.linalg.svd(qx.T @ qy, full_matrices=False)
    variables, own = (qx @ left, x) if x.shape[1] <= y.shape[1] else (qy @ right.T, y)
    weights = np.abs(np.linalg.qr(variables)[0].T @ own).sum(axis=1)
    return float((weights * correlations).sum() / weights.sum())


@pytest.mark.parametrize("sizes", [(8, 8), (3, 8), (8, 5)])
def test_projection_weighting_is_the_published_one(sizes):
    x, y = X[:, : sizes[0]], Y[:, : sizes[1]]
    plain = pwcca(x + 4, y - 1, STARTS)[0]
    assert plain == pytest.approx(published_pwcca(x, y), abs=1e-9)
    assert 0.1 < plain < 0.99


def test_principal_components_hold_what_they_say():
    low = np.hstack([drawn(3), np.zeros((N, 5))])
    scores, share = components(of(turned(low)), 50)
    assert scores.shape == (N, 3)
    assert share == pytest.approx(1)
    assert alike(scores, low)[0] == pytest.approx(1)
    variances = np.sort(np.linalg.svd(X - X.mean(axis=0))[1] ** 2)[::-1]
    scores, share = components(of(X), 2)
    assert share == pytest.approx(variances[:2].sum() / variances.sum())
    assert (scores**2).sum(axis=0) / (scores**2).sum() == pytest.approx(variances[:2] / variances[:2].sum())


def test_mean_cosine_is_that_of_all_pairs():
    x = X[:30] + 5
    unit = [row / np.sqrt(sum(row**2)) for row in x]
    pairs = [float(unit[i] @ unit[j]) for i in range(30) for j in range(i)]
    assert mean_cosine(x, np.array([0, 10, 20]))[0] == pytest.approx(np.mean(pairs), abs=1e-12)


def test_participation_counts_directions_even_where_items_are_few():
    assert participation(of(drawn(1) * np.ones(5)))[0] == pytest.approx(1, abs=0.03)  # a ratio of two estimates
    known = np.arange(1, 9) ** 2.0
    expected = known.sum() ** 2 / (known**2).sum()
    starts = np.arange(10) * 400
    assert participation(of(drawn(8, 4000) * np.arange(1, 9), starts))[0] == pytest.approx(expected, rel=0.03)
    few = [participation(of(drawn(300, 100, seed), np.arange(10) * 10))[0] for seed in range(20)]
    assert np.mean(few) == pytest.approx(300, rel=0.05)  # the plain one cannot be more than 99


def loops_two_nn(x):
    """Facco et al. 2017: a line through the origin, the largest tenth of the ratios left out."""
    ratios = []
    for i in range(len(x)):
        first, second = sorted(np.sqrt(sum((x[i] - x[j]) ** 2)) for j in range(len(x)) if j != i)[:2]
        ratios.append(second / first)
    points = [
        (np.log(ratio), -np.log(1 - rank / len(x))) for rank, ratio in enumerate(sorted(ratios)[: int(0.9 * len(x))], 1)
    ]
    return sum(a * b for a, b in points) / sum(a * a for a, b in points)


def test_the_intrinsic_dimension_is_that_of_loops():
    assert two_nn(of(X))[0] == pytest.approx(loops_two_nn(X), rel=1e-9)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_it_finds_the_dimension_of_cubes_and_spheres(size):
    n, starts = 1500, np.array([0, 700])
    rng = np.random.default_rng(size)
    cube = np.hstack([rng.uniform(size=(n, size)), np.zeros((n, 4))])
    assert two_nn(of(turned(cube), starts))[0] == pytest.approx(size, rel=0.1)
    ball = drawn(size + 1, n, size)
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    assert two_nn(of(np.hstack([ball, np.ones((n, 2))]), starts))[0] == pytest.approx(size, rel=0.1)


def test_of_many_dimensions_it_finds_too_few():
    cube = np.random.default_rng(0).uniform(size=(1000, 20))
    assert 12 < two_nn(of(cube, np.array([0, 500])))[0] < 16


def test_of_twins_one_counts():
    twins = np.vstack([X, X[:5] + 1e-9])
    assert two_nn(of(twins, np.array([0, 60])))[0] == pytest.approx(two_nn(of(X))[0], rel=1e-6)
    assert np.isnan(two_nn(of(np.repeat(X[:2], 10, axis=0), np.array([0, 10])))[0])


def test_vectors_that_do_not_differ_have_no_similarity():
    flat = of(np.full((N, 3), 7.0) + 1e-7 * drawn(3))
    assert np.isnan(cka(flat, of(X))).all()
    assert np.isnan(participation(flat)).all()
    assert np.isnan(two_nn(flat)).all()
    assert np.isnan(pwcca(components(flat, 2)[0], X, STARTS)).all()
