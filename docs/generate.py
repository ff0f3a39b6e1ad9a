"""Write ``docs/reference/``: settings, wire contract and commands, as the code declares them.

    python docs/generate.py

A test regenerates the pages and compares them with what is there.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import typer

from common.config import Setting, describe_settings, make_config
from common.methods.registry import all_methods, get_method
from common.place import Simulation
from common.settings import AnyConfig
from common.wire.contract import ArraySpec, Contract, ScalarSpec
from fedlpa.cli import app

FOLDER = Path(__file__).resolve().parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code; change it there and run `python docs/generate.py`. -->"

DIGITS = {"kind": "images", "sample-shape": "1,8,8", "classes": "0,1,2,3,4,5,6,7,8,9", "seen-classes": "0,1,2,3,4"}
CORA = {"kind": "graph", "sample-shape": "1433", "classes": "0,1,2,3,4,5,6", "seen-classes": "0,1,2,3,4,5,6"}
CONSENTED = {"category-statistics": "true"}
"""Switches that widen what may leave, so that the page shows all of it."""


def pages() -> dict[str, str]:
    """The pages' texts by file name."""
    return {"settings.md": settings_page(), "contract.md": contract_page(), "commands.md": commands_page()}


def settings_page() -> str:
    """All settings: those of every method once, then each method's own."""
    described = {method: describe_settings(method) for method in all_methods()}
    keys = [{row.key for row in rows} for rows in described.values()]
    shared = keys[0].intersection(*keys[1:])
    header = ("setting", "default", "whose", "what it does")
    lines = [
        "# Settings",
        NOTE,
        "Flags of `fedlpa simulate`, `--set key=value`, keys of `run.toml`, or settings in Flower's run config;\n"
        "`fedlpa settings --method METHOD` prints them too. A *run* setting is the server's to make for all. A *site*\n"
        "setting is each real site's own, in its `site.toml`, whatever the run says. A *simulation* setting exists\n"
        "nowhere else.",
        "## Every method",
        _table(header, _shared_rows(described, shared)),
    ]
    own = {
        method: [_setting_row(row, _shown(row.default)) for row in rows if row.key not in shared]
        for method, rows in described.items()
    }
    for method, rows in own.items():
        twin = next(other for other, known in own.items() if known == rows)
        summary = get_method(method).summary
        lines += [f"## {method}", f"{summary[0].upper()}{summary[1:]}."]
        lines.append(_table(header, rows) if twin == method else f"The settings of [{twin}](#{twin}).")
    return _joined(lines)


def contract_page() -> str:
    """What may leave a site, by method, for the digits and for Cora."""
    lines = [
        "# Wire contract",
        NOTE,
        "What may leave a site, for two examples: the digits (images of 1 x 8 x 8, five of ten classes seen) and Cora\n"
        "(graphs of 1,433 features, seven classes). Shapes follow from the configuration; `*` is any length up to the\n"
        "given one. What the records are for: [contract.md](../contract.md).",
    ]
    contracts = {method: get_method(method).contract(_example(method), Simulation(Path())) for method in all_methods()}
    header = ("record", "when", "array", "dtype", "shape", "range")
    for method, contract in contracts.items():
        twin = next(other for other, known in contracts.items() if known == contract)
        lines.append(f"## {method}")
        lines.append(_table(header, _record_rows(contract)) if twin == method else f"As [{twin}](#{twin}).")
    lines += ["## Scalars", _table(("metric", "range", "methods"), _metric_rows(contracts))]
    return _joined(lines)


def commands_page() -> str:
    """The command line."""
    root = typer.main.get_command(app)
    return _joined(["# Commands", NOTE, root.help or "", *_command_lines("fedlpa", root)])


def _example(method: str) -> AnyConfig:
    given = DIGITS if get_method(method).embeds_samples else CORA
    consented = CONSENTED if CONSENTED.keys() <= {row.key for row in describe_settings(method)} else {}
    return make_config({"method": method, **given, **consented})


def _shared_rows(described: dict[str, list[Setting]], shared: set[str]) -> Iterator[tuple[str, ...]]:
    """A setting's usual default, and behind it those that differ by method."""
    for row in (row for row in described["local-only"] if row.key in shared):
        others: dict[str, list[str]] = {}
        for method, rows in described.items():
            own = next(other.default for other in rows if other.key == row.key)
            if own != row.default and row.key != "method":
                others.setdefault(own, []).append(method)
        exceptions = "".join(f"; {value} for {', '.join(methods)}" for value, methods in others.items())
        yield _setting_row(row, _shown("fedlpa" if row.key == "method" else row.default) + exceptions)


def _setting_row(row: Setting, default: str) -> tuple[str, ...]:
    return f"`{row.key}`", default, row.owner, _plain(row.description)


def _record_rows(contract: Contract) -> Iterator[tuple[str, ...]]:
    for record in contract.records:
        when = "always" if record.required else "optional"
        when += ", by the policy's consent" if record.consent else ""
        when += ", benchmarks only" if record.benchmark else ""
        when += ", and at delivery" if record.at_delivery else ""
        for name, spec in record.arrays.items():
            yield f"`{record.name}`", when, f"`{name}`", spec.dtype, _shape(spec), _range(spec)


def _metric_rows(contracts: dict[str, Contract]) -> Iterator[tuple[str, str, str]]:
    specs = {(name, spec) for contract in contracts.values() for name, spec in contract.metrics.items()}
    for name, spec in sorted(specs, key=lambda pair: (pair[0], str(pair[1]))):
        having = [method for method, contract in contracts.items() if contract.metrics.get(name) == spec]
        kind = " whole numbers" if spec.whole else ""
        many = f", {spec.length} of them" if spec.length else ""
        yield f"`{name}`", f"{_range(spec)}{kind}{many}", "all" if len(having) == len(contracts) else ", ".join(having)


def _shape(spec: ArraySpec) -> str:
    text = " x ".join("*" if side is None else str(side) for side in spec.shape) or "one number"
    return f"{text} (at most {spec.most})" if None in spec.shape else text


def _range(spec: ArraySpec | ScalarSpec) -> str:
    if math.isinf(spec.low) and math.isinf(spec.high):
        return "finite"
    high = "2^40" if spec.high == 2**40 else f"{spec.high:g}"
    return f"{spec.low:g} to {high}"


def _command_lines(name: str, command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for part, inner in command.commands.items():
            yield from _command_lines(f"{name} {part}", inner)
        return
    yield f"## {name}"
    yield _plain(command.help or "")
    rows = [_parameter_row(parameter) for parameter in command.params if parameter.name != "help"]
    yield _table(("parameter", "value", "default", "what it does"), rows)
    if command.epilog:
        head, _, example = command.epilog.partition(": ")
        yield f"{head}: `{example}`"


def _parameter_row(parameter: click.Parameter) -> tuple[str, ...]:
    argument = isinstance(parameter, click.Argument)
    shown = (parameter.name or "").upper() if argument else ", ".join(f"`{name}`" for name in parameter.opts)
    flag = isinstance(parameter, click.Option) and parameter.is_flag
    value = "" if flag else str(parameter.metavar or parameter.type.name)
    default = "required" if parameter.required else "" if flag or parameter.default in (None, "") else parameter.default
    return shown, value, str(default), _plain(str(getattr(parameter, "help", None) or ""))


def _shown(default: str) -> str:
    return default or "(empty)"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return text.replace("<", "&lt;").replace("|", "\\|")


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (header, *rows)]
    return "\n".join([lines[0], "|---" * len(header) + "|", *lines[1:]])


def _joined(blocks: Iterable[str]) -> str:
    return "\n\n".join(blocks) + "\n"


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
