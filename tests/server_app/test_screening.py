"""Updates that point away from the others' are found by direction, whatever their length; honest ones are not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from server_app.method import Reply
from server_app.screening import FEWEST, agreement, contrary, sketch

BEFORE = {"a": np.zeros((60, 50), np.float32), "b": np.ones(500, np.float32), "input_mean": np.zeros(4)}


def updates(sites: int, seed: int = 0, common: float = 0.5) -> dict[str, NDArray[np.float64]]:
    """Updates with a common part and each a part of its own, as vectors."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=3500)
    return {f"s{n}": common * shared + rng.normal(size=3500) * rng.uniform(0.6, 1.6) for n in range(sites)}


def reply(site: str, update: NDArray[np.float64]) -> Reply:
    weights = {
        "a": (BEFORE["a"] + update[:3000].reshape(60, 50)).astype(np.float32),
        "b": (BEFORE["b"] + update[3000:]).astype(np.float32),
        "input_mean": np.full(4, 1e9),
    }
    return Reply(site, {"weights": weights}, {"samples": 10})


def sketches(found: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    made = {site: sketch(reply(site, update), BEFORE) for site, update in found.items()}
    return {site: row for site, row in made.items() if row is not None}


def test_sketches_keep_the_angles_between_updates() -> None:
    found = updates(6)
    rows = sketches(found)
    for one in found:
        for other in found:
            true = found[one] @ found[other] / np.linalg.norm(found[one]) / np.linalg.norm(found[other])
            seen = rows[one] @ rows[other] / np.linalg.norm(rows[one]) / np.linalg.norm(rows[other])
            assert seen == pytest.approx(true, abs=4 / np.sqrt(4096))


@pytest.mark.parametrize("sites", [4, 5, 10, 30])
@pytest.mark.parametrize("times", [-1.0, -4.0, -10.0, -1000.0])
def test_one_that_turned_its_update_round_is_left_out_and_nobody_else(sites: int, times: float) -> None:
    found = updates(sites)
    found["s1"] *= times
    assert contrary(sketches(found)).keys() == {"s1"}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("common", [0.0, 0.1, 0.5])
def test_honest_sites_with_little_in_common_are_all_kept(seed: int, common: float) -> None:
    assert contrary(sketches(updates(8, seed, common))) == {}


def test_a_suspected_site_is_held_to_less() -> None:
    found = updates(10, common=0.25)
    found["s1"] *= -1
    gap = contrary(sketches(found), frozenset({"s1"}))
    assert contrary(sketches(found)) == {}
    assert gap.keys() == {"s1"}


def test_two_of_five_are_left_out_but_never_half() -> None:
    found = updates(5)
    for site in ("s0", "s1", "s2", "s3"):
        found[site] *= -1
    assert len(contrary(sketches(found))) <= 2


def test_with_three_nobody_is_left_out() -> None:
    found = updates(3)
    found["s1"] *= -1
    assert FEWEST == 4
    assert contrary(sketches(found)) == {}
    assert min(agreement(sketches(found)).items(), key=lambda entry: entry[1])[0] == "s1"
