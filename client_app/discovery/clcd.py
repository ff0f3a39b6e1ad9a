"""The whole of client-local category discovery, step by step (docs/method.md#discovery)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from client_app.discovery.calibration import calibration_curve, choose_resolution
from client_app.discovery.communities import communities
from client_app.discovery.concepts import Concepts, form_concepts
from client_app.discovery.rate_split import rate_split
from client_app.discovery.refine import refine, reliable_classes
from common.discovery.similarity import centred, similarity_graph
from common.methods.discovery_common import RESOLUTIONS
from common.methods.option_groups import DiscoveryOptions


@dataclass(frozen=True)
class Calibration:
    """A site's own calibration curve and the number of labels hidden to make it; curve None: too few labels."""

    curve: NDArray[np.float64] | None
    labels: int


NO_CALIBRATION = Calibration(None, 0)


def calibrate(
    z_ND: Tensor, labels: NDArray[np.int64], centre_D: Tensor, options: DiscoveryOptions, *, seed: int
) -> Calibration:
    """The site's calibration curve over ``RESOLUTIONS`` on its present features."""
    curve = None
    if options.resolution is None and len(z_ND) >= 3:
        edges = similarity_graph(centred(z_ND, centre_D), options.knn)
        curve = calibration_curve(
            edges,
            labels,
            RESOLUTIONS,
            hidings=options.calibration_hidings,
            seed=seed,
            refined=options.refine_graph,
        )
    return Calibration(curve, 0 if curve is None else int((labels >= 0).sum()) // 2)


def discover(
    z_ND: Tensor,
    labels: NDArray[np.int64],
    centre_D: Tensor,
    options: DiscoveryOptions,
    *,
    seed: int,
    own: Calibration = NO_CALIBRATION,
    federation: Sequence[float] | None = None,
    head_cosines: NDArray[np.float32] | None = None,
) -> tuple[Concepts, float]:
    """Cluster a site's features into concepts.

    Args:
        z_ND: unit features of every local sample, no augmentation.
        labels: int64 [n], index of a seen class, -1 where unlabelled.
        centre_D: the mean that features are centred on.
        own: the site's calibration; ``federation``: the federation's curve, if the server sent one.
        head_cosines: [n, C_seen], only used with ``reliable-quantile``.

    Returns:
        the concepts and the resolution they were found at.
    """
    resolution = options.resolution or choose_resolution(
        RESOLUTIONS,
        own.curve,
        own.labels,
        None if federation is None else np.asarray(federation, dtype=np.float64),
        shrinkage=options.calibration_shrinkage,
        tolerance=options.calibration_tolerance,
        fallback=options.fallback_resolution,
    )
    if len(z_ND) < 3:
        community = np.zeros(len(z_ND), dtype=np.int64)
    else:
        plain = similarity_graph(centred(z_ND, centre_D), options.knn)
        known = labels
        if options.reliable_quantile is not None and head_cosines is not None:
            known = reliable_classes(head_cosines, labels, options.reliable_quantile)
        graph = refine(plain, known) if options.refine_graph else plain
        community = communities(graph, resolution, seed=seed, trials=options.infomap_trials)
        if options.label_rate_split:
            community = rate_split(community, plain, labels, seed=seed)
    concepts = form_concepts(
        z_ND, community, labels, centre_D, min_support=options.min_support, name_share=options.name_share
    )
    return concepts, resolution
