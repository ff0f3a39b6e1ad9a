"""``metrics.json``: what a run came to, in the form that other people's scripts read (docs/files.md#metricsjson)."""

from collections.abc import Sequence

from common.place import Place, Simulation
from common.privacy.accountant import privacy_reached
from common.run.metrics import DiscoveryFinal, GraphFinal, RunMetrics, RunSeconds, Wire
from common.run.record import RoundRecord
from common.settings import AnyConfig


def final_metrics(
    config: AnyConfig,
    place: Place,
    history: Sequence[RoundRecord],
    final: DiscoveryFinal | GraphFinal,
    model_bytes: int,
    total_seconds: float,
) -> RunMetrics:
    """What the rounds add up to, beside the ``final`` scores that the method's server makes of them."""
    asked = [record.clients.asked or 0 for record in history]
    answered = sum(record.clients.answered or 0 for record in history)
    up = sum(record.bytes.up or 0 for record in history)
    down = sum(record.bytes.down or 0 for record in history)
    return RunMetrics(
        method=config.method,
        data=config.data,
        clients=config.clients if isinstance(place, Simulation) else max(asked),
        alpha=config.alpha,
        seed=config.seed,
        rounds=len(history),
        final=final,
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
