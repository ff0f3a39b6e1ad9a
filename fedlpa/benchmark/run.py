"""Which suites there are, and running one of them."""

import importlib
import importlib.util

from common.errors import InputError, nearest
from fedlpa.benchmark.request import Request

SUITES = {
    "gcd": "category discovery: every method on every data set, skew and number of clients",
    "ablations": "FedLPA with one setting changed at a time",
    "graphs": "node classification: FedLoG and its baselines",
}


def run_benchmark(name: str, request: Request) -> str:
    """Run the suite ``name``, leave its results in ``request.out`` and return them as Markdown.

    Raises:
        InputError: an unknown suite, or an option that does not fit it.
        RunFailedError: cells failed.
    """
    known = [suite for suite in SUITES if importlib.util.find_spec(f"fedlpa.benchmark.{suite}") is not None]
    if name not in known:
        raise InputError(f"unknown benchmark '{name}'; {nearest(name, known)}")
    if request.out.is_file():
        raise InputError(f"{request.out} is a file; give a folder with --out.")
    module = importlib.import_module(f"fedlpa.benchmark.{name}")
    if not hasattr(module, "suite"):
        if request.seeds or request.methods or request.data or request.settings:
            raise InputError(f"benchmark '{name}' takes --quick and no other option; leave the others out.")
        return str(module.run(request.out, request.quick) or "")
    from fedlpa.benchmark.suite import run_suite

    return run_suite(module.suite(request), request.out, quick=request.quick)
