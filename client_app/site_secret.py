"""A random number that only the site knows: noise drawn with it repeats at the site and surprises everybody else."""

import hashlib
import hmac
import secrets
from pathlib import Path

import numpy as np

from common.files import write_atomically

FILE = "site.secret"
BYTES = 32


def site_secret(home: Path) -> bytes:
    """The secret of the site whose state folder is ``home``; drawn where there is none, or not a whole one."""
    path = home / FILE
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        found = b""
    if len(found) != BYTES:
        found = secrets.token_bytes(BYTES)
        write_atomically(path, lambda temporary: temporary.write_bytes(found), mode=0o600)
    return found


def secret_generator(home: Path, purpose: str) -> np.random.Generator:
    """The generator of one ``purpose``: the same whenever it is asked for here, unknown to whoever lacks the secret."""
    key = hmac.digest(site_secret(home), purpose.encode(), hashlib.sha256)
    return np.random.default_rng(np.frombuffer(key, dtype=np.uint32))
