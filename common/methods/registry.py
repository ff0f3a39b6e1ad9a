"""The registry: one entry a method. Both sides find a method's options, schedule, contract and code here."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from common.errors import InputError, nearest
from common.methods import fedlog_published, fedlpa, gcd, graph_baselines, local_infomap, local_only, simgcd
from common.methods import graph_common as graph
from common.methods.fedlog import spec as fedlog
from common.methods.plan import RoundPlan
from common.settings import Options
from common.wire.contract import Contract
from common.wire.records import WEIGHTS

if TYPE_CHECKING:
    from common.config import RunConfig


@dataclass(frozen=True)
class Method:
    """What the shared machinery needs to know of a method.

    ``client`` and ``server`` name modules, imported when a run starts: neither side loads the other's code.
    """

    name: str
    summary: str
    options: type[Options]
    rounds: Callable[["RunConfig"], int]
    plan: Callable[["RunConfig", int], RoundPlan]
    contract: Callable[["RunConfig"], Contract]
    client: str
    server: str
    pooled: bool = False
    """Whether the method is no federation: a simulation then merges all sites into one."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Shared settings whose defaults differ for this method, by kebab-case key."""
    simulation: str = "server_app.sites.lay_samples:prepare_samples"
    """``module:function`` that lays out a simulation's sites: (config, files, overwrite) -> resolved config."""
    site_data: str = "client_app.site_data:load_samples"
    """``module:function`` that reads a site's data: (site, config) -> SiteData."""
    embeds_samples: bool = True
    """Whether the model maps single samples to features, as ``fedlpa predict`` and the report's map need it."""
    results: str = "server_app.results.discovery"
    """Module that scores the delivery and makes the final scores and model (``server_app.results``)."""


def _graph_method(
    name: str,
    summary: str,
    options: type[Options],
    contract: Callable[["RunConfig"], Contract],
    client: str,
    server: str,
    rounds: int,
    plan: Callable[["RunConfig", int], RoundPlan] = graph.plan,
) -> Method:
    """An entry of a method on graphs: they share the schedule, unless told otherwise, and the hooks."""
    return Method(
        name=name,
        summary=summary,
        options=options,
        rounds=lambda config: config.rounds,
        plan=plan,
        contract=contract,
        client=client,
        server=server,
        defaults={"rounds": rounds, "clients": 3},
        simulation="server_app.sites.lay_graphs:prepare_graphs",
        site_data="client_app.graphs.node_data:load_graph_data",
        results="server_app.results.graphs",
        embeds_samples=False,
    )


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="fedlpa",
            summary="FedLPA: local category discovery with Infomap and local prior alignment; K unknown",
            options=fedlpa.FedLPAOptions,
            rounds=lambda config: config.rounds,
            plan=fedlpa.plan,
            contract=fedlpa.contract,
            client="client_app.methods.fedlpa",
            server="server_app.methods.fedlpa.server:FedLPAServer",
            defaults={"rounds": fedlpa.ROUNDS},
        ),
        Method(
            name="local-infomap",
            summary="baseline: every site clusters its own inputs with Infomap; nothing is trained or shared",
            options=local_infomap.LocalInfomapOptions,
            rounds=lambda config: 1,
            plan=local_infomap.plan,
            contract=local_infomap.contract,
            client="client_app.methods.local_infomap",
            server="server_app.methods.local_infomap:LocalInfomapServer",
        ),
        Method(
            name="fedavg-simgcd",
            summary="baseline: FedAvg of SimGCD, a parametric head that is told K, uniform prior",
            options=simgcd.SimGCDOptions,
            rounds=lambda config: config.rounds,
            plan=simgcd.plan,
            contract=simgcd.contract,
            client="client_app.methods.simgcd",
            server="server_app.methods.simgcd:SimGCDServer",
        ),
        Method(
            name="fedavg-gcd",
            summary="baseline: FedAvg of GCD's contrastive training, then one-shot federated k-means that is told K",
            options=gcd.GCDOptions,
            rounds=lambda config: config.rounds,
            plan=gcd.plan,
            contract=gcd.contract,
            client="client_app.methods.gcd",
            server="server_app.methods.gcd:GCDServer",
        ),
        Method(
            name="local-only",
            summary="baseline: every site discovers and trains as in FedLPA, on its own; nothing is shared",
            options=local_only.LocalOnlyOptions,
            rounds=lambda config: config.rounds,
            plan=local_only.plan,
            contract=local_only.contract,
            client="client_app.methods.local_only",
            server="server_app.methods.local_only:LocalOnlyServer",
        ),
        Method(
            name="centralised",
            summary="baseline: FedLPA with all data in one place, the upper bound; simulation only",
            options=fedlpa.FedLPAOptions,
            rounds=lambda config: config.rounds,
            plan=fedlpa.plan,
            contract=fedlpa.contract,
            client="client_app.methods.fedlpa",
            server="server_app.methods.fedlpa.server:FedLPAServer",
            pooled=True,
            defaults={"rounds": fedlpa.ROUNDS},
        ),
        _graph_method(
            "fedlog",
            "FedLoG: graphs and tables; condensed synthetic data against local overfitting",
            fedlog.FedLoGOptions,
            fedlog.contract,
            "client_app.methods.fedlog",
            "server_app.methods.fedlog:FedLoGServer",
            rounds=60,
        ),
        _graph_method(
            "fedlog-published",
            "FedLoG as published: prototype branches, learnable synthetic nodes, neighbour generators; graphs only",
            fedlog_published.PublishedOptions,
            fedlog_published.contract,
            "client_app.methods.fedlog_published",
            "server_app.methods.fedlog_published.server:PublishedServer",
            rounds=60,
            plan=fedlog_published.plan,
        ),
        _graph_method(
            "graph-local",
            "graph baseline: every site trains a GraphSAGE on its own; nothing is shared",
            graph.BaselineOptions,
            graph_baselines.local_contract,
            "client_app.methods.graph_local",
            "server_app.methods.graph_baselines:GraphLocalServer",
            rounds=100,
        ),
        _graph_method(
            "graph-fedavg",
            "graph baseline: FedAvg of a GraphSAGE, scored before and after averaging",
            graph.BaselineOptions,
            graph_baselines.averaged_contract,
            "client_app.methods.graph_fedavg",
            "server_app.methods.graph_baselines:GraphFedAvgServer",
            rounds=100,
        ),
        _graph_method(
            "graph-fedprox",
            "graph baseline: FedProx of a GraphSAGE, scored as graph-fedavg is",
            graph.FedProxOptions,
            graph_baselines.averaged_contract,
            "client_app.methods.graph_fedavg",
            "server_app.methods.graph_baselines:GraphFedAvgServer",
            rounds=100,
        ),
    )
}


def get_method(name: str) -> Method:
    """The method called ``name``.

    Raises:
        InputError: there is none; names the nearest.
    """
    if name not in METHODS:
        raise InputError(f"unknown method '{name}'; {nearest(name, METHODS)}")
    return METHODS[name]


def round_contract(contract: Contract, plan: RoundPlan) -> Contract:
    """What a reply of one round may hold: no weights where the round trains none."""
    return contract.without(WEIGHTS) if plan.keeps_weights else contract


def updates_sent(config: "RunConfig", rounds: int) -> int:
    """How many of the first ``rounds`` rounds send an update of the weights."""
    plan = get_method(config.method).plan
    return sum(not plan(config, number).keeps_weights for number in range(1, rounds + 1))


def load_hook(reference: str) -> Any:
    """The function that ``module:name`` names, or the module where no name is given."""
    module, _, name = reference.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found
