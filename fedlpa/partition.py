"""``fedlpa partition``: the simulation's split as files, so that sites can be played by hand and scored."""

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from common.data.dataset import Dataset
from common.data.parquet import write_dataset
from common.data.read import ReadOptions, read_dataset
from common.data.sites import site_dataset
from common.data.split import Split, split_federation
from common.data.truth import write_truth
from common.errors import InputError


@dataclass(frozen=True)
class SiteSummary:
    """What one site got. ``classes`` counts its samples by true class, as far as that is known."""

    name: str
    samples: int
    labelled: int
    classes: dict[str, int]


@dataclass(frozen=True)
class PartitionSummary:
    """What was written to ``out``; ``classes`` lists the seen ones first."""

    out: Path
    seen: tuple[str, ...]
    classes: tuple[str, ...]
    sites: tuple[SiteSummary, ...]


def partition(
    data: str,
    clients: int,
    alpha: float,
    seed: int,
    out: Path,
    seen_classes: tuple[str, ...] = (),
    labelled_fraction: float = 0.5,
    options: ReadOptions = ReadOptions(),  # noqa: B008
    overwrite: bool = False,
) -> PartitionSummary:
    """Write ``out/site-<k>.parquet`` for every site and ``out/truth.parquet`` (``id``, ``label``, ``site``).

    A site without samples gets a file without rows. Labels are null where hidden; the truth's are null where
    the data set holds none. Raises InputError for data or arguments that do not fit, and if ``out`` already
    holds such files, unless ``overwrite``, which replaces them and touches nothing else there.
    """
    _check_out(out, overwrite)
    dataset = read_dataset(data, options)
    split = split_federation(
        dataset,
        clients=clients,
        alpha=alpha,
        seed=seed,
        seen_classes=seen_classes,
        labelled_fraction=labelled_fraction,
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=out, prefix=".partition."))
        try:
            _write_files(dataset, split, temporary)
            for old in _partition_files(out):
                old.unlink()
            for new in sorted(temporary.iterdir()):
                new.rename(out / new.name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}); name another folder.") from error
    sites = tuple(_summarise(dataset, split, site) for site in range(clients))
    return PartitionSummary(out, split.seen, split.classes, sites)


def render(summary: PartitionSummary) -> Table:
    """A table with a line a site."""
    table = Table("site", title=Text(str(summary.out)), title_justify="left")
    table.add_column("samples", justify="right")
    table.add_column("labelled", justify="right")
    table.add_column("samples a class (* seen)")
    for site in summary.sites:
        marked = (f"{name}{'*' if name in summary.seen else ''} {n}" for name, n in site.classes.items())
        table.add_row(site.name, str(site.samples), str(site.labelled), Text(", ".join(marked)))
    return table


def _check_out(out: Path, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder for the sites' files.")
    held = _partition_files(out)
    if held and not overwrite:
        raise InputError(f"{out} already holds {held[0].name}; name another folder, or pass --overwrite.")


def _partition_files(out: Path) -> list[Path]:
    return sorted([*out.glob("site-*.parquet"), *out.glob("truth.parquet")])


def _write_files(dataset: Dataset, split: Split, folder: Path) -> None:
    site_of = [""] * len(dataset)
    for site, rows in enumerate(split.sites):
        write_dataset(site_dataset(dataset, split, site), folder / f"site-{site}.parquet")
        for row in rows.tolist():
            site_of[row] = f"site-{site}"
    write_truth(dataset.ids, dataset.labels, site_of, folder / "truth.parquet")


def _summarise(dataset: Dataset, split: Split, site: int) -> SiteSummary:
    rows = split.sites[site]
    counts = Counter(dataset.labels[row] for row in rows.tolist())
    return SiteSummary(
        name=f"site-{site}",
        samples=len(rows),
        labelled=int(split.labelled[rows].sum()),
        classes={name: counts[name] for name in split.classes if counts[name]},
    )
