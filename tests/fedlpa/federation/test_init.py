from pathlib import Path

import pytest

from client_app.policy import load_policy
from common.errors import InputError
from common.methods.registry import all_methods
from fedlpa.federation.init import add_site, init_federation


@pytest.mark.parametrize("ports", [{"port": 99999}, {"port": 0}, {"control_port": -1}, {"port": 9091}])
def test_a_port_that_nobody_can_use_is_refused_before_anything_is_written(
    tmp_path: Path, ports: dict[str, int]
) -> None:
    with pytest.raises(InputError, match="port"):
        init_federation(tmp_path / "fl", "localhost", ("a",), **ports)
    assert not list(tmp_path.iterdir())


OWN = {"device": "cpu", "threads": "2", "label-column": "class"}


def _own_lines(folder: Path) -> list[str]:
    text = (folder / "site.toml").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith(tuple(OWN))]


def test_a_site_that_comes_later_starts_with_what_the_others_were_given(tmp_path: Path) -> None:
    init_federation(tmp_path / "fl", "localhost", ("clinic-a",), settings=OWN)
    added = add_site(tmp_path / "fl", "clinic-b")
    assert _own_lines(added) == _own_lines(tmp_path / "fl" / "sites" / "clinic-a")
    assert sorted(_own_lines(added)) == ['device = "cpu"', 'label-column = "class"', "threads = 2"]


@pytest.mark.parametrize("method", [name for name, spec in all_methods().items() if not spec.pooled])
def test_a_federation_can_be_set_up_before_anybody_knows_the_data(tmp_path: Path, method: str) -> None:
    init_federation(tmp_path / "fl", "localhost", ("clinic-a",), settings={"method": method})
    assert load_policy(tmp_path / "fl" / "sites" / "clinic-a" / "policy.yaml", method).scalars


@pytest.mark.parametrize("settings", [{"model": "convnet"}, {"model": "convnet", "kind": "images"}])
def test_a_model_may_be_chosen_before_the_data(tmp_path: Path, settings: dict[str, str]) -> None:
    init_federation(tmp_path / "fl", "localhost", ("clinic-a",), settings=settings)
    assert 'model = "convnet"' in (tmp_path / "fl" / "run.toml").read_text(encoding="utf-8")
