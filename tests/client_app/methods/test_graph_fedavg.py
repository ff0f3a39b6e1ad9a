"""The round of ``graph-fedavg`` and ``graph-fedprox`` at a site."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.client_app.near import assert_noisy_mean

SCALARS = {"samples", "validation-accuracy", "loss-total", "loss-real"}


def sent(answer: Any) -> dict[str, Any]:
    return {"weights": answer.records["weights"]}


@pytest.mark.parametrize("method", ["graph-fedavg", "graph-fedprox"])
def test_what_leaves_in_each_round_twice_alike(graph_site: Callable[..., Any], method: str) -> None:
    site, records = graph_site(method)
    for number, leaves in ((1, {"weights", "truth"}), (2, {"weights"}), (3, {"weights", "truth"})):
        answer = site.ask(number, records)
        site.ask_again(number, answer, records)
        assert set(answer.records) == leaves  # scored every second round
        assert set(answer.metrics) == SCALARS
        assert not np.array_equal(answer.records["weights"]["head.weight"], records["weights"]["head.weight"])
        records = sent(answer)


def test_the_model_of_before_averaging_is_the_one_that_the_site_sent_last(graph_site: Callable[..., Any]) -> None:
    """Where nothing was averaged both count alike; where the average is another, only the first row changes."""
    site, records = graph_site("graph-fedavg", rounds=9, score_every=1, local_epochs=5, learning_rate=0.01)
    counts = site.ask(1, records).records["truth"]["correct"]
    np.testing.assert_array_equal(counts[0], counts[1])  # there is none yet: the incoming one stands for it
    for number in (2, 3):
        records = sent(site.ask(number, records))
    counts = site.ask(4, records).records["truth"]["correct"]
    np.testing.assert_array_equal(counts[0], counts[1])
    spoilt = {"weights": {name: -array for name, array in records["weights"].items()}}
    other = site.ask(4, spoilt).records["truth"]["correct"]
    np.testing.assert_array_equal(other[1], counts[1])
    assert not np.array_equal(other[0], counts[0])


def test_the_model_stays_at_the_site_as_it_was_sent(graph_site: Callable[..., Any]) -> None:
    site, records = graph_site("graph-fedavg")
    weights = site.ask(1, records).records["weights"]
    kept = {name.removeprefix("own."): array for name, array in site.state.arrays.items()}
    assert kept.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(kept[name], array)


def test_a_pull_to_the_global_model_moves_it_less(graph_site: Callable[..., Any]) -> None:
    def moved(strength: float) -> float:
        site, records = graph_site("graph-fedprox", folder=f"at-{strength:g}", proximal=strength, local_epochs=5)
        after = site.ask(1, records).records["weights"]
        return sum(float(((after[name] - array) ** 2).sum()) for name, array in records["weights"].items())

    assert moved(100.0) < 0.7 * moved(0.0)


def test_tables_are_measured_in_the_first_round_and_nothing_is_trained(graph_site: Callable[..., Any]) -> None:
    site, records = graph_site("graph-fedavg", table=True)
    answer = site.ask(1, records)
    x = site.data.x.numpy().astype(np.float64)
    assert_noisy_mean(answer.records["weights"]["input_mean"], x)
    assert set(answer.records) == {"weights"}
    assert answer.metrics == {"samples": len(site.data)}
    assert not site.state.path.exists()
    assert set(site.ask(2, sent(answer)).metrics) == SCALARS


def test_an_institution_sends_no_truth(graph_site: Callable[..., Any]) -> None:
    site, records = graph_site("graph-fedavg", real=True)
    answer = site.ask(1, records)
    assert set(answer.records) == {"weights"}
    assert set(answer.metrics) == SCALARS
