"""The round of ``fedavg-gcd`` at a site."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from common.models import all_features, restore_network
from tests.client_app.near import assert_noisy_mean

BASE = {"samples", "labelled"}
LOSSES = {"loss-total", "loss-contrastive", "loss-supervised"}


@pytest.fixture
def begin(start: Callable[..., Any]) -> Callable[..., Any]:
    def make(**settings: object) -> Any:
        return start(method="fedavg-gcd", head_rows=0, rounds=3, **{"kmeans_trials": 2, **settings})

    return make


def test_what_leaves_in_each_round_twice_alike(begin: Callable[..., Any]) -> None:
    site, records = begin()
    found = site.ask_each_twice(3, records)
    assert [site.task(number).plan.phase for number in found] == ["preparation", "warm-up", "closing"]
    assert [set(answer.records) for answer in found.values()] == [{"weights"}, {"weights"}, {"catalogue", "truth"}]
    assert [set(answer.metrics) for answer in found.values()] == [
        BASE, BASE | LOSSES, BASE | {"concepts", "discovery-seconds"},
    ]  # fmt: skip
    assert not site.state.path.exists()  # the method has no memory


def test_preparation_measures_the_input_and_trains_nothing(begin: Callable[..., Any]) -> None:
    site, records = begin()
    sent = site.ask(1, records).records["weights"]
    assert_noisy_mean(sent["input_mean"], site.data.x.numpy())
    moved = {name for name in sent if not np.array_equal(sent[name], records["weights"][name])}
    assert moved == {"input_mean", "input_square"}
    trained = site.ask(2, {"weights": sent}).records["weights"]
    assert {name for name in sent if not np.array_equal(sent[name], trained[name])} >= {"projector.0.weight"}


def test_the_centroids_are_means_of_the_sites_features_and_count_its_samples(begin: Callable[..., Any]) -> None:
    """Every sample is nearest to a centroid; labelled ones stay with their class. Row for row with the counts."""
    site, records = begin(min_support=1)
    records = {"weights": site.ask(1, records).records["weights"]}
    answer = site.ask(3, records)
    sent, counts = answer.records["catalogue"], answer.records["truth"]["counts"]
    assert (sent["counts"].sum(), len(sent["rows"]), answer.metrics["concepts"]) == (len(site.data), 4, 4)
    z = all_features(restore_network(site.config, records["weights"]), site.data.x).numpy()
    labels = site.data.labels
    distance = np.linalg.norm(z[:, None] - sent["rows"][None], axis=2)  # noise moves none over to another here
    assigned = np.array([
        int(np.flatnonzero(sent["names"] == label)[0]) if label >= 0 else int(row.argmin())
        for label, row in zip(labels, distance, strict=True)
    ])  # fmt: skip
    np.testing.assert_array_equal(np.bincount(assigned, minlength=4), sent["counts"])
    for k, row in enumerate(sent["rows"]):
        assert_noisy_mean(row, z[assigned == k], support=1)
        hidden = site.data.truth[(assigned == k) & (labels < 0)]
        assert counts[k].tolist() == np.bincount(hidden, minlength=4).tolist()


def test_small_centroids_stay_at_the_site(begin: Callable[..., Any]) -> None:
    site, records = begin(folder="all", min_support=1)
    counts = site.ask(3, records).records["catalogue"]["counts"]
    site, records = begin(min_support=int(counts.max()))
    sent = site.ask(3, records).records
    assert sent["catalogue"]["counts"].tolist() == counts[counts == counts.max()].tolist()
    assert len(sent["catalogue"]["rows"]) == len(sent["catalogue"]["counts"]) < 4
    assert sent["truth"]["counts"].sum() == (site.data.labels < 0).sum()  # the rest is counted below the rows sent


def test_an_institution_sends_no_truth(begin: Callable[..., Any]) -> None:
    site, records = begin(real=True, categories=4)
    assert set(site.ask(3, records).records) == {"catalogue"}
