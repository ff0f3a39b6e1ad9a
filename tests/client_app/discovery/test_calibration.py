import numpy as np
import pytest

from client_app.discovery.calibration import calibration_curve, choose_resolution
from client_app.discovery.communities import communities
from client_app.discovery.refine import refine
from common.discovery.similarity import Edges

GRID = (1.0, 2.0, 3.0, 4.0)


def _hierarchy():
    """Four classes of four cliques of five: neighbouring cliques of a class are tied by one edge each."""
    source, target = [], []
    for group in range(16):
        nodes = range(5 * group, 5 * group + 5)
        pairs = [(i, j) for i in nodes for j in nodes if i < j]
        other = 4 * (group // 4) + (group + 1) % 4
        pairs.append(tuple(sorted((5 * group, 5 * other))))
        source += [i for i, _ in pairs]
        target += [j for _, j in pairs]
    edges = Edges(np.array(source), np.array(target), np.ones(len(source)), np.ones(len(source), np.int64), 80)
    return edges, np.arange(80) // 20


def test_the_curve_peaks_where_communities_are_the_classes():
    edges, labels = _hierarchy()
    grid = (1.0, 20.0)
    assert [communities(edges, r, seed=0).max() + 1 for r in grid] == [16, 4]
    curve = calibration_curve(edges, labels, grid, hidings=2, seed=0, refined=False)
    assert curve[1] == pytest.approx(1.0)
    assert curve[0] < 0.5
    fine = calibration_curve(edges, np.arange(80) // 5, grid, hidings=2, seed=0, refined=False)
    assert fine[0] == pytest.approx(1.0)
    assert fine[1] < fine[0]


def test_hidden_labels_do_not_mend_the_graph_that_they_judge():
    # All nodes form one clique, so only mending tells the classes apart, and only the samples whose labels it
    # knows: agreement on the others would mean that their labels took part.
    source, target = np.triu_indices(40, 1)
    edges = Edges(source, target, np.ones(len(source)), np.ones(len(source), np.int64), 40)
    labels = np.arange(40) % 2
    assert communities(refine(edges, labels), 1.0, seed=0).tolist() == labels.tolist()
    curve = calibration_curve(edges, labels, (1.0,), hidings=3, seed=0)
    assert abs(curve[0]) < 0.1


def test_too_few_labels_or_classes_give_no_curve():
    edges, truth = _hierarchy()
    few, one = np.full(80, -1), np.full(80, -1)
    few[::6] = truth[::6]
    few = np.where(np.cumsum(few >= 0) <= 15, few, -1)
    one[:20] = 0
    enough = few.copy()
    enough[np.flatnonzero(enough < 0)[: 16 - (enough >= 0).sum()]] = 3
    assert calibration_curve(edges, few, GRID, hidings=1, seed=0) is None
    assert calibration_curve(edges, one, GRID, hidings=1, seed=0) is None
    assert (enough >= 0).sum() == 16
    assert calibration_curve(edges, enough, GRID, hidings=1, seed=0).shape == (4,)


def _choose(own, labels, federation, shrinkage=100.0, tolerance=0.0):
    return choose_resolution(
        GRID,
        None if own is None else np.array(own),
        labels,
        None if federation is None else np.array(federation),
        shrinkage=shrinkage,
        tolerance=tolerance,
        fallback=9.0,
    )


OWN, FEDERATION = [0.9, 0.5, 0.4, 0.1], [0.1, 0.4, 0.5, 0.9]


@pytest.mark.parametrize(
    ("own", "labels", "federation", "shrinkage", "chosen"),
    [
        (OWN, 50, None, 100, 1.0),
        (None, 0, FEDERATION, 100, 4.0),
        (None, 0, FEDERATION, 0, 4.0),
        (None, 0, None, 100, 9.0),
        (OWN, 50, FEDERATION, 0, 1.0),
        (OWN, 99, FEDERATION, 100, 4.0),
        (OWN, 101, FEDERATION, 100, 1.0),
        (OWN, 0, FEDERATION, 0, 4.0),
        (OWN, 0, None, 0, 9.0),
    ],
)
def test_the_sites_curve_is_shrunk_to_the_federations(own, labels, federation, shrinkage, chosen):
    assert _choose(own, labels, federation, shrinkage) == chosen


def test_the_coarsest_within_the_tolerance_is_taken():
    curve = [0.70, 0.80, 0.79, 0.77]
    assert _choose(curve, 50, None, tolerance=0.0) == 2.0
    assert _choose(curve, 50, None, tolerance=0.01) == 3.0
    assert _choose(curve, 50, None, tolerance=0.02) == 3.0
    assert _choose(curve, 50, None, tolerance=0.03) == 4.0
