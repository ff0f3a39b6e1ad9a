"""``fedlpa run``: submit the application to the SuperLink, follow the run's files, and go on after failures."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.errors import InputError, RunFailedError
from common.files import write_json
from common.locks import hold_lock
from common.run.record import RoundRecord, Watch
from common.run.run_files import RunFiles
from common.settings import AnyConfig
from fedlpa.federation.server_config import ServerConfig
from fedlpa.flower.bundle import build_bundle
from fedlpa.flower.control import NoServerError, RunState, control, state, stop, submit
from fedlpa.flower.supervisor import Backoff, Say
from fedlpa.liveness import FILE, is_well
from server_app.deployment import FAILED, STATUS, is_running

FLOWER_RUN = "flower-run.json"
POLL = 1.0
"""Seconds between two looks at the run."""
GONE = 5.0
"""Seconds after which a ServerApp that let go of the run's folder without a word is taken for dead."""
PATIENCE = 120.0
"""Seconds that the server may be away before that counts as a failed try."""


def run_federation(
    config: AnyConfig,
    server: ServerConfig,
    *,
    overwrite: bool = False,
    tries: int = 10,
    watch: Watch | None = None,
    say: Say | None = None,
) -> dict[str, Any]:
    """Run ``config`` on the federation of ``server``, on the server's own machine, and leave its files in ``out``.

    An unfinished run in the folder goes on from its checkpoint; one that is still running is followed. When the
    ServerApp or the SuperLink dies, the run is submitted again.

    Args:
        tries: submissions without a new round in between, after which it ends.

    Returns:
        the run's metrics, as in ``metrics.json``.

    Raises:
        InputError: settings or folder will not do.
        RunFailedError: the run ended without a result; its folder says how far it came.
    """
    files = RunFiles(Path(config.out))
    files.claim(config, overwrite=overwrite)
    files.folder.mkdir(parents=True, exist_ok=True)
    busy = f"another 'fedlpa run' works on {files.folder}; wait for it, or choose another --out."
    with hold_lock(files.folder / ".follow.lock", busy=busy):
        files.write_config(config)
        for name in (FAILED, STATUS):
            (files.folder / name).unlink(missing_ok=True)
        _Following(files, server, watch or _ignore, say or _ignore).until_done(tries)
    (say or _ignore)("writing the report")
    from fedlpa.report.write import write_report

    write_report(files.folder)
    metrics: dict[str, Any] = json.loads(files.metrics.read_text(encoding="utf-8"))
    return metrics


@dataclass
class _Following:
    """A run being followed: what was shown of it already."""

    files: RunFiles
    server: ServerConfig
    watch: Watch
    say: Say
    shown: dict[int, RoundRecord] = field(default_factory=dict)
    note: str = ""
    submitted: bool = False

    def until_done(self, tries: int) -> None:
        backoff, left = Backoff(most=30.0), tries
        bundle = build_bundle()
        run_id = self._still_running()
        while True:
            before = len(self.shown)
            if run_id is None:
                run_id = self._submit(bundle)
            ended = self._follow(run_id)
            self._show()
            self._raise_own_failure()
            if ended.ok and self.files.metrics.exists():
                return
            left = tries - 1 if len(self.shown) > before else left - 1
            cause = ended.detail or "it ended without a result"
            if left <= 0:
                raise RunFailedError(
                    f"the run broke off {tries} times without a new round ({cause}); see "
                    f"{self.server.state}/server.log and repeat the command to go on."
                )
            pause = backoff.next()
            self.say(f"the run broke off ({cause}); going on from its checkpoint in {pause:g} s")
            time.sleep(pause)
            run_id = None

    def _still_running(self) -> int | None:
        """The Flower run on this folder that an earlier command left running."""
        try:
            run_id = int(_peek(self.files.folder / FLOWER_RUN)["run-id"])
            with control(self.server) as client:
                if state(client, run_id).status != "finished":
                    self.say("following the run that is already going on")
                    return run_id
        except (KeyError, ValueError, RunFailedError):
            pass
        return None

    def _submit(self, bundle: bytes) -> int:
        """Submit the run. A server that was there a moment ago is being started again: it is waited for.

        Raises:
            NoServerError: no server is running, or it stayed away.
        """
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with control(self.server) as client:
                    run_id = submit(client, bundle, str(self.files.folder))
                write_json(self.files.folder / FLOWER_RUN, {"run-id": str(run_id)})
                self.submitted = True
                self.say("submitted; waiting for sites")
                return run_id
            except NoServerError:
                if time.monotonic() > end or not (self.submitted or is_well(self.server.state / FILE)):
                    raise
                self._note("the server does not answer; waiting for it")
                time.sleep(POLL)

    def _follow(self, run_id: int) -> RunState:
        away_since: float | None = None
        was_running = False
        gone_since: float | None = None
        try:
            while True:
                self._show()
                try:
                    with control(self.server) as client:
                        found = state(client, run_id)
                    away_since = None
                    if found.status == "finished":
                        return found
                    running = is_running(self.files.folder)
                    was_running = was_running or running
                    silent = was_running and not running and not self._has_ended()
                    gone_since = (gone_since or time.monotonic()) if silent else None
                    if gone_since is not None and time.monotonic() - gone_since > GONE:
                        self._stop(run_id)
                        return RunState("finished", False, "the ServerApp died")
                except NoServerError as error:
                    away_since = away_since or time.monotonic()
                    if time.monotonic() - away_since > PATIENCE:
                        return RunState("finished", False, str(error))
                except RunFailedError as error:
                    return RunState("finished", False, str(error))
                time.sleep(POLL)
        except KeyboardInterrupt:
            self._stop(run_id)
            raise RunFailedError("stopped; repeat the command to go on from the checkpoint.") from None

    def _has_ended(self) -> bool:
        return self.files.metrics.exists() or (self.files.folder / FAILED).exists()

    def _stop(self, run_id: int) -> None:
        try:
            with control(self.server) as client:
                stop(client, run_id)
        except RunFailedError as error:
            self.say(str(error))

    def _show(self) -> None:
        """Show rounds and notes that were written since the last look."""
        for record in self.files.history():
            if self.shown.get(record.round) != record:
                self.shown[record.round] = record
                self.watch(record)
        self._note(str(_peek(self.files.folder / STATUS).get("message", "")))

    def _note(self, note: str) -> None:
        if note and note != self.note:
            self.note = note
            self.say(note)

    def _raise_own_failure(self) -> None:
        """What the round loop itself gave up on: trying again would not help."""
        found = _peek(self.files.folder / FAILED)
        if found:
            raise (InputError if found.get("kind") == "input" else RunFailedError)(str(found.get("message")))


def _peek(path: Path) -> dict[str, Any]:
    """The JSON object in a file of the server's; empty where there is none, or none that is whole."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _ignore(_: Any) -> None:
    pass
