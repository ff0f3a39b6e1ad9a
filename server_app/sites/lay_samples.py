"""Preparing a simulation: read the data, split it, and lay out one folder a site."""

import logging

from common.errors import InputError
from common.methods.registry import get_method, training_sites
from common.place import Simulation
from common.privacy.accountant import check_noise
from common.run.run_files import RunFiles
from common.settings import O, RunConfig

log = logging.getLogger("fedlpa.server")


def lay_out_samples(config: RunConfig[O], files: RunFiles, overwrite: bool) -> RunConfig[O]:
    """Read and split the data of ``config`` into ``files.sites`` and write the resolved ``config.json``.

    An interrupted run of the same configuration keeps its sites and goes on.

    Returns:
        the configuration with what was found in the data: kind, sample shape, seen and true classes; and in the
        pretrained backbone, if one is configured: its hash.

    Raises:
        InputError: the data, a setting, or the folder will not do. Nothing is written then.
    """
    from common.data.read import ReadOptions, read_dataset
    from common.data.sites import materialise_sites
    from common.data.split import pool_sites, split_federation, without_labels
    from common.models import with_backbone

    training = training_sites(config)
    if config.held_out_sites >= config.clients:
        raise InputError(
            f"setting held-out-sites={config.held_out_sites} leaves none of the {config.clients} clients to train; "
            "lower it or add clients."
        )
    last = config.clients - config.held_out_sites
    if config.unlabelled_sites > last:
        raise InputError(
            f"setting unlabelled-sites={config.unlabelled_sites} exceeds the {last} clients that train; lower it."
        )
    dataset = read_dataset(
        config.data,
        ReadOptions(
            label_column=config.label_column,
            image_size=config.image_size,
            skip_bad_images=config.skip_bad_images,
            rows=config.rows,
        ),
    )
    for sentence in dataset.skipped:
        log.warning("%s", sentence)
    split = split_federation(
        dataset,
        clients=config.clients,
        alpha=config.alpha,
        seed=config.seed,
        seen_classes=config.seen_classes,
        labelled_fraction=config.labelled_fraction,
    )
    split = without_labels(split, range(last - config.unlabelled_sites, last))
    if not split.labelled.any():
        log.warning("no sample is labelled: every category will stay novel-*")
    resolved = config.but(
        kind=dataset.kind, sample_shape=dataset.sample_shape, seen_classes=split.seen, classes=split.classes
    )
    resolved = with_backbone(resolved)
    # Whatever does not fit is refused before anything runs: a model, a K, noise that would not hold.
    check_noise(resolved, get_method(config.method).contract(resolved, Simulation(files.sites)))
    if config.min_clients > training:
        raise InputError(
            f"setting min-clients={config.min_clients} exceeds the {training} clients that train; lower it or add "
            "clients."
        )
    if files.claim(resolved, overwrite=overwrite) and files.sites.exists():
        return resolved
    if config.held_out_sites:
        materialise_sites(dataset, split, files.held_out, range(last, config.clients))
    if get_method(config.method).pooled:
        split = pool_sites(split, last)
    materialise_sites(dataset, split, files.sites, range(training))
    files.write_config(resolved)
    return resolved
