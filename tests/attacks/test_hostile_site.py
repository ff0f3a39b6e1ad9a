"""One site of five lies to a federation: it is named, and the others' model is what it is without the lie.

The measured table is ``benchmarks/hostile_site.py``; here a few rounds show each defence at work in a whole run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message

from benchmarks.hostile_replies import ATTACKS, twisted
from common.place import Simulation
from common.run.model_files import load_model
from common.run.record import read_rounds
from common.run.run_files import RunFiles
from common.settings import AnyConfig
from server_app.run import run
from tests.fake_grid import SimulatedSites

pytestmark = [pytest.mark.usefixtures("flower_task"), pytest.mark.runs]
SITES, BAD, ROUNDS = 5, 2, 6
Prepare = Callable[..., tuple[AnyConfig, RunFiles]]


def federation(prepare: Prepare, folder: str, attack: str = "", sites: int = SITES, **settings: object) -> RunFiles:
    """A run of ``sites`` sites on some digits, one of which lies."""
    config, files = prepare(folder, rows=400, clients=sites, alpha=1.0, rounds=ROUNDS, data="digits", **settings)

    def twist(site: int, kind: str, number: int, reply: Message, message: Message) -> Message | None:
        if not attack or site != BAD or kind != "train":
            return reply
        return twisted(reply, message, number, len(config.seen_classes), ATTACKS[attack])

    run(SimulatedSites(sites, twist), config, files, Simulation(files.sites), lambda record: None)
    return files


def reasons(files: RunFiles) -> dict[int, str]:
    """By round, why the bad site's reply was refused."""
    return {
        record.round: entry.reason
        for record in read_rounds(files.rounds)
        for entry in record.clients.refused
        if entry.site == f"site-{BAD}"
    }


def others(files: RunFiles) -> set[str]:
    """Sites that were refused though they are honest."""
    found = {entry.site for record in read_rounds(files.rounds) for entry in record.clients.refused}
    return found - {f"site-{BAD}"}


def weights(files: RunFiles) -> Any:
    model = load_model(files.model)
    return np.concatenate([np.asarray(model.weights[name], np.float64).ravel() for name in sorted(model.weights)])


@pytest.mark.parametrize("attack", ["flip", "flip-x10"])
def test_a_turned_update_is_left_out_and_its_site_named(small_federation: Prepare, attack: str) -> None:
    files = federation(small_federation, "run", attack)
    found = reasons(files)
    assert 1 in found
    assert all("points away from the others'" in reason for reason in found.values())
    assert len(found) >= 3
    assert not others(files)


def test_numbers_that_overflow_cost_their_site_the_round_and_the_run_goes_on(small_federation: Prepare) -> None:
    files = federation(small_federation, "run", "huge")
    assert reasons(files).keys() == set(range(1, ROUNDS))  # in the last it has no category left to send
    assert all("outside [" in reason for reason in reasons(files).values())
    assert np.isfinite(weights(files)).all()
    assert not others(files)


def test_a_site_that_claims_the_world_weighs_no_more_than_three(small_federation: Prepare) -> None:
    """Without the cap the model is the liar's own: it weighs 2**40 samples of some hundred."""
    honest, lied = federation(small_federation, "honest"), federation(small_federation, "lied", "claim")
    assert np.linalg.norm(weights(lied) - weights(honest)) < 0.2 * np.linalg.norm(weights(honest))
    assert not reasons(lied)
    assert not reasons(honest)
    assert not others(honest)


def test_more_categories_than_samples_are_refused(small_federation: Prepare) -> None:
    files = federation(small_federation, "run", "flood")
    assert any("it sends 1000 rows and can have" in reason for reason in reasons(files).values())


def test_with_three_sites_the_run_says_that_it_cannot_tell(
    small_federation: Prepare, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    files = federation(small_federation, "run", "flip-x10", sites=3)
    assert not reasons(files)
    assert f"site-{BAD} sends an update that points away from the others'" in caplog.text
    assert "with 3 sites it cannot be told who is wrong" in caplog.text
