"""A site's counts weigh no more than what it said first, and than three ordinary sites."""

import numpy as np
import pytest

from server_app.claims import LARGEST, Claims
from server_app.method import Reply


def heard(**sizes: int) -> Claims:
    claims = Claims()
    for site, samples in sizes.items():
        claims.hear(site, samples)
    return claims


@pytest.mark.parametrize(
    ("site", "claimed", "worth"),
    [
        ("a", 100, 100),
        ("a", 2**40, 100),  # more than it said at first
        ("a", 60, 60),
        ("liar", 2**40, int(LARGEST * 100)),
        ("small", 20, 20),
    ],
)
def test_samples_are_worth_what_can_be_believed(site: str, claimed: int, worth: int) -> None:
    claims = heard(a=100, b=150, c=200, small=20, liar=2**40)
    assert claims.capped(Reply(site, {}, {"samples": claimed, "labelled": claimed})).metrics == {
        "samples": worth,
        "labelled": worth,
    }


def test_an_ordinary_mixture_of_sizes_is_left_alone() -> None:
    sizes = {"a": 176, "b": 494, "c": 350, "d": 280, "e": 420}  # of the digits at alpha 0.2
    claims = heard(**sizes)
    for site, samples in sizes.items():
        assert claims.capped(Reply(site, {}, {"samples": samples})).samples == samples


def test_counts_of_rows_share_what_the_site_is_worth() -> None:
    claims = heard(a=100, b=100, c=100)
    arrays = {"rows": np.ones((3, 2), np.float32), "counts": np.array([2**40, 2**39, 1])}
    counts = claims.capped(Reply("a", {"catalogue": arrays}, {"samples": 100})).records["catalogue"]["counts"]
    assert counts.sum() <= 101
    assert counts.tolist() == [66, 33, 1]
    honest = {"catalogue": {"counts": np.array([60, 30, 10])}, "truth": {"counts": np.full((9, 9), 10**6)}}
    kept = claims.capped(Reply("b", honest, {"samples": 100})).records
    assert kept["catalogue"]["counts"].tolist() == [60, 30, 10]
    assert kept["truth"]["counts"].sum() == 81 * 10**6


def test_of_two_sites_the_one_that_lies_gains_little() -> None:
    assert heard(a=100, liar=2**40).limit("liar") == LARGEST * 100
    assert heard(a=100, liar=2**40, none=0, nothing=0).limit("liar") == LARGEST * 100
    assert heard(alone=2**30).limit("alone") == 2**30


def test_more_rows_than_samples_are_a_lie() -> None:
    claims = heard(a=100, b=100, c=100)
    flood = {"counts": np.ones(1000, np.int64)}
    with pytest.raises(ValueError, match="it sends 1000 rows and can have 100 samples"):
        claims.capped(Reply("a", {"catalogue": flood}, {"samples": 100}))


def test_later_words_on_its_size_change_nothing() -> None:
    claims = heard(a=10, b=10, c=10)
    claims.hear("a", 10**9)
    assert claims.limit("a") == 10
