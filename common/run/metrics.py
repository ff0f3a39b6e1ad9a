"""``metrics.json``: what a whole run came to, in the form that other people's scripts read."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from common.run.record import Categories, Part, PrivacySpent, Score, Scores


class Split(Part):
    """Clustering accuracy over all unlabelled samples, those of seen classes, those of novel ones."""

    all: Score = None
    old: Score = None
    new: Score = None


class Scopes(Part):
    """One match of categories to classes for the federation, and one for every site."""

    global_: Split = Field(Split(), alias="global")
    local: Split = Split()


class DiscoveryFinal(Scopes):
    """Final scores of a run that discovers categories; ``concepts``: of the sites' own last discovery."""

    concepts: Scopes = Scopes()
    seen_accuracy: Score = None
    categories: Categories = Categories()


class GraphFinal(Part):
    """Final accuracies of a graph method: by column, and the same by model, by site and by class."""

    validation: Score = None
    seen: Score
    unseen_node: Score = None
    missing_class: Score = None
    new_client: Score = None
    by_model: Mapping[str, Mapping[str, Score]] | None = None
    by_site: Mapping[str, Mapping[str, Score]] | None = None
    by_class: Mapping[str, Mapping[str, Score]] | None = None
    categories: Categories = Categories()


class Wire(Part):
    """Bytes of arrays that one client sends and gets in one round, on average, beside those of the full model."""

    up_bytes_per_client_round: int | None = None
    down_bytes_per_client_round: int | None = None
    full_model_bytes: int | None = None


class RunSeconds(Part):
    """Seconds of the whole run."""

    total: float | None = None
    client_compute: float | None = None
    discovery: float | None = None
    server: float | None = None


class RunMetrics(Part):
    """All of ``metrics.json``."""

    schema_: Literal[1] = Field(1, alias="schema")
    method: str
    data: str
    clients: int | None = None
    alpha: float | None = None
    seed: int | None = None
    rounds: int = 0
    final: GraphFinal | DiscoveryFinal
    privacy: PrivacySpent | None = None
    wire: Wire = Wire()
    seconds: RunSeconds = RunSeconds()

    @property
    def scores(self) -> Scores:
        """The final scores as a round's record has them."""
        left_out = {"categories", "by_site", "by_class", "by_model"}
        found: Scores = self.final.model_dump(mode="json", by_alias=True, exclude=left_out)
        return found

    def to_json(self) -> dict[str, Any]:
        """JSON values, in the order of the fields; what does not apply to the run is left out."""
        found = self.model_dump(mode="json", by_alias=True)
        if found["privacy"] is None:
            del found["privacy"]
        else:
            found["privacy"] = {key: value for key, value in found["privacy"].items() if value is not None}
        for key in ("by_model", "by_site", "by_class"):
            if found["final"].get(key, ...) is None:
                del found["final"][key]
        return found
