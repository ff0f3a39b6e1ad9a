"""The result in one sentence, and the numbers that stand at the top of the page."""

from dataclasses import dataclass
from pathlib import Path

from common.run.record import Traffic, score_groups
from fedlpa.report.run_reading import Run, is_scored
from fedlpa.report.words import count, duration, percent, plural, score_name, size

_METHODS = {
    "fedlpa": "FedLPA",
    "fedlog": "FedLoG",
    "local-infomap": "Local Infomap",
    "local-only": "Local only",
    "fedavg-simgcd": "FedAvg + SimGCD",
    "fedavg-gcd": "FedAvg + GCD",
    "centralised": "Centralised",
}


@dataclass(frozen=True)
class Tile:
    """A key number, what it is, and a word more about it."""

    value: str
    name: str
    note: str = ""


def heading(run: Run) -> str:
    """ "FedLPA on digits"."""
    method = str(run.setting("method", "unknown method"))
    data = str(run.setting("data", "unnamed data"))
    return f"{_METHODS.get(method, method)} on {Path(data).stem if '/' in data else data}"


def result_sentence(run: Run) -> str:
    """Who trained for how long, what was found, and how good it is, in words."""
    found, true = run.categories.found, run.categories.true
    clauses = [_who_trained(run)]
    if found is not None and true is not None:
        clauses.append(f"{plural(found, 'category')} found where the truth has {true}")
    elif found is not None:
        clauses.append(f"{plural(found, 'category')} found")
    clauses.append(_how_good(run))
    return "; ".join(clause for clause in clauses if clause) + "."


def tiles(run: Run) -> list[Tile]:
    """At most six key numbers, the most telling first; those that do not apply are left out."""
    groups, singles = score_groups(run.scores)
    scope = next((name for name in ("global", "local") if is_scored(groups.get(name, {}))), None)
    shown: list[Tile] = []
    for key, note in (
        ("all", "unlabelled samples"),
        ("old", "seen classes"),
        ("new", "novel classes"),
    ):
        if scope and (score := groups[scope].get(key)) is not None:
            shown.append(Tile(percent(score), f"{score_name(key)}, {scope}", note))
    if scope is None:
        shown += [Tile(percent(score), score_name(key)) for key, score in singles.items() if score is not None][:4]
    elif (seen := singles.get("seen_accuracy")) is not None:
        shown.append(Tile(percent(seen), score_name("seen_accuracy"), "held-out samples"))
    found, true = run.categories.found, run.categories.true
    if found is not None:
        shown.append(Tile(count(found), "categories found", "" if true is None else f"the truth has {true}"))
    if (up := run.wire.up_bytes_per_client_round) is not None:
        shown.append(Tile(size(up), "sent up", "a client and round"))
    if (sites := _number_of_sites(run)) is not None:
        shown.append(Tile(count(sites), "site" if sites == 1 else "sites"))
    if run.rounds:
        done, planned = _progress(run)
        note = "" if done >= planned else f"of {planned} planned"
        shown.append(Tile(count(done), "round" if done == 1 else "rounds", note))
    return shown[:6]


def when(run: Run) -> str:
    """When the run ended and how long it took."""
    done, planned = _progress(run)
    ended = f"{run.finished.day} {run.finished:%B %Y, %H:%M} UTC"
    total = run.seconds.total
    verb = "Finished" if done >= planned else "Last written"
    return f"{verb} {ended}" + ("" if total is None else f", after {duration(total)}")


def _who_trained(run: Run) -> str:
    sites = _number_of_sites(run)
    who = "The sites" if sites is None else plural(sites, "site")
    done, planned = _progress(run)
    length = plural(done, "round") if done >= planned else f"{done} of {planned} planned rounds"
    if not done:
        return f"{who}, no finished round"
    if run.setting("method") == "centralised":
        return f"The data of {who} pooled in one place and trained on for {length}"
    if run.traffic == Traffic(up=0, down=0):
        return f"{who} worked without exchanging anything for {length}"
    return f"{who} trained {'together ' if sites != 1 else ''}for {length}"


def _how_good(run: Run) -> str:
    groups, singles = score_groups(run.scores)
    for scope, how in (("global", ""), ("local", ", judged site by site")):
        if (right := groups.get(scope, {}).get("all")) is not None:
            return f"{percent(right, 0)} of the unlabelled samples are in the right category{how}"
    seen = singles.get("seen_accuracy")
    if seen is not None:
        return (
            "there is no truth to score the categories against, but "
            f"{percent(seen, 0)} of the held-out labelled samples of seen classes are recognised"
        )
    accuracies = [f"{score_name(key).lower()} {percent(score)}" for key, score in singles.items() if score is not None]
    return "accuracy: " + ", ".join(accuracies) if accuracies else "there is no truth to score against"


def _number_of_sites(run: Run) -> int | None:
    given = run.setting("clients")
    if isinstance(given, int):
        return given
    return max((asked for record in run.rounds if (asked := record.clients.asked) is not None), default=None)


def _progress(run: Run) -> tuple[int, int]:
    """The last finished round, and how many were planned."""
    if not run.rounds:
        return 0, 0
    return run.rounds[-1].round, run.rounds[-1].planned
