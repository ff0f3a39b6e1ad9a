import pytest

from common.config import make_config
from common.methods.fedlpa.spec import head_rounds_of, plan
from common.methods.plan import round_contract
from common.methods.registry import get_method, updates_sent
from common.place import Deployment


def _config(**settings):
    given = {"kind": "vectors", "sample-shape": [8], "seen-classes": ["a", "b"]}
    return make_config(given | {name.replace("_", "-"): value for name, value in settings.items()})


def test_the_head_is_trained_in_the_last_rounds_after_what_runs_without_it_do():
    config, without = _config(), _config(rounds=27, head_rounds=0)
    plans = [plan(config, n) for n in range(1, 32)]
    assert [p.phase for p in plans[26:]] == ["closing", "head", "head", "head", "delivery"]
    assert not any(p.train or p.discover or p.calibrate for p in plans[27:])
    assert {p.rounds for p in plans} == {30}
    for number in range(1, 28):
        one, other = plans[number - 1], plan(without, number)
        assert (one.phase, one.learning_rate, one.discover) == (other.phase, other.learning_rate, other.discover)


@pytest.mark.parametrize(
    ("rounds", "asked", "given"), [(5, 3, 0), (6, 3, 1), (12, 3, 2), (18, 3, 3), (90, 3, 3), (90, 40, 15)]
)
def test_the_head_takes_at_most_a_sixth_of_the_rounds(rounds, asked, given):
    config = _config(rounds=rounds, head_rounds=asked)
    assert head_rounds_of(config) == given
    assert [plan(config, n).phase for n in range(1, rounds + 1)].count("head") == given
    assert plan(config, rounds - given).phase == "closing"


@pytest.mark.parametrize(
    "settings", [{"share_categories": False}, {"category_statistics": True}, {"centre": "site"}, {"head_rounds": 0}]
)
def test_without_a_catalogue_that_a_head_could_be_trained_for_the_last_round_closes(settings):
    config = _config(**settings)
    assert plan(config, config.rounds).phase == "closing"


def test_rounds_that_train_no_network_send_no_weights_and_spend_no_privacy():
    config = _config()
    contract = get_method("fedlpa").contract(config, Deployment())
    assert "weights" in round_contract(contract, plan(config, 26)).arrays
    for number in (27, 28, 30):
        assert "weights" not in round_contract(contract, plan(config, number)).arrays
        assert "catalogue" in round_contract(contract, plan(config, number)).arrays
    assert [updates_sent(config, n) for n in (1, 26, 27, 30)] == [1, 26, 26, 26]
    assert updates_sent(_config(rounds=1), 1) == 1
