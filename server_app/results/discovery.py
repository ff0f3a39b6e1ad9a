"""Results of the category-discovery methods (docs/evaluation.md#discovery-scores)."""

from collections.abc import Mapping
from typing import Any

from common.config import RunConfig
from common.run.model_files import Model
from common.wire.records import TRUTH
from server_app.method import Reply, ServerMethod
from server_app.scoring import global_scores, local_scores, score_dict

NOTHING = {"all": None, "old": None, "new": None}


def final_model(config: RunConfig, method: ServerMethod) -> Model:
    """The global weights and the federation's catalogue."""
    return Model(config, method.weights(), method.catalogue())


def delivery_scores(config: RunConfig, method: ServerMethod, replies: Mapping[str, Reply]) -> dict[str, Any]:
    """Scores of the sites' own final predictions; empty outside benchmarks."""
    counts = {site: reply.records[TRUTH]["counts"] for site, reply in replies.items() if TRUTH in reply.records}
    if not counts:
        return {}
    shared = method.catalogue() is not None
    return {
        "global": score_dict(global_scores(counts, config)) if shared else None,
        "local": score_dict(local_scores(counts, config)),
    }


def final_scores(config: RunConfig, history: list[dict[str, Any]], delivered: dict[str, Any]) -> dict[str, Any]:
    """``final`` of ``metrics.json``.

    ``global`` and ``local`` score the sites' own final predictions (the catalogue with the site's prior) where
    the method makes them, else the last discovery's concepts; ``concepts`` holds those in any case.
    """
    last = history[-1]
    discovered = next(
        (record["scores"] for record in reversed(history) if "concepts" in record["scores"]), last["scores"]
    )
    scores = last["scores"]
    final = delivered or scores
    return {
        "global": final["global"] or NOTHING,
        "local": final["local"] or NOTHING,
        "concepts": {"global": discovered["global"] or NOTHING, "local": discovered["local"] or NOTHING},
        "seen_accuracy": scores["seen_accuracy"],
        "categories": last["categories"],
    }
