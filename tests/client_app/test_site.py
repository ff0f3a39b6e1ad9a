"""A node with a ``site.toml`` stays its site: what is its own or a simulation's, no message of a server sets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict

from client_app.app import app
from client_app.guard import guard
from client_app.institution import NOTHING_SENT
from client_app.site import SITE_CONFIG, RealSite, site_of
from common.config import make_config
from common.methods.registry import all_methods
from common.place import Deployment, Place, Simulation
from common.settings import AnyConfig, Owner, SiteOptions, kebab, settings_of
from common.wire.messages import Instruction, client_content, read_metrics, server_content
from tests.approved import RUN, approve_run

pytestmark = pytest.mark.usefixtures("flower_task")

OWN = SiteOptions(label_column="class", skip_bad_images=True, holdout_fraction=0.25, device="cuda:1", threads=3)
POLICY = """
methods: [fedlpa]
records: [weights, truth]
scalars: [samples, labelled, site]
max-bytes-per-round: 1000000
min-samples: 1
"""
SITE_TOML = """
name = "clinic-a"
server = "localhost:9092"
data = "data.csv"
label-column = "class"
"""


CONFIG = make_config({"data": "", "kind": "vectors", "sample-shape": "2", "seen-classes": "x,y"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site with 20 samples of two columns; its labels stand in the column ``class``."""
    rows = "".join(f"{i},{i % 3},{'xy'[i % 2]}\n" for i in range(20))
    (tmp_path / "data.csv").write_text(f"a,b,class\n{rows}")
    (tmp_path / "site.toml").write_text(SITE_TOML + approve_run(tmp_path, CONFIG))
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def _context(folder: Path) -> Context:
    return Context(7, 1, {SITE_CONFIG: str(folder / "site.toml"), "partition-id": 0}, RecordDict({}), {})


def _message(kind: str = "query", place: Place | None = None, number: int = 1, **settings: object) -> Message:
    told = Instruction(CONFIG.but(**settings), number, place or Deployment(), RUN)
    return Message(server_content(told, {}), dst_node_id=1, message_type=kind)


def _settings(config: AnyConfig, owner: Owner) -> dict[str, object]:
    flat = config.flat()
    return {key: flat[key] for key, _, whose in settings_of(type(config.options)) if whose is owner}


def _flat(own: SiteOptions) -> dict[str, object]:
    return {kebab(name): value for name, value in own}


OTHERS = {
    "data": "digits.csv", "rows": 7, "clients": 9, "held-out-sites": 2, "alpha": 0.7, "labelled-fraction": 0.1,
    "unlabelled-sites": 3, "local-clip-norm": 1.0, "local-noise-multiplier": 1e-9, "classes": ["x", "y", "z"],
    "partition": "random", "score-every": 3,
}  # fmt: skip
"""A value that is not the usual one, of every setting of a simulation."""


@pytest.mark.parametrize("method", all_methods())
def test_only_what_is_the_runs_comes_from_the_run(method: str) -> None:
    usual = make_config({"method": method, "data": ""})
    simulated = _settings(usual, Owner.SIMULATION)
    sent = make_config({"method": method, **{key: OTHERS[key] for key in simulated}})
    assert not [key for key, value in _settings(sent, Owner.SIMULATION).items() if value == simulated[key]]
    mine = RealSite("clinic-a", Path("data.csv"), Path(), Path("policy.yaml"), OWN).configure(sent)
    assert _settings(mine, Owner.SITE) == _flat(OWN)
    assert _settings(mine, Owner.SIMULATION) == simulated | {"clients": 5}  # of all methods; some have their own
    assert _settings(mine, Owner.RUN) == _settings(sent, Owner.RUN)


def test_no_method_has_a_setting_that_is_a_sites_own() -> None:
    """``site.toml`` takes those of ``SiteOptions`` only, so another could never be set."""
    for name, spec in all_methods().items():
        own = {key for key, _, owner in settings_of(spec.options) if owner is Owner.SITE}
        assert own == set(_flat(SiteOptions())), name


@pytest.mark.parametrize("place", [Deployment(), "simulation"])
@pytest.mark.parametrize("said", [{}, {"label_column": "a"}, {"skip_bad_images": True}, {"classes": "x,y,z"}])
def test_data_is_read_as_the_site_says(folder: Path, place: Place | str, said: dict[str, object]) -> None:
    """With the message's label column the answer would be an error; with its place, another site's data."""
    where = Simulation(folder / "elsewhere") if place == "simulation" else Deployment()
    reply = app(_message(place=where, **said), _context(folder))
    assert not reply.has_error(), reply.error
    assert read_metrics(reply.content) == {"samples": 20, "labelled": 18}


@pytest.mark.parametrize(("own", "labelled"), [("", 18), ("holdout-fraction = 0.5\n", 10)])
def test_a_site_measures_by_what_it_chose_itself(folder: Path, own: str, labelled: int) -> None:
    with open(folder / "site.toml", "a") as file:
        file.write(own)
    for said in (0.0, 0.9):
        reply = app(_message(holdout_fraction=said), _context(folder))
        assert read_metrics(reply.content)["labelled"] == labelled


def test_a_message_that_speaks_of_a_simulation_does_not_move_the_site(folder: Path) -> None:
    site = site_of(_context(folder), Simulation(folder / "elsewhere"))
    assert isinstance(site, RealSite)
    assert (site.name, site.data) == ("clinic-a", folder / "data.csv")


@pytest.fixture
def answering(folder: Path) -> Callable[..., Message]:
    """What leaves when the app itself wants to answer with these records and metrics."""

    def answer(message: Message, records: dict[str, dict[str, np.ndarray]], **metrics: float) -> Message:
        def app(message: Message, context: Context) -> Message:
            return Message(client_content(records, metrics), reply_to=message)

        return guard(message, _context(folder), app)

    return answer


@pytest.mark.parametrize("place", [Deployment(), Simulation(Path("elsewhere"))])
def test_what_exists_in_simulations_only_stays_whatever_policy_and_message_say(
    folder: Path, answering: Callable[..., Message], place: Place
) -> None:
    assert (
        answering(_message("train", place, classes="x,y,z"), {}, samples=20).error.code == NOTHING_SENT
    )  # weights are required
    truth = {"truth": {"counts": np.zeros((3, 2), np.int64)}}
    for number, (records, metrics) in enumerate(((truth, {}), ({}, {"site": 0})), start=2):
        reply = answering(_message("train", place, number, classes="x,y,z"), records, samples=20, **metrics)
        assert reply.error.code == NOTHING_SENT
    log = (folder / "state" / "site.log").read_text()
    assert "record 'truth' is not in the contract" in log
    assert "metric 'site' is not in the contract" in log


def test_the_name_of_a_simulated_site_does_not_answer_a_query(answering: Callable[..., Message]) -> None:
    assert answering(_message(), {}, samples=20, site=0).error.code == NOTHING_SENT
    assert answering(_message(), {}, samples=20).has_content()


def test_without_a_policy_nothing_is_judged_fit(folder: Path) -> None:
    (folder / "policy.yaml").unlink()
    reply = app(_message(), _context(folder))
    assert reply.error.code == NOTHING_SENT
    assert not reply.has_content()
