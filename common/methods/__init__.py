"""The registry: one entry a method. Both sides find a method's options, schedule, contract and code here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.contract import Contract
from common.errors import InputError, nearest
from common.methods import fedlpa, local_infomap, simgcd
from common.methods.options import Options
from common.methods.schedule import RoundPlan

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
            server="server_app.methods.fedlpa:FedLPAServer",
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
