"""``run.toml``: the description of a run that its server carries out and its sites approve.

What a site approves are the *terms* of the run: every setting that is the run's, with its value, defaults included.
Where and how patiently a run is conducted is the server's own business and no part of them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from common.config import check_place, make_config
from common.errors import InputError
from common.place import Deployment
from common.settings import CONDUCT, AnyConfig, Owner, settings_of
from common.toml_file import beside, read_toml

SERVER = "server"
MODEL, MODEL_HASH = "model", "backbone-hash"


@dataclass(frozen=True)
class RunDescription:
    """What a ``run.toml`` says: the configuration, and where ``server.toml`` is on the server's machine."""

    config: AnyConfig
    server: Path


def read_run(path: Path, assigned: Mapping[str, str] | None = None) -> RunDescription:
    """Read a ``run.toml``; ``assigned`` settings win over the file's.

    Raises:
        InputError: missing, no TOML, or a setting that does not fit or is not the run's.
    """
    path = path.absolute()
    settings = read_toml(path)
    server = beside(path, str(settings.pop(SERVER, "server/server.toml")))
    given = {**settings, **(assigned or {})}
    try:
        config = make_config({**given, "data": ""})
    except InputError as error:
        raise InputError(f"{error} (settings of {path}, where it can be mended too)") from None
    check_place(settings, Deployment(), path)
    check_place({"method": config.method, **(assigned or {})}, Deployment(), "--set")
    return RunDescription(config, server)


def is_complete(config: AnyConfig) -> bool:
    """Whether it says what the data looks like, without which no run can start."""
    return bool(config.kind and config.sample_shape and config.seen_classes)


def terms_of(config: AnyConfig) -> dict[str, JsonValue]:
    """What a site approves of ``config``.

    A pretrained model is its hash: in which folder it lies is each machine's own business.
    """
    values = config.flat()
    terms = {
        key: values[key]
        for key, _, owner in settings_of(type(config.options))
        if owner is Owner.RUN and key not in CONDUCT
    }
    if terms[MODEL_HASH]:
        terms[MODEL] = ""
    return terms


def terms_hash(config: AnyConfig) -> str:
    """SHA-256 of the terms, in hexadecimal."""
    text = json.dumps(terms_of(config), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differing_terms(asked: AnyConfig, approved: AnyConfig) -> list[str]:
    """Keys of the terms in which what is asked differs from what was approved; method first, then sorted."""
    mine, theirs = terms_of(approved), terms_of(asked)
    keys = mine.keys() | theirs.keys()
    found = sorted(key for key in keys if mine.get(key, ...) != theirs.get(key, ...))
    return sorted(found, key=lambda key: key != "method")
