"""What the baselines' declarations allow: nothing more than docs/evaluation.md#baselines says."""

from pathlib import Path

import pytest

from common.config import make_config
from common.errors import InputError
from common.methods.local_only import as_fedlpa
from common.methods.registry import all_methods, get_method, training_sites
from common.place import Deployment, Simulation

CLASSES = tuple("abcdef")
HERE = Simulation(Path())


def _config(method, **more):
    given: dict[str, object] = {
        "method": method,
        "kind": "vectors",
        "sample-shape": "7",
        "classes": CLASSES,
        "seen-classes": "a,b,c",
    }
    return make_config(given | more)


def _contract(config):
    return get_method(config.method).contract(config, HERE)


def _required(contract):
    return {record.name for record in contract.records if record.required}


def test_a_real_site_has_no_truth_to_count():
    for name, spec in all_methods().items():
        config = _config(name, kind="vectors" if spec.embeds_samples else "graph")
        assert "truth" not in spec.contract(config, Deployment()).arrays
        assert "truth" in _contract(config).arrays


def test_local_only_lets_out_scalars_and_the_benchmarks_counts():
    contract = _contract(_config("local-only"))
    assert not _required(contract)
    assert contract.arrays.keys() == {"truth"}
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
    plan, other = get_method("local-only").plan, get_method("fedlpa").plan
    assert [plan(config, n) for n in range(1, 13)] == [other(same, n) for n in range(1, 13)]


def test_gcd_lets_out_weights_without_a_head_and_centroids_with_counts():
    contract = _contract(_config("fedavg-gcd"))
    assert _required(contract) == {"weights"}
    assert "head.weight" not in contract.arrays["weights"]
    assert contract.arrays.keys() == {"weights", "truth", "catalogue"}
    assert contract.arrays["catalogue"].keys() == {"rows", "counts", "names"}
    assert contract.arrays["catalogue"]["names"].high == 2
    assert contract.delivery().arrays.keys() == {"truth"}
    assert not {name for name, spec in contract.metrics.items() if spec.length is not None}


def test_gcd_trains_in_every_round_but_the_last_which_clusters():
    config = _config("fedavg-gcd", rounds=6)
    plans = [get_method("fedavg-gcd").plan(config, n) for n in range(1, 7)]
    assert [p.phase for p in plans] == ["preparation", *["warm-up"] * 4, "closing"]
    assert [p.discover for p in plans] == [False] * 5 + [True]


@pytest.mark.parametrize("method", ["fedavg-gcd", "fedavg-simgcd"])
def test_k_is_the_true_one_or_as_told(method):
    known, told = _contract(_config(method)), _contract(_config(method, classes=(), categories="6"))
    assert known.arrays["weights"] == told.arrays["weights"]
    with pytest.raises(InputError, match=f"{method} must be told the number of categories"):
        _contract(_config(method, classes=()))
    with pytest.raises(InputError, match="categories=2 is smaller than the 3 seen classes"):
        _contract(_config(method, categories="2"))


def test_centralised_is_fedlpa_on_one_site():
    config = _config("centralised", clients=7)
    assert training_sites(config) == 1
    assert _contract(config) == _contract(_config("fedlpa"))
    assert [name for name, method in all_methods().items() if method.pooled] == ["centralised"]


def test_held_out_sites_do_not_train():
    assert training_sites(_config("fedlpa", clients=6, **{"held-out-sites": 1})) == 5
