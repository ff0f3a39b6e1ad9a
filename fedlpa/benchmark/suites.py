"""Which suites there are, and running one of them."""

from common.errors import InputError, nearest
from fedlpa.benchmark.request import Request


def run_benchmark(name: str, request: Request) -> str:
    """Run the suite ``name``, leave its results in ``request.out`` and return them as Markdown.

    Raises:
        InputError: an unknown suite, or an option that does not fit it.
        RunFailedError: cells failed.
    """
    from fedlpa.benchmark import ablations, gcd_suite, graph_ablations, graph_suite
    from fedlpa.benchmark.suite import run_suite

    suites = {
        "gcd": gcd_suite.suite,
        "ablations": ablations.suite,
        "graph-ablations": graph_ablations.suite,
        "graphs": graph_suite.suite,
    }
    if name not in suites:
        raise InputError(f"unknown benchmark '{name}'; {nearest(name, suites)}")
    if request.out.is_file():
        raise InputError(f"{request.out} is a file; give a folder with --out.")
    if name != "gcd" and (request.alphas or request.clients):
        raise InputError(f"benchmark '{name}' takes neither --alphas nor --clients; they are for gcd.")
    return run_suite(suites[name](request), request.out, quick=request.quick)
