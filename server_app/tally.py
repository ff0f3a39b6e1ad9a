"""What the replies of one round add up to, beside what the method makes of them; and the round's record."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from common.discovery.scores import weighted_mean
from common.methods.plan import RoundPlan
from common.privacy.accountant import privacy_reached
from common.run.record import Absence, Categories, Clients, Outlier, RoundRecord, RoundSeconds, Traffic
from common.settings import AnyConfig
from common.wire.contract import ScalarSpec
from common.wire.records import Metrics, scalar
from server_app.method import Outcome


@dataclass
class Tally:
    """Counted while the replies come in."""

    asked: int = 0
    answered: dict[str, Metrics] = field(default_factory=dict)
    """Metrics of every site whose reply counts."""
    sat_out: list[str] = field(default_factory=list)
    failed: list[Absence] = field(default_factory=list)
    refused: list[Absence] = field(default_factory=list)
    outliers: list[Outlier] = field(default_factory=list)
    up: int = 0
    down: int = 0
    server_seconds: float = 0.0

    def mean(self, metric: str) -> float | None:
        """Mean over the sites that reported ``metric``, weighted by their samples."""
        answers = [m for _, m in sorted(self.answered.items()) if metric in m]
        return weighted_mean((scalar(m, metric), scalar(m, "samples")) for m in answers)

    def means(self, metrics: Mapping[str, ScalarSpec], group: str) -> dict[str, float]:
        """Means of the metrics of one ``group`` that were reported, by their names in a record."""
        found = {
            name.removeprefix(f"{group}-").replace("-", "_"): self.mean(name)
            for name, spec in metrics.items()
            if spec.group == group
        }
        return {name: value for name, value in found.items() if value is not None}

    def total(self, metric: str) -> float:
        """Sum over sites."""
        return float(sum(scalar(m, metric) for m in self.answered.values()))

    def reasons(self) -> str:
        """Why sites are missing, in one line."""
        return "; ".join(f"{entry.site}: {entry.reason}" for entry in self.failed + self.refused)

    def record(
        self,
        config: AnyConfig,
        plan: RoundPlan,
        metrics: Mapping[str, ScalarSpec],
        outcome: Outcome,
        seconds: float,
    ) -> RoundRecord:
        """The round's line in ``rounds.jsonl``; ``metrics``: the scalars of the contract."""
        return RoundRecord(
            round=plan.round,
            rounds=plan.rounds,
            phase=plan.phase,
            loss=self.means(metrics, "loss"),
            scores={"global": None, "local": None, "seen_accuracy": self.mean("seen-accuracy"), **outcome.scores},
            categories=Categories(found=outcome.found, true=len(config.classes) or None),
            concepts=dict(sorted(outcome.concepts.items())),
            health=self.means(metrics, "health"),
            clients=Clients(
                asked=self.asked,
                answered=len(self.answered),
                sat_out=tuple(sorted(self.sat_out)),
                failed=_by_site(self.failed),
                refused=_by_site(self.refused),
                outliers=tuple(self.outliers),
            ),
            privacy=privacy_reached(config, plan.round),
            bytes=Traffic(up=self.up, down=self.down),
            seconds=RoundSeconds(
                round=seconds,
                client_compute=self.total("seconds"),
                discovery=self.total("discovery-seconds"),
                server=self.server_seconds,
            ),
        )


def _by_site(entries: list[Absence]) -> tuple[Absence, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.site))
