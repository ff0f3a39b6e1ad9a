"""The configuration files that ``federation init`` writes, with the comments people will read."""

import json
from collections.abc import Sequence

from common.config import make_config
from common.methods.discovery_common import CATALOGUE, COMMON_METRICS
from common.methods.registry import get_method
from common.place import Deployment
from common.settings import AnyConfig
from common.wire.records import SIMULATED_METRICS, WEIGHTS


def server_toml(port: int, control_port: int) -> str:
    """``server/server.toml``."""
    return f"""\
# The federation's server. Start it with: fedlpa server start --config server.toml
# Relative paths are relative to this file.

host = "0.0.0.0"            # address to listen on for sites
port = {port}                 # the one port that sites must reach (gRPC over TLS)
control-port = {control_port}         # for 'fedlpa run' on this machine; never open it to others
# health-port = 9099        # gRPC health checks, on this machine

certificate = "server.crt"
key = "server.key"          # secret
ca = "ca.crt"

sites = "sites"             # the sites' public keys, <name>.pub; add or remove one while the server runs
state = "state"             # logs and Flower's files
database = "state/superlink.db"   # keep it on a disk that survives: sites and runs are in it
"""


def run_toml(config: AnyConfig, sites: int, *, at_site: bool) -> str:
    """``run.toml``, or the copy of it that a site gets for its preflight."""
    usual = make_config({"method": config.method})

    def chosen(name: str, default: object) -> str:
        value = getattr(config, name)
        return json.dumps(default if value == getattr(usual, name) else value)

    head = (
        "# The run that this site is asked to take part in, for 'fedlpa site check'. The server decides what is run;\n"
        "# policy.yaml decides what leaves.\n"
        if at_site
        else "# What to run. Start it on the server's machine with: fedlpa run --config run.toml --out RUN\n"
        "# Any setting of 'fedlpa simulate' may stand here.\n\n"
        'server = "server/server.toml"\n'
    )
    found = bool(config.kind)
    return f"""\
{head}
method = {json.dumps(config.method)}
rounds = {config.rounds}
seed = {config.seed}

# What the data looks like. Data never reaches the server, so it has to be said here;
# 'fedlpa data check DATA' at a site tells it, 'federation init --data-like DATA' fills it in.
{"" if found else "# "}kind = {json.dumps(config.kind or "images")}
{"" if found else "# "}sample-shape = {json.dumps(list(config.sample_shape or (1, 8, 8)))}
# The names of all labelled classes of all sites. Everybody in the federation can read them.
{"" if config.seen_classes else "# "}seen-classes = {json.dumps(list(config.seen_classes or ("cat", "dog")))}

# Who has to be there.
min-clients = {chosen("min_clients", max(1, (sites + 2) // 2))}             # replies that make a round
round-timeout = {chosen("round_timeout", 3600.0)}      # seconds to wait for a round's replies
grace-period = {chosen("grace_period", 600.0)}        # seconds that stragglers get once min-clients have answered
quorum-timeout = {chosen("quorum_timeout", 86400.0)}   # seconds without them after which the run ends, resumable

# Updates that are far from the others: report, clip, refuse, ignore.
outliers = {chosen("outliers", "report")}
# How updates are joined: mean, median, trimmed-mean, multi-krum.
aggregation = {chosen("aggregation", "mean")}
{_others(config)}"""


def _others(config: AnyConfig) -> str:
    """Lines for settings that differ from the defaults and have no line of their own."""
    written = {"method", "rounds", "seed", "kind", "sample-shape", "seen-classes", "data", "out"}
    written |= {"min-clients", "round-timeout", "grace-period", "quorum-timeout", "outliers", "aggregation"}
    usual = make_config({"method": config.method}).flat()
    lines = [
        f"{key} = {json.dumps(value)}\n"
        for key, value in config.flat().items()
        if key not in written and value != usual[key] and value is not None
    ]
    return "\n" + "".join(lines) if lines else ""


def site_toml(name: str, server: str, approved: str) -> str:
    """``sites/<name>/site.toml``."""
    return f"""\
# This institution's part in the federation. It stays here; the server never sees it.
# Relative paths are relative to this file.
#   1. name your data below      2. read policy.yaml      3. fedlpa site check --config site.toml
#   4. fedlpa site start --config site.toml

name = {json.dumps(name)}
server = {json.dumps(server)}

data = "data.parquet"       # Parquet, CSV, or an image folder; see 'fedlpa data check'
# label-column = "label"
state = "state"             # private state, predictions, site.log, audit.jsonl
policy = "policy.yaml"      # what may leave; without it nothing does

ca = "ca.crt"               # whom to believe that they are the server
key = "site.key"            # secret; proves to the server who you are

# The application that may run here, by its hash. A server that names another one gets nothing.
# After an update that you trust: fedlpa site approve --config site.toml
approved-app = {json.dumps(approved)}
"""


def policy_yaml(config: AnyConfig) -> str:
    """``sites/<name>/policy.yaml``: what the run's method sends, and nothing beside it."""
    records, others, metrics = _sent(config)
    scalars = "\n".join(f"  - {name}" for name in metrics)
    consent = f"\n# By your consent only: {', '.join(others)}" if others else ""
    return f"""\
# What may leave this institution. A reply that holds anything else is held back, and site.log says why.
# This file can only narrow what the application's wire contract allows. Without it, nothing leaves.

methods: [{config.method}]

# Arrays. weights: the trained tensors. catalogue: a mean feature vector a category, with its count.{consent}
records: [{", ".join(records)}]

# Numbers. 'samples' is needed: it weighs the site's update.
scalars:
{scalars}

max-bytes-per-round: 100000000

# Samples that must stand behind a reply, and behind each category row in it.
min-samples: 5

# Differential privacy: clip the update of the weights to this norm, and add noise of clip-norm x noise-multiplier.
# Needs 'records: [weights]' and a run with share-categories = false; scalars carry no noise.
# clip-norm: 1.0
# noise-multiplier: 1.0
"""


def _sent(config: AnyConfig) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    if not (config.kind and config.sample_shape and config.seen_classes):
        return [WEIGHTS, CATALOGUE], [], sorted(set(COMMON_METRICS) - set(SIMULATED_METRICS))
    contract = get_method(config.method).contract(config, Deployment())
    usual = [record.name for record in contract.records if not record.consent]
    others = [record.name for record in contract.records if record.consent]
    return usual, others, sorted(set(contract.metrics) - set(SIMULATED_METRICS))
