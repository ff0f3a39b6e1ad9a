"""Files that are nested until a parser gives up: one sentence, whoever wrote them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from client_app.policy import read_policy
from client_app.site_config import load_site_config
from common.config import load_config
from common.errors import InputError
from common.files import read_object
from common.run_toml import read_run

DEEP = 20_000
JSON, TOML, YAML = '{"a":' * DEEP, "a = " + "[" * DEEP, "[" * DEEP


@pytest.mark.parametrize(
    ("read", "text"),
    [(read_run, TOML), (load_site_config, TOML), (read_policy, YAML), (load_config, JSON), (read_object, JSON)],
)
def test_deep_nesting_is_one_sentence(tmp_path: Path, read: Callable[[Path], object], text: str) -> None:
    path = tmp_path / "deep"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
