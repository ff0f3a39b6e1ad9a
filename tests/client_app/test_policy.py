"""The site's policy: it narrows the contract, and without it nothing leaves."""

import json

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict

from client_app.audit import FILE, verify
from client_app.guard import guard
from client_app.institution import NOTHING_SENT
from client_app.policy import load_policy
from client_app.site import SITE_CONFIG
from common.config import make_config
from common.errors import InputError, RunFailedError
from common.methods.registry import get_method
from common.place import Deployment
from common.privacy.accountant import epsilon
from common.wire.messages import Instruction, client_content, read_arrays, server_content
from tests.approved import RUN, approve_run

pytestmark = pytest.mark.usefixtures("flower_task")

POLICY = """
methods: [fedlpa]
records: [weights, catalogue]
scalars: [samples, seconds]
max-bytes-per-round: 1000000
min-samples: 5
"""

WEIGHTS_ONLY = POLICY.replace("[weights, catalogue]", "[weights]").replace("[samples, seconds]", "[samples]")
NOISY = WEIGHTS_ONLY + "clip-norm: 1.0\nnoise-multiplier: 2.0\n"


class RealSite:
    """A configured site, and a guarded ClientApp that answers what it is told to."""

    def __init__(self, folder, policy=POLICY):
        self.folder = folder
        if policy is not None:
            (folder / "policy.yaml").write_text(policy)
        settings = {"data": "", "kind": "vectors", "sample-shape": "4", "seen-classes": "x,y"}
        self.config = make_config(settings)
        site = 'name = "a"\nserver = "localhost:9092"\ndata = "data.parquet"\n'
        (folder / "site.toml").write_text(site + approve_run(folder, self.config))
        self.number = 0
        specs = get_method("fedlpa").contract(self.config, Deployment()).arrays["weights"]
        self.weights = {name: np.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}
        self.ran = False

    def answer(self, records=None, config=None, kind="train", run=RUN, number=None, **metrics):
        """What leaves when the app answers with ``records`` (default: weights) and ``metrics``; the next round's."""
        self.number = self.number + 1 if number is None else number
        turn = {"train": self.number, "query": 1, "train.deliver": self.config.rounds + 1}[kind]
        instruction = Instruction(config or self.config, turn, Deployment(), run)
        message = Message(server_content(instruction, {"weights": self.weights}), dst_node_id=1, message_type=kind)
        message.metadata.__dict__["_message_id"] = "1"
        context = Context(7, 1, {SITE_CONFIG: str(self.folder / "site.toml")}, RecordDict({}), {})

        def app(message, context):
            self.ran = True
            found = {"weights": self.weights} if records is None else records
            return Message(client_content(found, {"samples": 10, **metrics}), reply_to=message)

        return guard(message, context, app)

    @property
    def events(self):
        lines = (self.folder / "state" / FILE).read_text().splitlines()
        return [(line["outcome"], line["bytes"]) for line in map(json.loads, lines)]

    @property
    def log(self):
        return (self.folder / "state" / "site.log").read_text()


@pytest.fixture
def site(tmp_path):
    return RealSite(tmp_path)


def test_what_policy_and_contract_allow_leaves_and_is_logged(site):
    assert site.answer(seconds=1.0).has_content()
    found = verify(site.folder / "state" / FILE)
    assert found.messages == 1
    assert found.bytes > 0


def rows(count):
    return {
        "rows": np.ones((1, 128), np.float32),
        "counts": np.array([count]),
        "names": np.array([-1]),
    }


@pytest.mark.parametrize(
    ("records", "metrics", "told"),
    [
        (None, {"seen-accuracy": 0.5}, "metric 'seen-accuracy' is not in the policy"),
        (None, {"samples": 4}, "fewer than min-samples=5"),
        ("rows", {}, "1 category rows stand for fewer than min-samples=5"),
        (None, {"labels": 3}, "metric 'labels' is not in the contract"),
        ("extra", {}, "record 'extra' is not in the contract"),
        ("labels", {}, "has dtype int64"),
        ("oversized", {}, "has shape"),
        ("truth", {}, "record 'truth' is not in the contract"),
    ],
)
def test_what_they_do_not_allow_is_held_back(site, records, metrics, told):
    first = next(iter(site.weights))
    width = 4
    made = {
        None: None,
        "rows": {"weights": site.weights, "catalogue": rows(3)},
        "extra": {"weights": site.weights, "extra": {"x": np.zeros(3, np.float32)}},
        "labels": {"weights": {**site.weights, first: np.arange(width)}},
        "oversized": {"weights": {**site.weights, first: np.zeros((4096, 4), site.weights[first].dtype)}},
        "truth": {"weights": site.weights, "truth": {"counts": np.ones((2, 2), np.int64)}},
    }[records]
    if records == "rows":
        from common.models import feature_width

        made["catalogue"]["rows"] = np.ones((1, feature_width(site.config)), np.float32)
    config = site.config.but(classes=("x", "y")) if records == "truth" else None
    reply = site.answer(made, config, **metrics)
    assert reply.has_error()
    assert reply.error.code == NOTHING_SENT
    assert told in site.log
    assert told not in reply.error.reason
    assert site.events == [("held-back", 0)]


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (None, "does not exist, so nothing may leave"),
        ("methods: [fedlpa", "policy.yaml is not YAML text at line 1, so nothing may leave"),
        ("", "does not hold settings"),
        (POLICY.replace("fedlpa", "fedlog"), "does not allow the method 'fedlpa'"),
        (POLICY + "min-sample: 3\n", "did you mean 'min-samples'?"),
        (POLICY.replace("max-bytes-per-round: 1000000", ""), "'max-bytes-per-round' is missing"),
        (POLICY + "noise-multiplier: 1.0\n", "noise-multiplier needs clip-norm"),
        (POLICY + "noise-multiplier: 1.0\nclip-norm: 1.0\n", "records may be [weights] only"),
        (NOISY.replace("[samples]", "[samples, seconds]"), "scalars may be [samples] only"),
        (POLICY + "max-epsilon: 1.0\n", "max-epsilon needs noise-multiplier"),
    ],
)
@pytest.mark.parametrize("kind", ["train", "query", "train.deliver"])
def test_without_a_usable_policy_nothing_runs_and_nothing_leaves(tmp_path, policy, told, kind):
    site = RealSite(tmp_path, policy)
    reply = site.answer({}, kind=kind)
    assert reply.has_error()
    assert reply.error.code == NOTHING_SENT
    assert not site.ran
    assert told in site.log


def test_too_many_bytes_are_held_back(tmp_path):
    site = RealSite(tmp_path, POLICY.replace("1000000", "100"))
    assert site.answer().has_error()
    assert "bytes are more than max-bytes-per-round=100" in site.log


def test_what_cannot_be_logged_does_not_leave(site):
    (site.folder / "state").mkdir()
    (site.folder / "state" / FILE).mkdir()
    reply = site.answer()
    assert reply.has_error()
    assert reply.error.code == NOTHING_SENT


@pytest.mark.parametrize("whole", [0, 1, 2])
def test_a_line_that_a_crash_cut_short_is_replaced(site, whole):
    for _ in range(whole):
        site.answer()
    path = site.folder / "state" / FILE
    path.parent.mkdir(exist_ok=True)
    with open(path, "a") as file:
        file.write('{"n": 9, "records": "' + "x" * 5000)
    assert site.answer().has_content()
    assert verify(path).messages == whole + 1


def test_missing_data_at_a_real_site_is_an_error_not_an_absence(site):
    from client_app.app import _sits_out
    from client_app.site import real_site
    from client_app.site_config import load_site_config

    with pytest.raises(InputError, match="does not exist; correct 'data'"):
        _sits_out(real_site(load_site_config(site.folder / "site.toml")))


def test_an_update_is_clipped_and_noised(tmp_path):
    policy = WEIGHTS_ONLY + "clip-norm: 1.0\n"
    site = RealSite(tmp_path, policy)
    moved = {"weights": {name: array + 10 for name, array in site.weights.items()}}
    clipped = read_arrays(site.answer(moved).content)["weights"]
    assert norm(clipped) == pytest.approx(1.0, rel=1e-3)
    (tmp_path / "policy.yaml").write_text(policy + "noise-multiplier: 2.0\n")
    noised = read_arrays(site.answer(moved).content)["weights"]
    size = sum(array.size for array in noised.values())
    assert norm(noised) == pytest.approx(2.0 * size**0.5, rel=0.1)
    assert {name: array.dtype for name, array in noised.items()} == {
        name: array.dtype for name, array in site.weights.items()
    }
    site.answer(moved)
    assert f"update 2 of this run left with noise: epsilon {epsilon(2.0, 2):.3g}" in site.log
    site.answer(moved, run="fedcba9876543210", number=1)
    third = f"update 1 of this run left with noise: epsilon {epsilon(2.0, 1):.3g} at delta 1e-05"
    assert f"{third} ({epsilon(2.0, 3):.3g} over all runs of this site)" in site.log


def test_noise_of_a_real_site_cannot_be_drawn_again_and_ignores_the_run_s_settings(tmp_path):
    """Whoever could draw it again, by the run's seed, could take it off."""
    site = RealSite(tmp_path, NOISY)
    config = site.config.but(local_clip_norm=100.0, local_noise_multiplier=1e-9)
    first, again = (read_arrays(site.answer(config=config).content)["weights"] for _ in range(2))
    assert norm(first) > 1.0
    assert all(np.any(first[name] != again[name]) for name in first)


def norm(arrays):
    return float(np.sqrt(sum(np.square(array, dtype=np.float64).sum() for array in arrays.values())))


def test_every_change_of_the_audit_log_is_found(site):
    for _ in range(3):
        site.answer()
    path = site.folder / "state" / FILE
    lines = path.read_text().splitlines(keepends=True)
    assert verify(path).messages == 3
    for changed in (
        [lines[0], lines[1].replace('"bytes": ', '"bytes": 1'), lines[2]],
        [lines[0], lines[2]],
        [lines[1], lines[2]],
        [lines[0], lines[2], lines[1]],
        [lines[0], lines[0], lines[1], lines[2]],
        [lines[0], lines[1], lines[2][:-20]],
        [lines[0], "\n", lines[1]],
    ):
        path.write_text("".join(changed))
        with pytest.raises(RunFailedError, match="does not continue the chain"):
            verify(path)


def test_policy_settings_are_read_as_written(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    policy = load_policy(path, "fedlpa")
    assert policy.min_samples == 5
    assert policy.records == ("weights", "catalogue")
