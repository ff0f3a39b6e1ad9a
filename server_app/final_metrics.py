"""``metrics.json``: what a run came to, in the form that other people's scripts read (docs/files.md#metricsjson)."""

from typing import Any

from common.config import RunConfig
from common.methods.registry import get_method, load_hook
from common.privacy.accountant import privacy_reached

SCHEMA = 1


def final_metrics(
    config: RunConfig,
    history: list[dict[str, Any]],
    delivered: dict[str, Any],
    model_bytes: int,
    total_seconds: float,
) -> dict[str, Any]:
    """The final metrics: the last round's model, no selection; ``final`` as the method's results module says."""
    answered = sum(record["clients"]["answered"] for record in history)
    asked = sum(record["clients"]["asked"] for record in history)

    def total(group: str, name: str) -> float:
        return float(sum(record[group][name] for record in history))

    return {
        "schema": SCHEMA,
        "method": config.method,
        "data": config.data,
        "clients": config.clients if config.data else max(record["clients"]["asked"] for record in history),
        "alpha": config.alpha,
        "seed": config.seed,
        "rounds": len(history),
        "final": load_hook(get_method(config.method).results).final_scores(config, history, delivered),
        **({"privacy": privacy} if (privacy := privacy_reached(config, len(history))) else {}),
        "wire": {
            "up_bytes_per_client_round": round(total("bytes", "up") / max(1, answered)),
            "down_bytes_per_client_round": round(total("bytes", "down") / max(1, asked)),
            "full_model_bytes": model_bytes,
        },
        "seconds": {
            "total": total_seconds,
            "client_compute": total("seconds", "client_compute"),
            "discovery": total("seconds", "discovery"),
            "server": total("seconds", "server"),
        },
    }
