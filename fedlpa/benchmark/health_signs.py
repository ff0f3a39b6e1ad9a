"""How well the signs of health that need no truth foretell All, run by run (rank correlation)."""

from collections.abc import Sequence
from pathlib import Path

from common.run.record import read_rounds, score_groups
from fedlpa.benchmark.cells import Result
from fedlpa.benchmark.score_rows import Column, Measures, Row
from fedlpa.benchmark.suite import Section

SIGNS = ("seen_accuracy", "stability", "silhouette", "tiny_share", "prior_drift")
FEWEST_RUNS = 4
NOTE = (
    "Spearman's rank correlation, over FedLPA's runs, of a sign at the end of a run with the run's final global All; "
    "1: the better the sign, the better the run. 'all' ranks the runs of every data set together, where the data set "
    "explains most of it. seen_accuracy is, in benchmarks, measured on the unlabelled samples of seen classes."
)


def signs_of(run: Path) -> dict[str, float | None]:
    """The last value of every sign in a run's ``rounds.jsonl``, as ``health_<sign>``; unmeasured ones are left out."""
    last: dict[str, float | None] = {}
    for record in read_rounds(run / "rounds.jsonl"):
        signs = {**score_groups(record.scores)[1], **record.health}
        last |= {f"health_{name}": signs[name] for name in SIGNS if signs.get(name) is not None}
    return last


def health_section(runs: Sequence[tuple[Result, Measures]]) -> list[Section]:
    """A table of rank correlations with global All, by data set and over all; nothing with fewer than 4 runs."""
    groups: dict[str, list[Measures]] = {}
    for result, measures in runs:
        if result.cell.labels.get("method") == "fedlpa" and measures.get("global_all") is not None:
            groups.setdefault(str(result.cell.labels["data"]), []).append(measures)
    if len(groups) > 1:
        groups["all"] = [measures for some in groups.values() for measures in some]
    rows = [
        Row({"data": data, "runs": len(some)}, runs=len(some), failed=0, mean=_ranks(some))
        for data, some in groups.items()
        if len(some) >= FEWEST_RUNS
    ]
    columns = [Column(sign, sign.replace("_", " "), digits=2) for sign in SIGNS]
    return [Section("Signs of health against the truth", rows, ("data", "runs"), columns, NOTE)] if rows else []


def _ranks(runs: Sequence[Measures]) -> dict[str, float]:
    from scipy.stats import spearmanr

    ranks = {}
    for sign in SIGNS:
        pairs = [(m[f"health_{sign}"], m["global_all"]) for m in runs if m.get(f"health_{sign}") is not None]
        if len(pairs) >= FEWEST_RUNS and all(len(set(side)) > 1 for side in zip(*pairs, strict=True)):
            ranks[sign] = float(spearmanr(*zip(*pairs, strict=True)).statistic)
    return ranks
