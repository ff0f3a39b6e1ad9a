"""A message that is lost in a breaking connection, after the server has handed it out: the site gets it again."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from federation import Federation, rounds_of, wait_for
from recorder import Recorder

SITES = ("site-0", "site-1")
SMALL = 1500
"""An answer "no work for you" is shorter than this, one that names a message with a model is longer."""


class Cutter(Recorder):
    """Once ``armed``, drops the next answer that holds a message, and the connection with it."""

    armed = False
    cut = 0

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, record: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if not record and self.armed and len(data) > SMALL:
                    self.armed = False
                    self.cut += 1
                    break
                target.write(data)
                await target.drain()
        with contextlib.suppress(OSError):
            target.close()


@pytest.fixture
def federation(tmp_path: Path, code: Path, small: Path) -> Iterator[tuple[Federation, Cutter]]:
    made = Federation(tmp_path, code, SITES, ("rounds=3", "min-clients=2", "round-timeout=300", "quorum-timeout=300"))
    made.init(small)
    cutter = Cutter(made.home / "server", made.port, made.home / "ca" / "ca.crt")
    path = made.site("site-0") / "site.toml"
    path.write_text(path.read_text().replace(f"localhost:{made.port}", f"localhost:{cutter.port}"))
    try:
        made.start_all()
        yield made, cutter
    finally:
        made.stop()
        cutter.close()


@pytest.mark.slow
def test_the_round_goes_on_with_the_site(federation: tuple[Federation, Cutter], tmp_path: Path) -> None:
    made, cutter = federation
    out = tmp_path / "out"
    made.start("run", "run", "--config", str(made.home / "run.toml"), "--out", str(out))
    wait_for(lambda: len(rounds_of(out)) >= 1 or made.running["run"].poll() is not None, 200, "the first round")
    cutter.armed = True
    made.running["run"].wait(400)
    assert made.running["run"].returncode == 0, made.told("run") + made.told("server")
    assert cutter.cut == 1
    assert "asking again" not in made.told("run"), "the round waited for its timeout and was repeated"
    for record in rounds_of(out):
        assert record["clients"]["answered"] == 2, record["clients"]
        assert not record["clients"]["failed"]
