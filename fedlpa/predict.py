"""``fedlpa predict``: name the samples of new data with a run's model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from common.data.read import ReadOptions, read_dataset
from common.errors import InputError
from common.methods.registry import get_method
from common.run.model_files import Model, load_model
from common.run.predictions import write_predictions

PRIORS = ("site", "uniform", "adapt")


@dataclass(frozen=True)
class Predictions:
    """Categories of n samples; ``how`` says in one sentence how they were found."""

    ids: tuple[str, ...]
    categories: list[str]
    novel: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    how: str


def predict(
    model: Path,
    data: str,
    out: Path,
    *,
    prior: str | None = None,
    home_share: float = 1.0,
    backbone: str | None = None,
    skip_bad_images: bool = False,
    label_column: str | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Predictions:
    """Predict the category of every sample of ``data`` and write ``out`` as Parquet.

    The columns are ``id``, ``category`` (a seen class's name or ``novel-<n>``), ``is_novel`` and ``confidence``.

    Args:
        model: a run's ``model`` folder, or the one that a site kept.
        prior: ``site``: the shares of categories at the site whose model this is; ``uniform``: every category is
            as likely; ``adapt``: the shares are estimated from the new data itself, and samples that lie close
            together are judged together: for a whole institution's data, not for single samples. None: ``site``
            for a site's model, else ``uniform``.
        home_share: with ``site``, the probability that a sample comes from home; the rest is uniform.
        backbone: where the pretrained backbone is on this machine; None: where it was when the run started.
        label_column: the column of ``data`` that is no feature, if it has one; None: as at the model's site.

    Raises:
        InputError: the model or the data will not do; nothing is written.
    """
    if prior is not None and prior not in PRIORS:
        raise InputError(f"unknown prior '{prior}'; use one of {', '.join(PRIORS)}.")
    if not 0 <= home_share <= 1:
        raise InputError(f"the home share is {home_share} but must lie between 0 and 1.")
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of a Parquet file with --out.")
    loaded = load_model(model)
    if not get_method(loaded.config.method).embeds_samples:
        raise InputError(
            f"{model} comes from method {loaded.config.method}, whose model needs a whole graph; use 'fedlpa site "
            "adapt' at the site that has it."
        )
    if not loaded.weights:
        raise InputError(
            f"{model} comes from method {loaded.config.method}, which trains no model; predict with another run's."
        )
    if prior == "site" and loaded.prior is None:
        raise InputError(
            f"{model} is the federation's model and knows no site's prior; use the model folder that a site kept, "
            "or --prior adapt."
        )
    prior = prior or ("uniform" if loaded.prior is None else "site")
    loaded = _with_backbone(loaded, backbone)
    if label_column is not None:
        loaded = replace(loaded, config=loaded.config.but(label_column=label_column))
    dataset = _matching_data(loaded, data, skip_bad_images)
    for sentence in dataset.skipped:
        say(sentence)
    if loaded.catalogue is not None:
        found = _by_catalogue(loaded, dataset, prior, home_share)
    else:
        found = _by_clusters(loaded, dataset)
    write_predictions(out, found.ids, found.categories, found.novel, found.confidence)
    return found


def _with_backbone(model: Model, backbone: str | None) -> Model:
    """The model on the backbone it was trained on, checked before any data is read."""
    from common.models import with_backbone

    if backbone is None:
        return replace(model, config=with_backbone(model.config))
    if not model.config.backbone_hash:
        raise InputError("the model was trained without a pretrained backbone; leave --backbone out.")
    return replace(model, config=with_backbone(model.config.but(model=backbone)))


def _matching_data(model: Model, data: str, skip_bad_images: bool) -> Dataset:
    config = model.config
    options = ReadOptions(
        label_column=config.label_column,
        label_optional=True,
        image_size=config.image_size,
        skip_bad_images=skip_bad_images or config.skip_bad_images,
    )
    dataset = read_dataset(data, options)
    if dataset.kind != config.kind or dataset.sample_shape != config.sample_shape:
        raise InputError(
            f"{data} holds {dataset.kind} of shape {dataset.sample_shape}, the model was trained on {config.kind} "
            f"of shape {config.sample_shape}; give data of that shape."
        )
    return dataset


def _by_catalogue(model: Model, dataset: Dataset, prior: str, home_share: float) -> Predictions:
    import torch

    from common.discovery.neighbour_evidence import pool_neighbours
    from common.discovery.posterior import adapt_prior, blend_prior, category_logits
    from common.discovery.similarity import centred
    from common.models import all_features, restore_network

    catalogue = model.catalogue
    assert catalogue is not None
    if not len(catalogue):
        raise InputError("the model knows no category; train it on more data.")
    network = restore_network(model.config, model.weights)
    z_ND, centre_D = all_features(network, torch.from_numpy(dataset.x)), network.feature_mean
    with torch.no_grad():
        linear = None if catalogue.linear is None else torch.from_numpy(catalogue.linear)
        logits = category_logits(z_ND, torch.from_numpy(catalogue.rows), centre_D, linear)
        if prior == "adapt":
            logits = pool_neighbours(logits, centred(z_ND, centre_D))
            logits = logits + adapt_prior(logits)
        elif prior == "site" and model.prior is not None:
            logits = logits + blend_prior(torch.from_numpy(model.prior), home_share)
        confidence, chosen = logits.softmax(dim=1).max(dim=1)
    labels = catalogue.labels(model.config.seen_classes)
    category = chosen.numpy()
    return Predictions(
        dataset.ids,
        [labels[k] for k in category],
        catalogue.names[category] < 0,
        confidence.numpy(),
        f"{len(catalogue)} categories of the federation's catalogue, {prior} prior",
    )


def _by_clusters(model: Model, dataset: Dataset) -> Predictions:
    """Without shared categories: those of the new data alone."""
    import torch

    from client_app.discovery.clusters_by_head import cluster_by_head
    from common.discovery.catalogue import category_labels, number_by_size
    from common.models import all_features, restore_network

    network, config = restore_network(model.config, model.weights), model.config
    z_ND, centre_D = all_features(network, torch.from_numpy(dataset.x)), network.feature_mean
    with torch.no_grad():
        concepts = cluster_by_head(z_ND, centre_D, network.head_cosines(z_ND), config.options, seed=config.seed)
    labels = category_labels(concepts.names, number_by_size(concepts.names, concepts.counts), config.seen_classes)
    return Predictions(
        dataset.ids,
        [labels[q] for q in concepts.assigned],
        concepts.names[concepts.assigned] < 0,
        concepts.confidence(z_ND, centre_D),
        "the run shared no categories: seen classes are named by the model's head, novel-* are clusters of this "
        "data alone and mean nothing elsewhere",
    )
