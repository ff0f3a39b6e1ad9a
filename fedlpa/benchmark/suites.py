"""Which suites there are, and running one of them."""

import importlib

from common.errors import InputError, nearest
from fedlpa.benchmark.request import Request

SUITES = {
    "gcd": "category discovery: every method on every data set, skew and number of clients",
    "ablations": "FedLPA with one setting changed at a time",
    "graph-ablations": "FedLoG, the recipe and the published form, with one part changed at a time",
    "graphs": "node classification: FedLoG and its baselines",
}
"""Each is a module of this package with a function ``suite``, imported when it is asked for."""


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

    module = importlib.import_module(f"fedlpa.benchmark.{name.replace('-', '_')}")
    return run_suite(module.suite(request), request.out, quick=request.quick)
