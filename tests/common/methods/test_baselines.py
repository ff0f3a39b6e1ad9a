"""What the baselines' declarations allow: nothing more than docs/evaluation.md#baselines says."""

import pytest

from common.config import make_config
from common.errors import InputError
from common.methods.local_only import as_fedlpa

CLASSES = tuple("abcdef")


def _config(method, **more):
    given = {"method": method, "kind": "vectors", "sample-shape": "7", "classes": CLASSES, "seen-classes": "a,b,c"}
    return make_config(given | more)


def _contract(config):
    return METHODS[config.method].contract(config)


def test_local_only_lets_out_scalars_and_the_benchmarks_counts():
    contract = _contract(_config("local-only"))
    assert contract.required == {}
    assert contract.optional.keys() == {"truth"}
    assert contract.at_delivery == ("truth",)
    assert contract.delivery().arrays.keys() == {"truth"}
    assert not {name for name, spec in contract.metrics.items() if spec.length is not None}
    assert not contract.metrics.keys() & {"calibration-curve", "calibration-labels"}
    assert _contract(_config("local-only", classes=())).arrays == {}


def test_local_only_is_fedlpa_with_the_same_settings_and_nothing_shared():
    config = _config("local-only", knn=7, **{"prior-weight": 0.25, "rounds": 11})
    fedlpa = as_fedlpa(config)
    assert not fedlpa.options.share_categories
    assert {k: v for k, v in fedlpa.flat().items() if k in config.flat() and k != "method"} == {
        k: v for k, v in config.flat().items() if k != "method"
    }
    same = _config("fedlpa", rounds=11, **{"head-rounds": 0})
    plan, other = METHODS["local-only"].plan, METHODS["fedlpa"].plan
    assert [plan(config, n) for n in range(1, 13)] == [other(same, n) for n in range(1, 13)]


def test_gcd_lets_out_weights_without_a_head_and_centroids_with_counts():
    contract = _contract(_config("fedavg-gcd"))
    assert contract.required.keys() == {"weights"}
    assert "head.weight" not in contract.required["weights"]
    assert contract.optional.keys() == {"truth", "catalogue"}
    assert contract.optional["catalogue"].keys() == {"rows", "counts", "names"}
    assert contract.optional["catalogue"]["names"].high == 2
    assert contract.delivery().arrays.keys() == {"truth"}
    assert not {name for name, spec in contract.metrics.items() if spec.length is not None}


def test_gcd_trains_in_every_round_but_the_last_which_clusters():
    config = _config("fedavg-gcd", rounds=6)
    plans = [METHODS["fedavg-gcd"].plan(config, n) for n in range(1, 7)]
    assert [p.phase for p in plans] == ["preparation", *["warm-up"] * 4, "closing"]
    assert [p.discover for p in plans] == [False] * 5 + [True]


@pytest.mark.parametrize("method", ["fedavg-gcd", "fedavg-simgcd"])
def test_k_is_the_true_one_or_as_told(method):
    assert _contract(_config(method)).required == _contract(_config(method, classes=(), categories="6")).required
    with pytest.raises(InputError, match=f"{method} must be told the number of categories"):
        _contract(_config(method, classes=()))
    with pytest.raises(InputError, match="categories=2 is smaller than the 3 seen classes"):
        _contract(_config(method, categories="2"))


def test_centralised_is_fedlpa_on_one_site():
    config = _config("centralised", clients=7)
    assert config.training_sites == 1
    assert _contract(config) == _contract(_config("fedlpa"))
    assert [name for name, method in METHODS.items() if method.pooled] == ["centralised"]


def test_held_out_sites_do_not_train():
    assert _config("fedlpa", clients=6, **{"held-out-sites": 1}).training_sites == 5
