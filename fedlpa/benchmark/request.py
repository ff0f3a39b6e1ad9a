"""What a benchmark was asked for, and the data sets there are for it."""

import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.config import describe_settings, make_config
from common.errors import InputError, nearest
from common.methods.registry import all_methods
from common.settings import AnyConfig
from fedlpa.benchmark.cells import Settings


@dataclass(frozen=True)
class Request:
    """``fedlpa benchmark``'s options; None: the suite's own choice."""

    out: Path
    quick: bool = False
    seeds: tuple[int, ...] | None = None
    methods: tuple[str, ...] | None = None
    data: tuple[str, ...] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    alphas: tuple[float, ...] | None = None
    clients: tuple[int, ...] | None = None


@dataclass(frozen=True)
class BenchmarkData:
    """A data set under a short name; ``cost``: how long a run on it takes, digits being 1."""

    name: str
    settings: Settings
    cost: float


QUICK = {"rows": 400, "rounds": 5}
QUICK_CLIENTS = 3


def read_names(text: str) -> tuple[str, ...] | None:
    """ "a, b" -> ("a", "b"); None where there are none."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip())) or None


def read_seeds(text: str) -> tuple[int, ...] | None:
    """ "0,1,2" -> (0, 1, 2); None where there are none.

    Raises:
        InputError: something else than whole numbers from 0 up.
    """
    names = read_names(text)
    for name in names or ():
        if not name.isdecimal():
            raise InputError(f"seed '{name}' is not a whole number from 0 up; write for example --seeds 0,1,2.")
    return None if names is None else tuple(dict.fromkeys(int(name) for name in names))


def read_alphas(text: str) -> tuple[float, ...] | None:
    """ "0.2,0.5" -> (0.2, 0.5); None where there are none.

    Raises:
        InputError: something else than numbers above 0.
    """
    names = read_names(text)
    if names is None:
        return None
    try:
        values = tuple(float(name) for name in names)
    except ValueError:
        values = ()
    if not values or not all(0 < value < math.inf for value in values):
        raise InputError(f"'{text}' is no list of numbers above 0; write for example --alphas 0.2,0.5.")
    return values


def read_counts(text: str) -> tuple[int, ...] | None:
    """ "5,10" -> (5, 10); None where there are none.

    Raises:
        InputError: something else than whole numbers from 1 up.
    """
    names = read_names(text)
    if names is not None and not all(name.isdecimal() and int(name) for name in names):
        raise InputError(f"'{text}' is no list of whole numbers from 1 up; write for example --clients 5,10.")
    return None if names is None else tuple(map(int, names))


def shared_folder() -> Path:
    """Where the shared data sets are expected."""
    return Path(os.environ.get("FEDLPA_SHARED_DATA", "../shared/data"))


def check_names(asked: Iterable[str], available: Collection[str], what: str) -> None:
    """Refuse a name that is not ``available``; ``what`` has a place for it: "benchmark data '{}'".

    Raises:
        InputError: it is unknown.
    """
    for name in asked:
        if name not in available:
            raise InputError(f"unknown {what.format(name)}; {nearest(name, available)}")


def choose_data(request: Request, default: Sequence[str]) -> tuple[list[BenchmarkData], list[str]]:
    """The data sets to run on, and a sentence for each that is not there.

    Raises:
        InputError: an unknown name, or none of them is there.
    """
    shared = shared_folder()
    embeddings, images = (shared / f"cifar10{part}-train.parquet" for part in ("-embeddings", ""))
    available = {
        "digits": BenchmarkData("digits", {"data": "digits"}, 1.0),
        "embeddings": BenchmarkData("embeddings", {"data": str(embeddings), "rows": 8000}, 4.0),
        "images": BenchmarkData("images", {"data": str(images), "rows": 4000}, 12.0),
    }
    asked = ("digits",) if request.quick and request.data is None else request.data or tuple(default)
    check_names(asked, available, "benchmark data '{}'")
    chosen, skipped = [], []
    for name in asked:
        source = str(available[name].settings["data"])
        if source != "digits" and not Path(source).exists():
            skipped.append(f"{name} is left out: {source} is not there; set FEDLPA_SHARED_DATA to its folder.")
        else:
            quick = QUICK if request.quick else {}
            chosen.append(BenchmarkData(name, {**available[name].settings, **quick}, available[name].cost))
    if not chosen:
        raise InputError(skipped[0])
    return chosen, skipped


def choose_seeds(request: Request) -> tuple[int, ...]:
    """The seeds to average over."""
    return request.seeds if request.seeds is not None else (0,) if request.quick else (0, 1, 2)


def choose_variants(request: Request, available: Mapping[str, Settings]) -> list[str]:
    """The names in ``available`` that were asked for; all unless ``--methods`` names some.

    Raises:
        InputError: an unknown name.
    """
    asked = request.methods if request.methods is not None else tuple(available)
    check_names(asked, available, "method '{}' of this benchmark")
    return list(asked)


def cell_settings(request: Request, data: BenchmarkData, variant: Settings, place: Settings) -> Settings:
    """A cell's settings: the data's, then ``--set`` as far as the method has such a setting, then the suite's own.

    Raises:
        InputError: ``--set`` names a setting that no method has, or one that the suite decides.
    """
    own = {"method": "fedlpa", **variant, **place}
    everything = {setting.key for method in all_methods() for setting in describe_settings(method)}
    fixed = {"method", "data", "out", *place}
    for key in request.settings:
        if key in fixed:
            raise InputError(f"setting '{key}' is the benchmark's own; leave it out.")
        check_names([key], everything, "setting '{}'")
    takes = {setting.key for setting in describe_settings(str(own["method"]))}
    given = {key: value for key, value in request.settings.items() if key in takes}
    settings = {**data.settings, "tensorboard": False, **given, **own}
    checked: AnyConfig = make_config(settings)
    return {**settings, "method": checked.method}
