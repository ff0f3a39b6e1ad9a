"""``metrics.json``: what a whole run came to, in the form that other people's scripts read."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

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


class Final(Part):
    """Base of final scores; a score that is not declared is kept by its name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Score | Mapping[str, Score]]


class DiscoveryFinal(Scopes, Final):
    """Final scores of a run that discovers categories; ``concepts``: of the sites' own last discovery."""

    concepts: Scopes = Scopes()
    seen_accuracy: Score = None
    categories: Categories = Categories()


class Columns(Part):
    """Accuracies of a graph method: on validation nodes, which choose, and on the others, which judge."""

    validation: Score = None
    seen: Score = None
    unseen_node: Score = None
    missing_class: Score = None
    new_client: Score = None


class GraphFinal(Columns, Final):
    """Final accuracies of a graph method, and the same by model, by site and by class."""

    left_out = frozenset({"by_model", "by_site", "by_class"})
    by_model: Mapping[str, Columns] | None = None
    by_site: Mapping[str, Columns] | None = None
    by_class: Mapping[str, Columns] | None = None
    categories: Categories = Categories()


def _kind_of_final(given: object) -> str:
    graph = isinstance(given, GraphFinal) or (isinstance(given, Mapping) and "seen" in given)
    return "graph" if graph else "discovery"


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
    """All of ``metrics.json``; whatever a foreign one lacks is empty, but for ``final``."""

    left_out = frozenset({"privacy"})
    schema_: Literal[1] = Field(1, alias="schema")
    method: str = ""
    data: str = ""
    clients: int | None = None
    alpha: float | None = None
    seed: int | None = None
    rounds: int = 0
    final: Annotated[
        Annotated[GraphFinal, Tag("graph")] | Annotated[DiscoveryFinal, Tag("discovery")],
        Discriminator(_kind_of_final),
    ]
    privacy: PrivacySpent | None = None
    wire: Wire = Wire()
    seconds: RunSeconds = RunSeconds()

    @property
    def scores(self) -> Scores:
        """The final scores as a round's record has them."""
        left_out = {"concepts", "categories", "by_site", "by_class", "by_model"}
        scores: Scores = self.final.model_dump(mode="json", by_alias=True, exclude=left_out)
        return scores
