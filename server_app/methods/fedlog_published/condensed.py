"""Joining the sites' synthetic nodes and generators by class rates (docs/fedlog.md#joining-at-the-server)."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def class_rates(counts: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float64]]:
    """By site, [C]: its share of every class's labelled nodes; the same for all sites where nobody has any."""
    total_C = np.sum(list(counts.values()), axis=0)
    return {
        site: np.where(total_C > 0, own_C / np.maximum(total_C, 1), 1 / len(counts)) for site, own_C in counts.items()
    }


def join_synthetic(
    nodes: Mapping[str, NDArray[np.float32]], counts: Mapping[str, NDArray[np.int64]], seed: int, number: int
) -> NDArray[np.float32]:
    """The federation's nodes [C, s, F]: slot by slot the mean of the sites' by class rates, slots in random order.

    Args:
        nodes: by site, [C, s, F]; ``counts``: of the same sites, [C].
        seed, number: of the run and the round; they, the site and the class decide the order of a site's slots.
    """
    rates = class_rates({site: counts[site] for site in nodes})
    joined = np.zeros(next(iter(nodes.values())).shape, dtype=np.float64)
    for site in sorted(nodes):
        for c, own_SF in enumerate(nodes[site]):
            order = np.random.default_rng([seed, number, zlib.crc32(site.encode()), c]).permutation(len(own_SF))
            joined[c] += rates[site][c] * own_SF[order]
    return joined.astype(np.float32)


def join_generators(
    generators: Mapping[str, Mapping[str, NDArray[Any]]], counts: Mapping[str, NDArray[np.int64]]
) -> dict[str, NDArray[np.float16]]:
    """Every class's generator, tensors [C, ...]: the mean of the sites' by their rate of the class."""
    rates = class_rates({site: counts[site] for site in generators})
    names = next(iter(generators.values()))
    return {
        name: np.sum(
            [np.multiply.outer(rates[site], generators[site][name].astype(np.float64)) for site in sorted(generators)],
            axis=0,
        ).astype(np.float16)
        for name in names
    }
