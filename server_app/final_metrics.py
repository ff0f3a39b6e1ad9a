"""``metrics.json``: what a run came to, in the form that other people's scripts read."""

from collections.abc import Sequence

from common.config import RunConfig
from common.methods.registry import get_method, load_hook
from common.privacy.accountant import privacy_reached
from common.run.metrics import Final, RunMetrics, RunSeconds, Wire
from common.run.record import RoundRecord


def final_metrics(
    config: RunConfig,
    history: Sequence[RoundRecord],
    delivered: Final | None,
    model_bytes: int,
    total_seconds: float,
) -> RunMetrics:
    """The final metrics: the last round's model, no selection; ``final`` as the method's results module says."""
    asked = [record.clients.asked or 0 for record in history]
    answered = sum(record.clients.answered or 0 for record in history)
    up = sum(record.bytes.up or 0 for record in history)
    down = sum(record.bytes.down or 0 for record in history)
    return RunMetrics(
        method=config.method,
        data=config.data,
        clients=config.clients if config.data else max(asked),
        alpha=config.alpha,
        seed=config.seed,
        rounds=len(history),
        final=load_hook(get_method(config.method).results).final_scores(config, history, delivered),
        privacy=privacy_reached(config, len(history)),
        wire=Wire(
            up_bytes_per_client_round=round(up / max(1, answered)),
            down_bytes_per_client_round=round(down / max(1, sum(asked))),
            full_model_bytes=model_bytes,
        ),
        seconds=RunSeconds(
            total=total_seconds,
            client_compute=sum(record.seconds.client_compute or 0.0 for record in history),
            discovery=sum(record.seconds.discovery or 0.0 for record in history),
            server=sum(record.seconds.server or 0.0 for record in history),
        ),
    )
