"""Scores of any method in one form: groups (scopes) of named scores, and single scores."""

from dataclasses import dataclass
from typing import Any

from fedlpa.report.run_reading import Run, number
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
    rows: tuple[tuple[tuple[str, str], tuple[float | None, ...]], ...]


def split_scores(scores: Any) -> tuple[dict[str, dict[str, float | None]], dict[str, float | None]]:
    """Scores as ``(groups, singles)``: ``{"global": {"all": .9}}`` and ``{"seen_accuracy": .9}``.

    The category counts that stand beside the final scores are left out.
    """
    groups: dict[str, dict[str, float | None]] = {}
    singles: dict[str, float | None] = {}
    for key, value in (scores or {}).items() if isinstance(scores, dict) else ():
        if key == "categories":
            continue
        if isinstance(value, dict):
            groups[key] = {name: number(score) for name, score in value.items()}
        else:
            singles[key] = number(value)
    return groups, singles


def score_table(run: Run) -> ScoreTable | None:
    """The final scores, without scopes and columns that hold nothing; None if there are none."""
    groups, singles = split_scores(run.final)
    flat = {key: value for key, value in singles.items() if key != "seen_accuracy"}
    named: dict[tuple[str, str], dict[str, float | None]] = {
        (title(key), _HINTS.get(key, "")): scores
        for key, scores in groups.items()
        if any(score is not None for score in scores.values())
    }
    if any(score is not None for score in flat.values()):
        named[("Federation", "")] = flat
    keys = [
        key
        for key in dict.fromkeys(key for scores in named.values() for key in scores)
        if any(scores.get(key) is not None for scores in named.values())
    ]
    if not keys:
        return None
    return ScoreTable(
        columns=tuple((score_name(key), _HINTS.get(key, "")) for key in keys),
        rows=tuple((row, tuple(scores.get(key) for key in keys)) for row, scores in named.items()),
    )


def categories(value: Any) -> tuple[int | None, int | None]:
    """``(found, true)`` of a ``categories`` entry; a bare number is the number found."""
    if isinstance(value, dict):
        found, true = number(value.get("found")), number(value.get("true"))
    else:
        found, true = number(value), None
    return (None if found is None else int(found), None if true is None else int(true))
