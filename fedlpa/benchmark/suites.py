"""Which suites there are, and running one of them."""

from common.errors import InputError, nearest
from fedlpa.benchmark.request import Request
from fedlpa.benchmark.suite import Suite


def _gcd(request: Request) -> Suite:
    """Category discovery: every method on every data set, skew and number of clients."""
    from fedlpa.benchmark.gcd_suite import suite

    return suite(request)


def _ablations(request: Request) -> Suite:
    """FedLPA with one setting changed at a time."""
    from fedlpa.benchmark.ablations import suite

    return suite(request)


def _graph_ablations(request: Request) -> Suite:
    """FedLoG, the recipe and the published form, with one part changed at a time."""
    from fedlpa.benchmark.graph_ablations import suite

    return suite(request)


def _graphs(request: Request) -> Suite:
    """Node classification: FedLoG and its baselines."""
    from fedlpa.benchmark.graph_suite import suite

    return suite(request)


SUITES = {"gcd": _gcd, "ablations": _ablations, "graph-ablations": _graph_ablations, "graphs": _graphs}


def run_benchmark(name: str, request: Request) -> str:
    """Run the suite ``name``, leave its results in ``request.out`` and return them as Markdown.

    Raises:
        InputError: an unknown suite, or an option that does not fit it.
        RunFailedError: cells failed.
    """
    if name not in SUITES:
        raise InputError(f"unknown benchmark '{name}'; {nearest(name, SUITES)}")
    if request.out.is_file():
        raise InputError(f"{request.out} is a file; give a folder with --out.")
    if name != "gcd" and (request.alphas or request.clients):
        raise InputError(f"benchmark '{name}' takes neither --alphas nor --clients; they are for gcd.")
    from fedlpa.benchmark.suite import run_suite

    return run_suite(SUITES[name](request), request.out, quick=request.quick)
