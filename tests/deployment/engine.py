"""A Docker engine, where there is one: the command line's ``docker``, ``DOCKER_HOST`` and all."""

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

ROOT = Path(__file__).resolve().parents[2]
CHUNK, OVERLAP = 2**24, 2**13


def docker(
    *words: str, seconds: float = 120, check: bool = True, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """``docker words`` to its end."""
    told = subprocess.run(
        ["docker", *words],
        env={**os.environ, "DOCKER_BUILDKIT": "1", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert not check or told.returncode == 0, (words, told.stdout[-3000:], told.stderr[-3000:])
    return told


def why_not() -> str | None:
    """Why no containers can be run; None if they can."""
    if shutil.which("docker") is None:
        return "the command docker is not installed"
    told = docker("info", "--format", "{{.ServerVersion}}", check=False)
    if told.returncode:
        return f"no Docker engine answers ({(told.stderr or told.stdout).strip()[-200:]})"
    told = docker("compose", "version", check=False)
    return None if told.returncode == 0 else "docker compose is not installed"


def inspect(name: str) -> dict[str, Any]:
    """What the engine knows of a container or an image."""
    found: dict[str, Any] = json.loads(docker("inspect", name).stdout)[0]
    return found


def host_side(container: str) -> tuple[list[str], str] | None:
    """The engine's end of the cable of a container's ``eth0``: what to write before ``ip``'s words, and its name.

    None where it cannot be seen, as with an engine in a virtual machine or without root.
    """
    if shutil.which("ip") is None or os.geteuid() != 0:
        return None
    link = "/sys/class/net/eth0"
    ours, theirs = docker("exec", container, "cat", f"{link}/ifindex", f"{link}/iflink").stdout.split()
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    for place in ([], *(["-n", line.split()[0]] for line in listed.splitlines() if line.strip())):
        told = subprocess.run(["ip", *place, "-o", "link"], capture_output=True, text=True, check=False).stdout
        if (found := re.search(rf"(?m)^{theirs}: (veth[^@:]*)@if{ours}:", told)) is not None:
            return place, found[1]
    return None


def files_of(images: tuple[str, ...], archive: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Every file of every layer of ``images``, and their descriptions, as ``docker save`` hands them out."""
    docker("save", "--output", str(archive), *images, seconds=600)
    with tarfile.open(archive) as saved:
        for entry in saved:
            content = saved.extractfile(entry) if entry.isfile() else None
            if content is None:
                continue
            if content.read(2) in {b'{"', b"[{"} or entry.size < 1024:
                content.seek(0)
                yield entry.name, cast(BinaryIO, content)
                continue
            content.seek(0)
            with tarfile.open(fileobj=content, mode="r|*") as layer:
                for file in layer:
                    inner = layer.extractfile(file) if file.isfile() else None
                    if inner is not None:
                        yield file.name, cast(BinaryIO, inner)


def search(content: BinaryIO, pattern: "re.Pattern[bytes]") -> bytes | None:
    """The first match of ``pattern``, which is shorter than 8 KiB, in a file of any size."""
    before = b""
    while chunk := content.read(CHUNK):
        if (found := pattern.search(before + chunk)) is not None:
            return found[0]
        before = chunk[-OVERLAP:]
    return None
