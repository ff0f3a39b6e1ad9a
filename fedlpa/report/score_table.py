"""Scores of any method in one form: groups (scopes) of named scores, and single scores."""

from collections.abc import Mapping
from dataclasses import dataclass

from common.run.record import Score, score_groups
from fedlpa.report.run_reading import Run, is_scored
from fedlpa.report.words import score_name, title

_HINTS = {
    "global": "one matching of categories to classes for the whole federation",
    "local": "each site matched on its own, averaged by its number of samples",
    "concepts": "the sites’ own concepts before the shared head, each site matched on its own",
    "all": "all unlabelled samples",
    "old": "samples of seen classes",
    "new": "samples of novel classes",
    "seen": "test nodes of the clients’ own graphs",
    "unseen_node": "nodes absent from the training graph",
    "missing_class": "classes the client never had",
    "new_client": "a client held out from the federation",
}


@dataclass(frozen=True)
class ScoreTable:
    """Rows are scopes and columns are scores, both ``(name, hint)``; cells are fractions or None."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[tuple[str, str], tuple[Score, ...]], ...]


def score_table(run: Run) -> ScoreTable | None:
    """The final scores, without scopes and columns that hold nothing; None if there are none."""
    groups, singles = score_groups(run.scores)
    named: dict[tuple[str, str], Mapping[str, Score]] = {
        **{(title(key), _HINTS.get(key, "")): scores for key, scores in groups.items()},
        ("Federation", ""): {key: score for key, score in singles.items() if key != "seen_accuracy"},
    }
    named = {row: scores for row, scores in named.items() if is_scored(scores)}
    if not named:
        return None
    every = dict.fromkeys(key for scores in named.values() for key in scores)
    keys = [key for key in every if any(scores.get(key) is not None for scores in named.values())]
    return ScoreTable(
        columns=tuple((score_name(key), _HINTS.get(key, "")) for key in keys),
        rows=tuple((row, tuple(scores.get(key) for key in keys)) for row, scores in named.items()),
    )
