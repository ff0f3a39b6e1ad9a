"""``run.toml``: what a deployment takes, and what it refuses before anything is submitted."""

from pathlib import Path

import pytest

from common.errors import InputError
from fedlpa.federation.run_config import load_run

RUN = 'kind = "vectors"\nsample-shape = [4]\nseen-classes = ["a", "b"]\n'


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("local-clip-norm = 1.0", "for simulations only; each site's policy.yaml has its own"),
        ("local-noise-multiplier = 1.0", "for simulations only"),
        ("central-noise-multiplier = 1.0", "needs central-clip-norm"),
        (
            "central-noise-multiplier = 1.0\ncentral-clip-norm = 1.0",
            "also shares 'catalogue'; set share-categories=false",
        ),
    ],
)
def test_noise_that_would_not_hold_is_refused(tmp_path: Path, settings: str, told: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f"{RUN}{settings}\n")
    with pytest.raises(InputError, match=told):
        load_run(path)


def test_central_noise_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f"{RUN}share-categories = false\ncentral-noise-multiplier = 5.0\ncentral-clip-norm = 1\n")
    assert load_run(path).config.central_noise_multiplier == 5.0


def test_a_wrong_value_names_the_file_it_stands_in(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f'{RUN}rounds = "x"\n')
    with pytest.raises(InputError, match=r"rounds=x is not valid.*run\.toml"):
        load_run(path)
