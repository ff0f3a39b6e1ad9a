import numpy as np
import pytest
import torch

from client_app.discovery.concepts import form_concepts


def _form(z, community, labels=None, **options):
    n, d = z.shape
    return form_concepts(
        z,
        np.asarray(community),
        np.full(n, -1) if labels is None else np.asarray(labels),
        options.pop("centre", torch.zeros(d)),
        **({"min_support": 3, "name_share": 0.15} | options),
    )


def _fans(*sizes, d=4, seed=0):
    """A bundle of unit rows around each axis."""
    rng = np.random.default_rng(seed)
    axes = np.repeat(np.eye(len(sizes), d), sizes, axis=0)
    return torch.nn.functional.normalize(
        torch.from_numpy((axes + 0.05 * rng.normal(size=axes.shape)).astype(np.float32)), dim=1
    )


def test_prototypes_are_unit_means_and_counts_the_members():
    z = _fans(4, 3)
    concepts = _form(z, [5, 5, 5, 5, 2, 2, 2])
    assert concepts.assigned.tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert concepts.counts.tolist() == [3, 4]
    assert len(concepts) == 2
    for k, rows in ((0, z[4:]), (1, z[:4])):
        mean = rows.mean(dim=0)
        torch.testing.assert_close(concepts.prototypes[k], mean / mean.norm())


def test_small_communities_join_the_nearest_prototype_sample_by_sample():
    z = torch.cat([_fans(5, 5), torch.tensor([[0.2, 0.9, 0, 0], [0.9, 0.2, 0, 0]])])
    z = torch.nn.functional.normalize(z, dim=1)
    concepts = _form(z, [0] * 5 + [1] * 5 + [2, 2])
    assert concepts.assigned.tolist() == [0] * 5 + [1] * 5 + [1, 0]
    assert concepts.counts.tolist() == [6, 6]
    torch.testing.assert_close(
        concepts.prototypes[1], torch.nn.functional.normalize(z[[5, 6, 7, 8, 9, 10]].sum(dim=0), dim=0)
    )


def test_nearest_is_seen_from_the_centre():
    z = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1]] * 3 + [[1.0, 0.9]] * 3 + [[1.0, 0.4]]), dim=1)
    community = [0] * 3 + [1] * 3 + [2]
    low, high = torch.tensor([0.93, 0.36]), torch.tensor([0.93, 0.38])
    assert _form(z, community, centre=low).assigned[-1] == 1
    assert _form(z, community, centre=high).assigned[-1] == 0


def test_where_all_communities_are_small_the_largest_stand():
    concepts = _form(_fans(2, 2, 1), [0, 0, 1, 1, 2], min_support=10)
    assert len(concepts) == 2
    assert concepts.counts.sum() == 5


@pytest.mark.parametrize(
    ("members", "labelled", "name"), [(5, 1, -1), (5, 2, 1), (20, 2, -1), (20, 3, 1), (40, 5, -1), (40, 6, 1)]
)
def test_a_name_needs_two_labels_and_fifteen_percent(members, labelled, name):
    labels = np.full(members, -1)
    labels[:labelled] = 1
    assert _form(_fans(members), [0] * members, labels).names.tolist() == [name]


def test_the_most_frequent_label_gives_the_name():
    assert _form(_fans(9), [0] * 9, [2, 2, 2, 0, 0, -1, -1, -1, -1]).names.tolist() == [2]
    assert _form(_fans(9), [0] * 9, [-1] * 9).names.tolist() == [-1]
