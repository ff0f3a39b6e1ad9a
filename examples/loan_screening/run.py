"""Local overfitting of three banks, and its cure: ``python examples/loan_screening/run.py --out runs/loans``.

Writes the banks' synthetic data as a partition, trains each bank alone, all by FedAvg, and all by FedLoG, and draws
how well the models do at home and abroad. Five minutes on 2 cores.
"""

import argparse
from pathlib import Path
from typing import Any

from tables import BANKS, OUTCOMES, loan_table

from common.config import make_config
from common.data.graph_partition import cut_groups
from common.data.partition_files import write_partition
from common.data.table_graph import table_nodes, with_table_edges
from fedlpa.simulate import simulate

METHODS = {"graph-local": "each bank alone", "graph-fedavg": "FedAvg", "fedlog": "FedLoG"}
PLACES = {
    "seen": "home: its own customers",
    "unseen_node": "home: new customers",
    "missing_class": "abroad: a kind it never had",
    "new_client": "abroad: a new bank",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--loans", type=int, default=400, help="loans a bank")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args()
    partition = given.out / "partition"
    if not partition.exists():
        table, banks = loan_table(given.loans, given.seed)
        parts = cut_groups(table_nodes(table, OUTCOMES), banks, given.seed, hidden_classes=1)
        meta = {"dataset": "synthetic loans", "kind": "vectors", "class_names": OUTCOMES, "sites": BANKS}
        write_partition(with_table_edges(parts, 10), partition, meta)
    results = {}
    for method, title in METHODS.items():
        settings = {"method": method, "data": "synthetic loans", "partition": str(partition), "rounds": given.rounds}
        config = make_config({**settings, "seed": given.seed, "out": str(given.out / method)})
        results[title] = simulate(config, overwrite=True, say=print)["final"]
        print(title, {name: _percent(results[title][name]) for name in PLACES})
    draw(results, given.out / "home-and-abroad.svg")
    print(f"written: {given.out / 'home-and-abroad.svg'}")


def draw(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Bars of accuracy by place, one for each way to train."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(results)
    for i, (title, final) in enumerate(results.items()):
        values = [100 * (final[place] or 0) for place in PLACES]
        bars = axes.bar([k + (i - 1) * width for k in range(len(PLACES))], values, width, label=title)
        axes.bar_label(bars, fmt="%.0f", fontsize="small")
    axes.set_xticks(range(len(PLACES)), [text.replace(": ", ":\n") for text in PLACES.values()])
    axes.set_ylabel("accuracy, per cent")
    axes.set_ylim(0, 105)
    axes.set_title("Synthetic loans: what a bank's model knows at home and abroad")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=3, loc="upper right")
    figure.savefig(path)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


if __name__ == "__main__":
    main()
