from pathlib import Path

import pytest

from common.errors import InputError
from fedlpa.federation.init import init_federation


@pytest.mark.parametrize("ports", [{"port": 99999}, {"port": 0}, {"control_port": -1}, {"port": 9091}])
def test_a_port_that_nobody_can_use_is_refused_before_anything_is_written(
    tmp_path: Path, ports: dict[str, int]
) -> None:
    with pytest.raises(InputError, match="port"):
        init_federation(tmp_path / "fl", "localhost", ("a",), **ports)
    assert not list(tmp_path.iterdir())
