"""Norms of updates, which of them are far outside, and the replies that wait on disk for the round's median."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from server_app.method import Reply
from server_app.outliers import Spool, clipped, far_outside, update_norm

Weights = dict[str, NDArray[np.float32]]


@pytest.fixture
def before() -> Weights:
    rng = np.random.default_rng(0)
    return {"head": rng.normal(size=(4, 3)).astype(np.float32), "bias": rng.normal(size=5).astype(np.float32)}


def moved(before: Weights, size: float = 1.0, seed: int = 1) -> Weights:
    rng = np.random.default_rng(seed)
    return {name: array + size * rng.normal(size=array.shape).astype(np.float32) for name, array in before.items()}


def difference(weights: Weights, before: Weights) -> NDArray[np.float64]:
    """All entries in one vector."""
    return np.concatenate([np.ravel(weights[n].astype(np.float64) - before[n]) for n in sorted(before)])


def test_the_norm_is_that_of_all_tensors_in_one_vector(before: Weights) -> None:
    weights = moved(before)
    found = update_norm(Reply("a", {"weights": weights, "catalogue": {"rows": np.full(9, 50.0)}}, {}), before)
    assert found == pytest.approx(np.linalg.norm(difference(weights, before)), rel=1e-12)
    assert update_norm(Reply("a", {"weights": before}, {}), before) == 0.0


def test_squares_beyond_float32_are_measured_too() -> None:
    before = {"w": np.zeros(4, np.float32)}
    sent = {"w": np.full(4, 1e30, np.float32)}
    assert update_norm(Reply("a", {"weights": sent}, {}), before) == pytest.approx(2e30)


def test_without_an_update_of_these_weights_there_is_no_norm(before: Weights) -> None:
    assert update_norm(Reply("a", {"catalogue": {"rows": np.ones(3)}}, {}), before) is None
    assert update_norm(Reply("a", {"weights": {"head": before["head"]}}, {}), before) is None
    assert update_norm(Reply("a", {"weights": {**before, "more": np.ones(1)}}, {}), before) is None


def test_outliers_are_those_beyond_so_many_medians() -> None:
    norms = {"d": 20.1, "a": 1.0, "c": 4.0, "b": 2.0, "e": 30.0}
    assert far_outside(norms, 5.0) == {"d": 20.0, "e": 20.0}
    assert far_outside(norms, 7.5) == {}  # a norm of exactly the limit is inside
    assert far_outside({"a": 1.0, "b": 3.0, "c": 5.0, "d": 21.0}, 5.0) == {"d": 20.0}  # median of the middle two


def test_two_updates_and_updates_that_move_nothing_have_no_outliers() -> None:
    assert far_outside({"a": 1.0, "b": 1e9}, 5.0) == {}
    assert far_outside({"a": 0.0, "b": 0.0, "c": 7.0}, 5.0) == {}


def test_a_clipped_update_keeps_its_direction_and_everything_else(before: Weights) -> None:
    weights = moved(before, size=40.0)
    rows = {"rows": np.ones((2, 3))}
    reply = Reply("a", {"weights": weights, "catalogue": rows}, {"samples": 7})
    norm = update_norm(reply, before)
    assert norm is not None
    found = clipped(reply, before, norm, 2.0)
    update, whole = difference(dict(found.records["weights"]), before), difference(weights, before)
    assert np.linalg.norm(update) == pytest.approx(2.0, rel=1e-5)
    assert update @ whole == pytest.approx(2.0 * np.linalg.norm(whole), rel=1e-5)
    assert {array.dtype for array in found.records["weights"].values()} == {np.dtype(np.float32)}
    assert (found.site, found.metrics, found.records["catalogue"]) == ("a", {"samples": 7}, rows)
    assert difference(weights, before) == pytest.approx(whole)  # the reply itself stays as it was


def test_the_spool_gives_back_what_came_in_by_site_and_is_empty_then(tmp_path: Path, before: Weights) -> None:
    folder = tmp_path / ".spool"
    folder.mkdir()
    (folder / "left-by-a-server-that-died.safetensors").touch()
    spool = Spool(folder)
    assert not folder.exists()
    sent = [
        Reply("site-2", {"weights": {"layer/0.w": before["head"].T}}, {"samples": 5, "curve": [0.5, 1.0]}),
        Reply("site-10", {"weights": {}}, {"samples": 1}),
        Reply("site-1", {"weights": before, "catalogue": {"counts": np.array([3, 4])}}, {"samples": 9}),
    ]
    for reply in sent:
        spool.add(reply)
    found = list(spool.replies())
    assert [reply.site for reply in found] == ["site-1", "site-10", "site-2"]
    by_site = {reply.site: reply for reply in sent}
    for reply in found:
        expected = by_site[reply.site]
        assert reply.metrics == expected.metrics
        arrays = {(r, n): a for r, named in reply.records.items() for n, a in named.items()}
        wanted = {(r, n): a for r, named in expected.records.items() for n, a in named.items()}
        assert arrays.keys() == wanted.keys()
        for key, array in wanted.items():
            assert arrays[key].dtype == array.dtype
            np.testing.assert_array_equal(arrays[key], array)
    assert not folder.exists()
    assert list(spool.replies()) == []
    spool.add(sent[0])
    assert [reply.site for reply in spool.replies()] == ["site-2"]
