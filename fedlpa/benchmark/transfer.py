"""A run's model at home, abroad, on missing categories and at a newcomer (docs/evaluation.md#elsewhere).

Categories are matched to true classes once, one to one, on what the federation's own sites predicted for their
unlabelled samples; the same match judges everything else. Only unlabelled samples are scored.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.data.dataset import Dataset
from common.data.parquet import write_dataset
from common.data.read import read_dataset
from common.data.truth import read_truth
from common.discovery.scores import count_matrix, match
from common.files import read_object
from common.run.predictions import FILE, read_predictions
from fedlpa.predict import predict
from fedlpa.report.run_reading import natural

MISSING_BELOW = 5
"""A class with fewer samples at a site is missing there."""


@dataclass(frozen=True)
class _Scored:
    """The unlabelled samples of one site whose class is known; all classes that it holds, by number of samples."""

    data: Dataset
    true: NDArray[np.int64]
    held: NDArray[np.int64]
    folder: Path


def judged_elsewhere(run: Path) -> dict[str, float | None]:
    """``home``, ``abroad`` and ``missing`` of a finished run; empty where it has no model with shared categories.

    home: All of the sites' own predictions, with their own priors. abroad: all other sites' samples by the model
    without a prior, over all judging sites. missing: those whose class has fewer than 5 samples where it is judged.
    """
    _, sites, matching = _federation(run)
    if not matching:
        return {}
    home = [_correct(_own_predictions(site), site.true, matching) for site in sites]
    without = [_correct(_predicted(run, site.data, "uniform"), site.true, matching) for site in sites]
    abroad, missing = [], []
    for here, judge in enumerate(sites):
        for there, other in enumerate(sites):
            if here != there:
                abroad.append(without[there])
                missing.append(without[there][judge.held[other.true] < MISSING_BELOW])
    return {"home": _mean(home), "abroad": _mean(abroad), "missing": _mean(missing)}


def newcomer(run: Path) -> dict[str, float | None]:
    """``newcomer_uniform`` and ``newcomer_adapt``: All at the held-out sites of a finished run, by ``fedlpa predict``.

    adapt estimates the prior on the newcomer's unlabelled samples, which are also those that are scored.
    """
    classes, _, matching = _federation(run)
    held_out = _sites(run / "held-out", classes)
    if not matching:
        return {}
    return {
        f"newcomer_{prior}": _mean(
            [_correct(_predicted(run, site.data, prior), site.true, matching) for site in held_out]
        )
        for prior in ("uniform", "adapt")
    }


def _federation(run: Path) -> tuple[dict[str, int], list[_Scored], dict[str, int]]:
    """The classes, the federation's sites, and the class of each category; no class where none is shared."""
    classes = {name: code for code, name in enumerate(read_object(run / "config.json")["classes"])}
    sites = _sites(run / "sites", classes)
    shared = read_object(run / "model" / "model.json").get("categories")
    return classes, sites, _matching(sites, classes) if shared else {}


def _sites(root: Path, classes: dict[str, int]) -> list[_Scored]:
    """The sites below ``root`` that hold samples to score."""
    sites = []
    for folder in sorted(root.glob("site-*"), key=lambda path: natural(path.name)):
        if not (folder / "data.parquet").exists():
            continue
        data = read_dataset(str(folder / "data.parquet"))
        truth = read_truth(folder / "truth.parquet")
        true = np.array([classes.get(truth.get(key, ""), -1) for key in data.ids], dtype=np.int64)
        scored = np.array([label is None for label in data.labels]) & (true >= 0)
        held = np.bincount(true[true >= 0], minlength=len(classes))
        if scored.any():
            rows = np.flatnonzero(scored)
            sites.append(_Scored(data.take(rows), true[rows], held, folder))
    return sites


def _own_predictions(site: _Scored) -> list[str]:
    own = read_predictions(site.folder / FILE)
    category = dict(zip(own.ids, own.categories, strict=True))
    return [category[key] for key in site.data.ids]


def _matching(sites: list[_Scored], classes: dict[str, int]) -> dict[str, int]:
    """The class of each category, by the sites' own predictions; empty where a site left none."""
    if not sites or not all((site.folder / FILE).exists() for site in sites):
        return {}
    predicted = [category for site in sites for category in _own_predictions(site)]
    names = sorted(set(predicted))
    codes = {name: code for code, name in enumerate(names)}
    true = np.concatenate([site.true for site in sites])
    counts = count_matrix(np.array([codes[name] for name in predicted]), true, (len(names), len(classes)))
    return {names[category]: code for category, code in match(counts).items()}


def _predicted(run: Path, data: Dataset, prior: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.parquet"
        write_dataset(data, path)
        return predict(run / "model", str(path), Path(folder) / "predictions.parquet", prior=prior).categories


def _correct(predicted: list[str], true: NDArray[np.int64], matching: dict[str, int]) -> NDArray[np.bool_]:
    said = np.array([matching.get(category, -1) for category in predicted], dtype=np.int64)
    result: NDArray[np.bool_] = said == true
    return result


def _mean(parts: list[NDArray[np.bool_]]) -> float | None:
    total = sum(len(part) for part in parts)
    return sum(int(part.sum()) for part in parts) / total if total else None
