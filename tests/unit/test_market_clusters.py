"""Neighbors against SciPy's tree, spatial statistics against PySAL and against all permutations there are."""

import warnings
from itertools import combinations

import esda
import libpysal
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from statsmodels.stats.multitest import multipletests

from market_analysis.clusters import false_discoveries, local_clusters, moran
from market_analysis.neighbors import nearest, on_plane

Floats = NDArray[np.float64]


def scattered(count: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    clumped = random.normal(0, 0.01, (count // 3, 2)) + random.integers(0, 3, (count // 3, 1))
    return np.concatenate([random.uniform(0, 4, (count - count // 3, 2)), clumped])


@pytest.mark.parametrize(("count", "neighbors"), [(9, 8), (60, 3), (2_500, 8), (10_000, 12)])
def test_neighbors_are_those_of_a_tree(count: int, neighbors: int) -> None:
    points = scattered(count, 1)
    distance, found = cKDTree(points).query(points, neighbors + 1)
    ours = nearest(points, neighbors)
    np.testing.assert_array_equal(np.sort(ours), np.sort(found[:, 1:]))
    np.testing.assert_allclose(np.hypot(*(points[ours] - points[:, None]).transpose(2, 0, 1)), distance[:, 1:])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=5, max_size=90), st.integers(1, 4))
def test_neighbors_of_points_in_the_same_places(places: list[tuple[int, int]], neighbors: int) -> None:
    points = np.array(places, dtype=float)
    ours = nearest(points, neighbors)
    square = ((points[:, None] - points) ** 2).sum(axis=2)
    np.fill_diagonal(square, np.inf)
    np.testing.assert_array_equal(np.take_along_axis(square, ours, axis=1), np.sort(square)[:, :neighbors])
    assert all(len({at, *row}) == neighbors + 1 for at, row in enumerate(ours.tolist()))


def test_the_plane_keeps_distances_to_one_percent() -> None:
    plane = on_plane(np.array([-119.5, -119.0]), np.array([46.0, 46.5]))
    across = np.hypot(*(plane[1] - plane[0]))
    a, b = np.radians([[46.0, -119.5], [46.5, -119.0]])
    sphere = (
        2
        * 6_371_008.8
        * np.arcsin(
            np.sqrt(np.sin((b[0] - a[0]) / 2) ** 2 + np.cos(a[0]) * np.cos(b[0]) * np.sin((b[1] - a[1]) / 2) ** 2)
        )
    )
    assert across == pytest.approx(sphere, rel=1e-4)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_statistics_are_those_of_pysal(seed: int) -> None:
    points = scattered(700, seed)
    near = nearest(points, 8)
    values = 50 + points[:, 0] + np.random.default_rng(seed).normal(0, 1, 700)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = libpysal.weights.W(dict(enumerate(near.tolist())), silence_warnings=True)
        # binary weights: with row-standardized ones PySAL takes the sum of weights for the number of neighbors
        star = esda.G_Local(values, weights, star=True, transform="B", permutations=0)
        weights = libpysal.weights.W(dict(enumerate(near.tolist())), silence_warnings=True)
        weights.transform = "r"
        everywhere = esda.Moran(values, weights, permutations=0)
        places = esda.Moran_Local(values, weights, permutations=999, seed=1)
    ours, local = moran(values, near, 999, 1), local_clusters(values, near, 9_999, 1)
    assert ours.value == pytest.approx(everywhere.I, abs=1e-12)
    assert ours.expected == everywhere.EI
    assert ours.z == pytest.approx(everywhere.z_rand, rel=1e-9)
    np.testing.assert_allclose(local.moran, places.Is, atol=1e-12)
    np.testing.assert_allclose(local.gi_star, star.Zs, atol=1e-9)
    # PySAL's p is of one tail, from other draws
    assert np.abs(local.p_value - np.minimum(1, 2 * places.p_sim)).max() < 0.12
    assert np.corrcoef(local.p_value, places.p_sim)[0, 1] > 0.995


def test_conditional_p_values_are_those_of_all_draws_there_are() -> None:
    random = np.random.default_rng(4)
    values = random.normal(0, 1, 14)
    near = nearest(random.uniform(0, 1, (14, 2)), 3)
    ours = local_clusters(values, near, 60_000, 3).p_value
    for at in range(14):
        others = [one for one in range(14) if one != at]
        means = np.array([values[list(some)].mean() for some in combinations(others, 3)])
        observed = values[near[at]].mean()
        tail = min((means >= observed - 1e-12).mean(), (means <= observed + 1e-12).mean())
        assert ours[at] == pytest.approx(min(1, 2 * tail), abs=0.015)


def test_p_values_without_clusters_are_uniform() -> None:
    random = np.random.default_rng(8)
    near = nearest(random.uniform(0, 1, (5_000, 2)), 8)
    p_values = local_clusters(random.normal(0, 1, 5_000), near, 9_999, 8).p_value
    shares = [(p_values <= level).mean() for level in (0.05, 0.25, 0.5, 0.75)]
    assert shares == pytest.approx([0.05, 0.25, 0.5, 0.75], abs=0.03)
    assert not false_discoveries(p_values, 0.05).any()


def test_the_same_seed_gives_the_same_p_values() -> None:
    points = scattered(300, 3)
    near, values = nearest(points, 6), points[:, 1]
    runs = [
        (moran(values, near, 199, seed), local_clusters(values, near, 499, seed).p_value.tolist()) for seed in (5, 5, 6)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=60), st.sampled_from([0.01, 0.05, 0.2]))
def test_false_discoveries_are_held_as_statsmodels_does(p_values: list[float], rate: float) -> None:
    expected = multipletests(p_values, rate, method="fdr_bh")[0]
    np.testing.assert_array_equal(false_discoveries(np.array(p_values), rate), expected)
