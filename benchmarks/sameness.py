"""Whether a change of the code left every result as it was: a fixed list of runs, each reduced to hashes.

    python benchmarks/sameness.py run --out before.json      # on the code as it was
    python benchmarks/sameness.py run --out after.json       # on the changed code
    python benchmarks/sameness.py compare before.json after.json

A run is known by a hash of every tensor of its model, its ``rounds.jsonl`` without seconds, and a hash of its
``metrics.json`` without seconds and of every site's predictions. They are comparable on one machine with one set of
packages only. ``--fedlpa`` names the command of
another checkout, ``--only`` some of the runs.
"""

import argparse
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SHARED = Path(os.environ.get("FEDLPA_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
EMBEDDINGS, CORA = SHARED / "cifar10-embeddings-train.parquet", SHARED / "cora.npz"

RUNS: dict[str, tuple[str, ...]] = {
    "fedlpa-digits": ("--data", "digits"),
    "fedlpa-embeddings": ("--data", str(EMBEDDINGS), "--set", "rows=2000"),
    "local-infomap": ("--method", "local-infomap", "--data", "digits"),
    "local-only": ("--method", "local-only", "--data", "digits", "--rounds", "8"),
    "fedavg-simgcd": ("--method", "fedavg-simgcd", "--data", "digits", "--rounds", "8"),
    "fedavg-gcd": ("--method", "fedavg-gcd", "--data", "digits", "--rounds", "8"),
    "centralised": ("--method", "centralised", "--data", "digits", "--rounds", "8"),
    "fedlpa-statistics": (
        *("--data", "digits", "--rounds", "8", "--set", "category-statistics=true"),
        *("--set", "held-out-sites=1", "--set", "unlabelled-sites=1"),
    ),
    "fedlpa-strict": ("--data", "digits", "--rounds", "8", "--set", "share-categories=false"),
    "fedlpa-noise": (
        *("--data", "digits", "--rounds", "6", "--set", "share-categories=false", "--set", "local-clip-norm=1"),
        *("--set", "local-noise-multiplier=0.01"),
    ),
    "central-noise": (
        *("--data", "digits", "--rounds", "6", "--set", "share-categories=false", "--set", "central-clip-norm=1"),
        *("--set", "central-noise-multiplier=0.01"),
    ),
    "trimmed-mean": (
        "--data",
        "digits",
        "--rounds",
        "6",
        "--set",
        "aggregation=trimmed-mean",
        "--set",
        "outliers=refuse",
    ),
    "fedlog-cora": ("--method", "fedlog", "--data", str(CORA)),
    "fedlog-table": ("--method", "fedlog", "--data", str(EMBEDDINGS), "--rounds", "8", "--set", "rows=800"),
    "graph-local": ("--method", "graph-local", "--data", str(CORA), "--rounds", "12"),
    "graph-fedavg": ("--method", "graph-fedavg", "--data", str(CORA), "--rounds", "12"),
    "graph-fedprox": ("--method", "graph-fedprox", "--data", str(CORA), "--rounds", "12"),
    "fedlog-published": ("--method", "fedlog-published", "--data", str(CORA), "--rounds", "5"),
}
DEPLOYMENT = "deployment"
SITES = ("site-0", "site-1", "site-2")


def main() -> None:
    """Make the hashes, or compare two files of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run")
    run.add_argument("--out", type=Path, required=True)
    run.add_argument("--fedlpa", default=str(Path(sys.executable).with_name("fedlpa")), help="the command to run")
    run.add_argument("--only", default="", help="comma-separated names of runs")
    compare = verbs.add_parser("compare")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    given = parser.parse_args()
    if given.verb == "compare":
        sys.exit(compare_files(given.before, given.after))
    chosen = [name for name in given.only.split(",") if name] or [*RUNS, DEPLOYMENT]
    found: dict[str, Any] = json.loads(given.out.read_text()) if given.out.exists() else {}
    for name in chosen:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            if name == DEPLOYMENT:
                deploy(given.fedlpa, Path(folder), out)
            else:
                call(given.fedlpa, "simulate", *RUNS[name], "--set", "device=cpu", "--out", str(out))
            found[name] = hashes(out)
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
        given.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def compare_files(before: Path, after: Path) -> int:
    """Print a line a run; 1 if any differs."""
    old, new = json.loads(before.read_text()), json.loads(after.read_text())
    differs = 0
    for name in sorted(old.keys() & new.keys()):
        parts = [
            part for part in sorted(old[name].keys() | new[name].keys()) if old[name].get(part) != new[name].get(part)
        ]
        differs += bool(parts)
        print(f"{name}: {'same' if not parts else 'differs in ' + ', '.join(parts)}")
        for place in differences(old[name].get("rounds"), new[name].get("rounds"), "rounds"):
            print(f"  {place}")
    for name in sorted(old.keys() ^ new.keys()):
        print(f"{name}: in one file only")
    return min(1, differs)


def differences(old: Any, new: Any, place: str) -> list[str]:
    """Where two JSON values differ, and how."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [found for key in keys for found in differences(old.get(key), new.get(key), f"{place}/{key}")]
    return [] if old == new else [f"{place}: {old} -> {new}"]


def hashes(run: Path) -> dict[str, Any]:
    """What a finished run is known by."""
    from safetensors.numpy import load_file

    rounds = [json.loads(line) for line in (run / "rounds.jsonl").read_text().splitlines()]
    metrics = json.loads((run / "metrics.json").read_text())
    predictions = sorted((run / "sites").glob("*/predictions.parquet"))
    return {
        "weights": {
            name: hashlib.sha256(array.tobytes()).hexdigest()[:16]
            for name, array in load_file(run / "model" / "weights.safetensors").items()
        },
        "rounds": {str(record["round"]): without_seconds(record) for record in rounds},
        "metrics": hash_of(without_seconds({**metrics, "data": Path(metrics["data"]).name})),
        "predictions": [hash_of(read_predictions(path)) for path in predictions],
        "final": metrics["final"],
    }


def without_seconds(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what no two runs share."""
    return {key: value for key, value in record.items() if key != "seconds"}


def hash_of(value: Any) -> str:
    """Of the canonical JSON text."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def read_predictions(path: Path) -> list[dict[str, Any]]:
    """The rows of a site's predictions."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def call(fedlpa: str, *arguments: str) -> None:
    """Run a command to its end, in silence unless it fails."""
    done = subprocess.run([fedlpa, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"fedlpa {' '.join(arguments)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")


def deploy(fedlpa: str, folder: Path, out: Path) -> None:
    """Three sites and a server as processes of this machine; 6 rounds on the digits."""
    call(
        fedlpa, "partition", "--data", "digits", "--clients", "3", "--alpha", "0.5", "--seed", "0", "--out", str(folder)
    )
    port, control = free_ports(2)
    home = folder / "fl"
    like = [part for site in SITES for part in ("--data-like", str(folder / f"{site}.parquet"))]
    call(
        fedlpa, "federation", "init", str(home), "--host", "localhost", "--sites", ",".join(SITES), *like,
        "--port", str(port), "--control-port", str(control), "--set", "rounds=6", "--set", "min-clients=3",
        "--set", "device=cpu",
    )  # fmt: skip
    started = [start(fedlpa, folder / "server.out", "server", "start", "--config", str(home / "server/server.toml"))]
    try:
        for site in SITES:
            shutil.copyfile(folder / f"{site}.parquet", home / "sites" / site / "data.parquet")
            config = str(home / "sites" / site / "site.toml")
            started.append(start(fedlpa, folder / f"{site}.out", "site", "start", "--config", config))
        wait_for_server(folder / "server.out")
        call(fedlpa, "run", "--config", str(home / "run.toml"), "--out", str(out))
        for site in SITES:
            kept = out / "sites" / site
            kept.mkdir(parents=True)
            shutil.copyfile(home / "sites" / site / "state" / "predictions.parquet", kept / "predictions.parquet")
    finally:
        for child in started:
            child.terminate()
        for child in started:
            child.wait(30)


def start(fedlpa: str, log: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """A command that goes on until it is ended."""
    with open(log, "wb") as output:
        return subprocess.Popen([fedlpa, *arguments], stdout=output, stderr=subprocess.STDOUT)


def wait_for_server(log: Path) -> None:
    """Until the server says that it takes sites."""
    end = time.monotonic() + 60
    while "ready:" not in log.read_text():
        if time.monotonic() > end:
            sys.exit(f"the server is not ready after 60 s:\n{log.read_text()}")
        time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    """Ports that were free just now."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


if __name__ == "__main__":
    main()
