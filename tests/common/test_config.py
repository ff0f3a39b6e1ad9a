import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.config import from_json, load_config, make_config, parse_assignments
from common.errors import InputError
from common.files import write_json
from common.methods.registry import all_methods, get_method
from common.settings import RunConfig, kebab

TEXTS = {
    "data": "my.parquet",
    "label-column": "diagnosis",
    "seen-classes": "cat, dog",
    "classes": "cat,dog,eel",
    "sample-shape": "1,8,8",
    "model": "adapter",
    "device": "cpu",
    "backbone-hash": "0" * 64,
    "out": "runs/x",
    "kind": "images",
    "partition": "runs/partition",
}


def _texts(annotation, default, key):
    """Candidate texts for a setting, none of them its default."""
    literals = [v for part in (annotation, *typing.get_args(annotation)) for v in typing.get_args(part)]
    if isinstance(default, bool):
        return ["false" if default else "true"]
    if isinstance(default, int | float):
        return [str(default + 1), str(default / 2)]
    if default is None:
        return ["8", "0.5"]
    if key in TEXTS:
        return [TEXTS[key]]
    return [value for value in literals if isinstance(value, str) and value != default]


@pytest.mark.parametrize("method", all_methods())
def test_every_setting_is_reachable_as_text_and_survives_json(method):
    fields = {**RunConfig.model_fields, **get_method(method).options.model_fields}
    for name in fields.keys() - {"method", "options"}:
        key = kebab(name)
        default = make_config({"method": method})
        hint = fields[name].annotation
        before = getattr(default.options if name in get_method(method).options.model_fields else default, name)
        for text in _texts(hint, before, key):
            try:
                config = make_config({"method": method, key: text})
                break
            except InputError:
                continue
        else:
            pytest.fail(f"no text reaches {key}")
        own = name in get_method(method).options.model_fields
        after = getattr(config.options if own else config, name)
        assert after != before
        assert type(after) is not str or after == text
        assert from_json(config.to_json()) == config
        assert from_json(config.to_json()).options == config.options


@pytest.mark.parametrize("method", all_methods())
def test_defaults_are_valid_and_plan_every_round(method):
    config = make_config({"method": method})
    assert from_json(config.to_json()) == config
    assert get_method(method).plan(config, get_method(method).rounds(config)).phase in {"closing", "head", "training"}


@settings(max_examples=40, deadline=None)
@given(
    alpha=st.floats(1e-6, 1e6),
    seed=st.integers(0, 2**31 - 1),
    names=st.lists(st.text(min_size=1, max_size=8), max_size=4, unique=True),
    resolution=st.none() | st.floats(0.01, 20),
    label=st.text(min_size=1, max_size=10).filter(lambda t: t.strip().lower() not in {"none", "null"}),
    shape=st.sampled_from([(), (7,), (1, 8, 8)]),
)
def test_json_gives_back_the_same_configuration(alpha, seed, names, resolution, label, shape):
    config = make_config(
        {
            "alpha": alpha,
            "seed": seed,
            "seen-classes": names,
            "resolution": resolution,
            "label-column": label,
            "sample-shape": shape,
        }
    )
    again = from_json(config.to_json())
    assert again == config
    assert again.options == config.options
    assert again.seen_classes == tuple(names)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("alhpa", "1", "unknown setting 'alhpa'; did you mean 'alpha'?"),
        ("categories", "5", "setting 'categories' belongs to method fedavg-gcd and fedavg-simgcd, not to fedlpa"),
        ("min_support", "5", "did you mean 'min-support'?"),
        ("options", "x", "unknown setting 'options'"),
        ("zzz", "x", "unknown setting 'zzz'; 'fedlpa settings --method fedlpa' lists all."),
        ("method", "fedlap", "unknown method 'fedlap'; did you mean 'fedlpa'?"),
        ("alpha", "nan", "alpha=nan"),
        ("alpha", float("nan"), "alpha=nan"),
        ("alpha", "-0.5", "alpha=-0.5"),
        ("alpha", "0", "alpha=0"),
        ("prior-weight", "nan", "prior-weight=nan"),
        ("prior-weight", "inf", "prior-weight=inf"),
        ("round-timeout", "inf", "round-timeout=inf"),
        ("clients", "2.5", "clients=2.5"),
        ("clients", "five", "clients=five"),
        ("clients", "0", "clients=0"),
        ("device", "gpu", "device=gpu"),
        ("prior", "unifrom", "prior=unifrom is not one of local, uniform; did you mean 'uniform'?"),
        ("tensorboard", "maybe", "tensorboard=maybe"),
        ("sample-shape", "8,x", "sample-shape=8,x"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(setting, value, said):
    with pytest.raises(InputError) as caught:
        make_config({setting: value})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_none_as_text_unsets_an_optional_setting():
    assert make_config({"rows": "None", "resolution": "null"}).rows is None


def test_but_changes_own_and_method_settings_and_checks_them():
    config = make_config({"knn": 7, "seed": 3}).but(seed=4, share_categories=False)
    assert (config.seed, config.options.knn, config.options.share_categories) == (4, 7, False)
    with pytest.raises(InputError, match="rounds=0"):
        config.but(rounds=0)


def test_assignments_become_settings():
    assert parse_assignments(["knn=15", " min_support = 3", "out=a=b", "data="]) == {
        "knn": "15",
        "min-support": "3",
        "out": "a=b",
        "data": "",
    }


@pytest.mark.parametrize(("given_", "said"), [(["knn"], "key=value"), (["=3"], "key=value")])
def test_an_assignment_without_key_or_value_is_refused(given_, said):
    with pytest.raises(InputError, match=said):
        parse_assignments(given_)


def test_a_key_given_twice_is_refused_however_it_is_spelled():
    with pytest.raises(InputError, match="min-support is given twice"):
        parse_assignments(["min-support=3", "min_support=4"])


def test_config_file_round_trip_and_its_failures(tmp_path):
    path = tmp_path / "config.json"
    with pytest.raises(InputError, match="does not exist"):
        load_config(path)
    config = make_config({"method": "fedavg-simgcd", "categories": 12, "alpha": 0.5})
    write_json(path, config.flat())
    assert load_config(path) == config
    assert load_config(path).options == config.options
    for text in ("{", "[]", '"x"'):
        path.write_text(text)
        with pytest.raises(InputError, match=r"config\.json"):
            load_config(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"config\.json cannot be read"):
        load_config(path)
