"""Results of the category-discovery methods (METHODS 1.6)."""

from collections.abc import Mapping, Sequence

from common.config import RunConfig
from common.run.metrics import DiscoveryFinal, Final, Scopes, Split
from common.run.model_files import Model
from common.run.record import RoundRecord, Scores
from common.wire.records import TRUTH
from server_app.method import Reply, ServerMethod
from server_app.scoring import global_scores, local_scores, score_dict


def final_model(config: RunConfig, method: ServerMethod) -> Model:
    """The global weights and the federation's catalogue."""
    return Model(config, method.weights(), method.catalogue())


def delivery_scores(config: RunConfig, method: ServerMethod, replies: Mapping[str, Reply]) -> DiscoveryFinal | None:
    """Scores of the sites' own final predictions; None outside benchmarks."""
    counts = {site: reply.records[TRUTH]["counts"] for site, reply in replies.items() if TRUTH in reply.records}
    if not counts:
        return None
    shared = method.catalogue() is not None
    return DiscoveryFinal(
        global_=_split(score_dict(global_scores(counts, config)) if shared else None),
        local=_split(score_dict(local_scores(counts, config))),
    )


def final_scores(config: RunConfig, history: Sequence[RoundRecord], delivered: Final | None) -> DiscoveryFinal:
    """``final`` of ``metrics.json``.

    ``global`` and ``local`` score the sites' own final predictions (the catalogue with the site's prior) where
    the method makes them, else the last discovery's concepts; ``concepts`` holds those in any case.
    """
    last = history[-1]
    discovered = next((record.scores for record in reversed(history) if "concepts" in record.scores), last.scores)
    scopes = delivered if isinstance(delivered, Scopes) else _scopes(last.scores)
    return DiscoveryFinal(
        global_=scopes.global_,
        local=scopes.local,
        concepts=_scopes(discovered),
        seen_accuracy=last.scores["seen_accuracy"],
        categories=last.categories,
    )


def _scopes(scores: Scores) -> Scopes:
    return Scopes(global_=_split(scores["global"]), local=_split(scores["local"]))


def _split(scores: object) -> Split:
    return Split.model_validate(scores or {})
