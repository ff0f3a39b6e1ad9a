"""FedLoG's round at a site: what leaves when, what stays, and that a round asked twice is answered alike."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from client_app.graphs.neighbourhoods import all_logits, make_tensors
from client_app.method import Answer
from common.models.graph_sage import build_graph_sage
from tests.client_app.near import assert_noisy_mean

WANTED = {"slots-wanted": {"wanted": np.ones(1, np.int64)}}
SLOTS = {"slots", "slot-groups"}
TRAINED = {"samples", "labelled", "slots", "validation-accuracy", "loss-total", "loss-real", "loss-slots"}


@pytest.fixture
def begin(graph_site: Callable[..., Any]) -> Callable[..., Any]:
    def make(**settings: object) -> Any:
        return graph_site("fedlog", **{"min_group": 2, "group_size": 3, **settings})

    return make


def others(sent: Answer) -> dict[str, Any]:
    """The federation's slots where another site has sent the same again."""
    slots, groups = sent.records["slots"], sent.records["slot-groups"]
    m = len(groups["labels"])
    rows = np.concatenate([slots["rows"], slots["rows"] + m]).astype(np.int16)
    return {
        "slots": {"rows": rows, **{name: np.tile(slots[name], 2) for name in ("columns", "values")}},
        "slot-groups": {name: np.tile(array, 2) for name, array in groups.items()},
    }


def test_what_leaves_in_each_round_twice_alike(begin: Callable[..., Any]) -> None:
    site, records = begin()
    first = site.ask(1, records | WANTED)
    site.ask_again(1, first, records | WANTED)
    second = site.ask(2, {"weights": first.records["weights"], **others(first)})
    site.ask_again(2, second, {"weights": first.records["weights"], **others(first)})
    third = site.ask(3, {"weights": second.records["weights"]})
    site.ask_again(3, third, {"weights": second.records["weights"]})
    assert set(first.records) == {"weights", "truth"} | SLOTS
    assert set(second.records) == {"weights"}
    assert set(third.records) == {"weights", "truth"}
    for answer in (first, second, third):
        assert set(answer.metrics) == TRAINED
        assert answer.metrics["samples"] == len(site.data)
        assert answer.metrics["labelled"] == (site.data.labels >= 0)[site.data.train | site.data.validation].sum()


def test_the_federations_slots_are_kept_once_they_came(begin: Callable[..., Any]) -> None:
    site, records = begin()
    first = site.ask(1, records | WANTED)
    own = len(first.records["slot-groups"]["labels"])
    assert first.metrics["slots"] == own
    assert not any(name.startswith("slot") for name in site.state.arrays)
    assert site.ask(2, records | others(first)).metrics["slots"] == 2 * own
    assert {f"{k}.{name}" for k, arrays in others(first).items() for name in arrays} <= site.state.arrays.keys()
    assert site.ask(3, records).metrics["slots"] == 2 * own


def test_the_own_model_stays_and_is_another_than_the_one_sent(begin: Callable[..., Any]) -> None:
    site, records = begin()
    sent = site.ask(1, records).records["weights"]
    kept = {name: array for name, array in site.state.arrays.items() if name.startswith("own.")}
    assert {name.removeprefix("own.") for name in kept} == set(sent)
    assert not np.array_equal(kept["own.head.weight"], sent["head.weight"])
    assert not np.array_equal(sent["head.weight"], records["weights"]["head.weight"])
    site.ask(2, {"weights": sent})
    later = site.state.arrays
    assert not np.array_equal(later["own.head.weight"], kept["own.head.weight"])
    np.testing.assert_array_equal(later["own-before.head.weight"], kept["own.head.weight"])
    site, records = begin(folder="without", own_model=False)
    site.ask(1, records)
    assert not any(name.startswith("own") for name in site.state.arrays)


def test_the_own_model_goes_on_from_itself_and_not_from_the_average(begin: Callable[..., Any]) -> None:
    site, records = begin()
    site.ask(1, records)
    noise = {name: array + np.float32(1) for name, array in records["weights"].items()}
    site.ask(2, {"weights": noise})
    after_noise = site.state.arrays["own.head.weight"]
    site.ask(2, records)
    np.testing.assert_array_equal(site.state.arrays["own.head.weight"], after_noise)


def test_slots_leave_only_if_they_are_wanted_and_shared(begin: Callable[..., Any]) -> None:
    site, records = begin()
    assert not SLOTS & set(site.ask(1, records).records)
    assert set(site.ask(2, records | WANTED).records) >= SLOTS  # of a site that missed round 1
    site, records = begin(folder="alone", share_slots=False)
    assert not SLOTS & set(site.ask(1, records | WANTED).records)


def test_slots_are_means_of_groups_and_what_they_tell_is_written_down(begin: Callable[..., Any]) -> None:
    """The slots of one class, weighted by their nodes, have the mean of the class's training nodes."""
    site, records = begin(group_size=2, slots_per_class=1000)
    sent = site.ask(1, records | WANTED).records
    labels, counts = sent["slot-groups"]["labels"], sent["slot-groups"]["counts"]
    wide = np.zeros((len(labels), 3 * site.data.x.shape[1]))
    wide[sent["slots"]["rows"], sent["slots"]["columns"]] = sent["slots"]["values"]
    data = site.data
    for c in np.unique(labels):
        members = data.train & (data.labels == c)
        assert counts[labels == c].sum() == members.sum()
        mean = np.average(wide[labels == c, : data.x.shape[1]], axis=0, weights=counts[labels == c])
        np.testing.assert_allclose(mean, data.x.numpy()[members].mean(axis=0), atol=1e-5)
    assert counts.min() >= 2
    told = json.loads((site.site.folder / "slot-privacy.json").read_text())
    assert told["slots"] == len(labels)


def test_without_own_model_gate_and_neighbours_the_incoming_model_is_judged_as_it_is(
    begin: Callable[..., Any],
) -> None:
    site, records = begin(own_model=False, gate=False, neighbour_prior="none", dropout=0.0)
    answer = site.ask(1, records)
    data, classes = site.data, len(site.config.seen_classes)
    network = build_graph_sage(data.x.shape[1], classes, 0, 0.0, False)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in records["weights"].items()})
    chosen = all_logits(network, make_tensors(data.x.numpy(), data.edges)).argmax(dim=1).numpy()
    right = (chosen == data.labels)[data.validation]
    assert answer.metrics["validation-accuracy"] == pytest.approx(right.mean())
    correct, total = answer.records["truth"]["correct"], answer.records["truth"]["total"]
    assert correct[:, 0].sum(axis=1).tolist() == [right.sum()] * 3  # personal, averaged and own are one model
    part = data.benchmark
    masks = [part.validation, part.test, part.unseen_nodes, part.missing_classes]
    truths = [part.y, part.y, part.whole_y, part.whole_y]
    for row, mask, truth in zip(total, masks, truths, strict=False):
        assert row.tolist() == np.bincount(truth[mask & (truth >= 0)], minlength=classes).tolist()
    assert (correct <= total).all()


def test_tables_are_measured_in_the_first_round_and_nothing_is_trained(begin: Callable[..., Any]) -> None:
    site, records = begin(table=True)
    assert site.task(1).plan.phase == "preparation"
    answer = site.ask(1, records | WANTED)
    site.ask_again(1, answer, records | WANTED)
    assert set(answer.records) == {"weights"} | SLOTS
    assert set(answer.metrics) == {"samples", "labelled"}
    sent, x = answer.records["weights"], site.data.x.numpy().astype(np.float64)
    assert_noisy_mean(sent["input_mean"], x)
    assert (sent["input_scale"] > 0).all()
    moved = {name for name in sent if not np.array_equal(sent[name], records["weights"][name])}
    assert moved == {"input_mean", "input_scale"}
    assert not site.state.path.exists()


def test_an_institution_sends_no_truth_and_no_slot_of_fewer_nodes_than_its_policy_allows(
    begin: Callable[..., Any],
) -> None:
    site, records = begin(real=True, group_size=1)
    answer = site.ask(1, records | WANTED)
    assert set(answer.records) == {"weights"} | SLOTS
    assert answer.records["slot-groups"]["counts"].min() >= 4
