"""``fedlpa site check``: every finding, good and bad, with its cause. The connection's own are tested with a server."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from client_app.site_config import SiteConfig, load_site_config
from common.config import make_config
from common.methods.registry import get_method
from common.place import Deployment
from common.settings import AnyConfig
from fedlpa.federation.config_files import policy_yaml
from fedlpa.flower.pin import installed_hash
from fedlpa.site import check, room
from fedlpa.site.approval import approve
from fedlpa.site.check import check_site
from fedlpa.site.connection import Finding

REACHED = (Finding("address", True, "fl.example.org is 192.0.2.1"), Finding("port", False, "port 9092 is closed"))
RUN = {"method": "fedlpa", "kind": "vectors", "sample-shape": [2], "seen-classes": ["x", "y"]}
GIB = 2**30


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine with a disk of the test's choice and no network."""
    made = SimpleNamespace(free=7 * GIB, asked=[])

    def usage(path: Path) -> SimpleNamespace:
        made.asked.append(path)
        return SimpleNamespace(free=made.free)

    monkeypatch.setattr(check, "check_connection", lambda config: list(REACHED))
    monkeypatch.setattr(room, "shutil", SimpleNamespace(disk_usage=usage))
    return made


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    """Writes ``run.toml``, and the policy that fits it with changes: a value, or None for a line to leave out."""

    def to_files(run: dict[str, object] | None = None, **changes: object) -> None:
        given = {**RUN, **(run or {})}
        (tmp_path / "run.toml").write_text("".join(f"{key} = {value!r}\n" for key, value in given.items()))
        policy = yaml.safe_load(policy_yaml(make_config(given)))
        policy |= {key.replace("_", "-"): value for key, value in changes.items()}
        (tmp_path / "policy.yaml").write_text(yaml.safe_dump({k: v for k, v in policy.items() if v is not None}))

    return to_files


def finding(config: SiteConfig, name: str, run: Path | None = None) -> tuple[bool, str]:
    found = [each for each in check_site(config, run) if each.check == name]
    assert len(found) == 1, name
    return found[0].ok, found[0].told


def bytes_of_weights(config: AnyConfig) -> int:
    """Of the arrays' contents, by NumPy."""
    specs = get_method(config.method).contract(config, Deployment()).arrays["weights"].values()
    return sum(np.zeros([n or 0 for n in spec.shape], np.float32).nbytes for spec in specs)


def test_a_site_in_order_passes_every_check_in_its_order(
    make_site: Callable[..., SiteConfig], write: Callable[..., None], tmp_path: Path
) -> None:
    write()
    make_site(approved_run="")
    assert approve(tmp_path / "site.toml").run is not None
    found = check_site(load_site_config(tmp_path / "site.toml"))
    names = ["address", "port", "state", "disk", "application", "run", "data", "policy", "changes"]
    assert [each.check for each in found] == names
    assert found[:2] == list(REACHED)
    assert all(each.ok for each in found[2:])
    assert [each.told for each in found[2:]] == [
        f"{tmp_path / 'state'} can be written",
        f"7.0 GiB are free below {tmp_path / 'state'}",
        f"the installed application is the approved one ({installed_hash()[:12]})",
        f"fedlpa, 30 rounds, is approved ({load_site_config(tmp_path / 'site.toml').approved_run[:12]})",
        "30 samples, 27 labelled, fit the run",  # a tenth is held out
        f"{tmp_path / 'policy.yaml'} lets out what the run needs",
        "0 of 1000 rounds are answered so far",
    ]
    assert list((tmp_path / "state").iterdir()) == []
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_state_that_cannot_be_written(make_site: Callable[..., SiteConfig], tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    ok, told = finding(make_site(state="a-file"), "state")
    assert not ok
    assert told.startswith(f"{tmp_path / 'a-file'} cannot be written (")
    assert told.endswith("correct 'state'")


@pytest.mark.parametrize(("free", "ok"), [(2 * GIB, True), (2 * GIB - 1, False)])
def test_a_disk_that_is_almost_full(
    make_site: Callable[..., SiteConfig], machine: SimpleNamespace, tmp_path: Path, free: int, ok: bool
) -> None:
    (tmp_path / "in-the-way").touch()
    machine.free = free
    place = tmp_path / "in-the-way"  # the folder that is asked about cannot be made
    found = finding(make_site(state="in-the-way/state"), "disk")
    assert found == (ok, f"{'' if ok else 'only '}2.0 GiB are free below {place}{'' if ok else '; 2 GiB are needed'}")
    assert machine.asked == [place]


@pytest.mark.parametrize("approved", ["", "0" * 64])
def test_another_application_than_the_approved_one(make_site: Callable[..., SiteConfig], approved: str) -> None:
    config = make_site(approved_app=approved)
    ok, told = finding(config, "application")
    assert not ok
    assert f"application {installed_hash()} is not the approved one, {approved or 'none'};" in told
    assert told.endswith(f"run 'fedlpa site approve --config {config.source}'")


@pytest.mark.parametrize("partly", [None, "kind = 'vectors'\n", "seen-classes = ['x']\nkind = 'vectors'\n"])
def test_without_a_run_that_says_what_is_expected_data_and_policy_are_read_alone(
    make_site: Callable[..., SiteConfig], write: Callable[..., None], tmp_path: Path, partly: str | None
) -> None:
    write()
    (tmp_path / "run.toml").unlink()
    if partly is not None:
        (tmp_path / "run.toml").write_text(partly)
    config = make_site()
    assert finding(config, "data") == (True, "30 vectors of shape (2,); no run.toml says what is expected")
    assert finding(config, "policy") == (True, f"{config.policy} can be used")
    (tmp_path / "policy.yaml").write_text("methods: [fedavg-gcd]\nmax-bytes-per-round: 1\nmin-samples: 1\n")
    assert finding(config, "policy") == (True, f"{config.policy} can be used")
    (tmp_path / "policy.yaml").write_text("methods: [fedavg-gcd]\nmax-bytes-per-round: -1\nmin-samples: 1\n")
    assert not finding(config, "policy")[0]
    (tmp_path / "data.csv").write_text("a,label\n1,x\nmany,y\n")
    ok, told = finding(config, "data")
    assert not ok
    assert "many" in told
    assert not told.endswith(".")


def test_a_label_column_of_the_sites_own_is_read(make_site: Callable[..., SiteConfig], tmp_path: Path) -> None:
    text = (tmp_path / "data.csv").read_text()
    (tmp_path / "data.csv").write_text(text.replace("label", "class"))
    assert finding(make_site(label_column="class"), "data")[0]
    assert not finding(make_site(), "data")[0]


def test_a_run_that_cannot_be_read_is_named_and_nothing_is_checked_against_it(
    make_site: Callable[..., SiteConfig], write: Callable[..., None], tmp_path: Path
) -> None:
    write()
    with open(tmp_path / "run.toml", "a") as file:
        file.write("knnn = 3\n")
    found = check_site(make_site())
    assert [(each.check, each.ok) for each in found[-2:]] == [("application", True), ("run", False)]
    assert "did you mean 'knn'" in found[-1].told
    assert not found[-1].told.endswith(".")


def test_a_run_given_by_its_path_takes_the_place_of_the_one_beside(
    make_site: Callable[..., SiteConfig], write: Callable[..., None], tmp_path: Path
) -> None:
    write({"sample-shape": [5]})
    (tmp_path / "run.toml").rename(tmp_path / "other.toml")
    write()
    assert finding(make_site(), "data")[0]
    assert "the run expects vectors of shape (5,)" in finding(make_site(), "data", tmp_path / "other.toml")[1]


@pytest.mark.parametrize(
    ("run", "data", "told"),
    [
        ({"sample-shape": [3]}, "data.csv", "holds vectors of shape (2,), the run expects vectors of shape (3,)"),
        ({"seen-classes": ["x", "z"]}, "data.csv", "has the label 'y', which is not a seen class of this run"),
        ({}, "elsewhere.csv", "elsewhere.csv does not exist; correct 'data' in"),
    ],
)
def test_data_that_does_not_fit_the_run(
    make_site: Callable[..., SiteConfig], write: Callable[..., None], run: dict[str, object], data: str, told: str
) -> None:
    write(run)
    found = check_site(make_site(data=data))
    assert [each.check for each in found[-2:]] == ["data", "policy"]
    assert (found[-2].ok, found[-1].ok) == (False, True)
    assert told in found[-2].told


def test_a_policy_that_is_missing_or_names_another_method(
    make_site: Callable[..., SiteConfig], write: Callable[..., None], tmp_path: Path
) -> None:
    write(methods=["fedavg-gcd"])
    assert finding(make_site(), "policy")[0] is False
    assert "does not allow the method 'fedlpa'" in finding(make_site(), "policy")[1]
    (tmp_path / "policy.yaml").unlink()
    assert "policy.yaml does not exist, so nothing may leave" in finding(make_site(), "policy")[1]


def test_a_policy_that_is_stricter_than_the_run_is_told_everything_it_holds_back(
    make_site: Callable[..., SiteConfig], write: Callable[..., None], tmp_path: Path
) -> None:
    weights = bytes_of_weights(make_config(RUN))
    support = make_config(RUN).options.min_support
    write(records=["weights"], scalars=["samples"], max_bytes_per_round=weights - 1, min_samples=support + 1)
    ok, told = finding(make_site(), "policy")
    assert not ok
    start, *parts = told.removeprefix(f"{tmp_path / 'policy.yaml'} is stricter than the run: ").split("; ")
    assert start == "record 'catalogue' is not in the policy"
    metrics = {part for part in parts if part.startswith("metric")}
    assert metrics == {
        f"metric '{name}' is not in the policy"
        for name in get_method("fedlpa").contract(make_config(RUN), Deployment()).metrics
        if name not in ("samples", "site")  # only simulated sites report their number
    }
    assert [part for part in parts if part not in metrics] == [
        f"the weights alone have {weights} bytes, max-bytes-per-round is {weights - 1}",
        f"categories of {support} samples may be sent (min-support), min-samples is {support + 1}",
    ]


def test_the_smallest_policy_that_lets_out_what_the_run_needs(
    make_site: Callable[..., SiteConfig], write: Callable[..., None]
) -> None:
    weights = bytes_of_weights(make_config(RUN))
    write(max_bytes_per_round=weights, min_samples=make_config(RUN).options.min_support)
    assert finding(make_site(), "policy")[0]


def test_without_rows_the_samples_behind_one_do_not_matter(
    make_site: Callable[..., SiteConfig], write: Callable[..., None]
) -> None:
    write({"share-categories": "false"}, min_samples=25)
    assert finding(make_site(), "policy")[0]
