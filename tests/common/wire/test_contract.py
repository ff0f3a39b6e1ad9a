import io
import math
import pickle

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st

from common.wire.contract import METRICS, ArraySpec, Contract, Record, ScalarSpec, sits_out, violations
from common.wire.messages import client_content

CONTRACT = Contract(
    (
        Record("weights", {"w": ArraySpec("float32", (3, 2)), "b": ArraySpec("float32", (4,))}, required=True),
        Record(
            "rows",
            {
                "rows": ArraySpec("float32", (None, 2), most=5),
                "counts": ArraySpec("int64", (None,), most=5, low=1, high=100),
            },
        ),
    ),
    metrics={
        "samples": ScalarSpec(0, 1000, whole=True),
        "loss": ScalarSpec(-10, 10),
        "curve": ScalarSpec(-1, 1, length=3),
    },
)


def _records(m=2):
    return {
        "weights": {"w": np.ones((3, 2), np.float32), "b": np.zeros(4, np.float32)},
        "rows": {"rows": np.ones((m, 2), np.float32), "counts": np.full(m, 7)},
    }


def _reply(records=None, metrics=None):
    return client_content(
        _records() if records is None else records,
        {"samples": 9, "loss": 0.5, "curve": [0.0, 0.5, 1.0]} if metrics is None else metrics,
    )


def _with_array(array, record="weights", name="b"):
    reply = _reply()
    arrays = dict(reply[record].items())
    arrays[name] = array
    reply[record] = ArrayRecord(arrays)
    return reply


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_at_the_end_of_their_type_are_none(dtype):
    """Finite, of the right form, and every sum and square of them overflows."""
    contract = Contract((Record("weights", {"w": ArraySpec(dtype, (2,))}),))
    for value, fits in ((1e11, True), (-1e11, True), (1e30, dtype == "float64"), (float(np.finfo(dtype).max), False)):
        content = client_content({"weights": {"w": np.array([0, value], dtype)}}, {})
        assert (violations(content, contract) == []) == fits, value


def _saved(value, **how):
    buffer = io.BytesIO()
    np.save(buffer, value, **how)
    return buffer.getvalue()


def _claims(data, stype="numpy.ndarray"):
    """An array whose header says float32 (4,), whatever the bytes are."""
    return Array(dtype="float32", shape=(4,), stype=stype, data=data)


@settings(max_examples=60, deadline=None)
@given(
    m=st.none() | st.integers(0, 5),
    entries=st.lists(st.floats(-(2.0**39), 2.0**39, width=32), min_size=4, max_size=4),
    metrics=st.fixed_dictionaries(
        {"samples": st.integers(1, 1000)},
        optional={
            "loss": st.floats(-10, 10),
            "curve": st.lists(st.floats(-1, 1), min_size=3, max_size=3),
        },
    ),
)
def test_a_reply_built_from_the_contract_passes(m, entries, metrics):
    records = _records(m or 0)
    records["weights"]["b"] = np.array(entries, np.float32)
    if m is None:
        del records["rows"]
    assert violations(client_content(records, metrics), CONTRACT) == []


def _without(record, name=None):
    records = _records()
    if name is None:
        del records[record]
    else:
        del records[record][name]
    return _reply(records)


def _changed(record, name, value):
    records = _records()
    records[record][name] = value
    return _reply(records)


def _npy_header(shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _npz():
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(4, np.float32))
    return buffer.getvalue()


GOOD = _saved(np.zeros(4, np.float32))
OBJECTS = np.array([{}] * 4, dtype=object)

MUTATIONS = {
    "a record that nobody declared": (_reply({**_records(), "extra": {"x": np.zeros(1)}}), "record 'extra'"),
    "a missing record": (_without("weights"), "record 'weights' is missing"),
    "a missing array": (_without("weights", "b"), "array 'weights/b' is missing"),
    "a missing array of an optional record": (_without("rows", "counts"), "array 'rows/counts' is missing"),
    "an array that nobody declared": (_changed("weights", "x", np.zeros(1)), "array 'weights/x' is not"),
    "another dtype": (_changed("weights", "b", np.zeros(4)), "dtype float64"),
    "another shape": (_changed("weights", "b", np.zeros(5, np.float32)), "shape (5,)"),
    "another number of dimensions": (_changed("weights", "b", np.zeros((4, 1), np.float32)), "shape (4, 1)"),
    "a transposed matrix": (_changed("weights", "w", np.zeros((2, 3), np.float32)), "shape (2, 3)"),
    "NaN": (_changed("weights", "b", np.array([0, np.nan, 0, 0], np.float32)), "1 values that are not finite"),
    "infinity": (_changed("weights", "b", np.full(4, -np.inf, np.float32)), "4 values that are not finite"),
    "too many rows": (
        _changed("rows", "rows", np.ones((6, 2), np.float32)),
        "array 'rows/rows' has shape (6, 2), expected (0 to 5, 2)",
    ),
    "rows of unequal number": (_changed("rows", "counts", np.full(3, 7)), "record 'rows' differ in length"),
    "an entry below the range": (_changed("rows", "counts", np.array([7, 0])), "'rows/counts' is outside [1, 100]"),
    "an entry above the range": (_changed("rows", "counts", np.array([7, 101])), "'rows/counts' is outside"),
    "a metric that nobody declared": (_reply(metrics={"samples": 9, "name": 1}), "metric 'name' is not"),
    "a metric out of range": (_reply(metrics={"samples": 9, "loss": 10.5}), "metric 'loss' is outside [-10, 10]"),
    "a metric that is NaN": (_reply(metrics={"samples": 9, "loss": math.nan}), "metric 'loss' is not finite"),
    "a metric that is infinite": (_reply(metrics={"samples": 9, "loss": math.inf}), "metric 'loss' is not finite"),
    "a fraction of a sample": (_reply(metrics={"samples": 0.5}), "metric 'samples' is not a whole number"),
    "a list for a number": (_reply(metrics={"samples": 9, "loss": [0.5]}), "metric 'loss' should be a number"),
    "a number for a list": (_reply(metrics={"samples": 9, "curve": 0.5}), "metric 'curve' should be a list"),
    "too long a list": (_reply(metrics={"samples": 9, "curve": [0.0] * 4}), "metric 'curve' has 4 entries"),
    "too short a list": (_reply(metrics={"samples": 9, "curve": [0.0] * 2}), "metric 'curve' has 2 entries"),
    "a list entry out of range": (_reply(metrics={"samples": 9, "curve": [0.0, 0.0, 2.0]}), "metric 'curve' is"),
    "bytes of another dtype": (_with_array(_claims(_saved(np.zeros(4)))), "'weights/b' does not hold the bytes"),
    "bytes of another shape": (_with_array(_claims(_saved(np.zeros(9, np.float32)))), "does not hold the bytes"),
    "a pickle": (_with_array(_claims(pickle.dumps([0.0] * 4))), "'weights/b' does not hold the bytes"),
    "pickled objects": (_with_array(_claims(_saved(OBJECTS, allow_pickle=True))), "does not hold the bytes"),
    "an archive of arrays": (_with_array(_claims(_npz())), "'weights/b' does not hold the bytes"),
    "more than fits in memory": (_with_array(_claims(_npy_header((10**13,)) + bytes(16))), "does not hold"),
    "too few bytes": (_with_array(_claims(GOOD[:-1])), "'weights/b' does not hold the bytes"),
    "no bytes": (_with_array(_claims(b"")), "'weights/b' does not hold the bytes"),
    "a message after the array": (_with_array(_claims(GOOD + b"patient 7")), "does not hold the bytes"),
    "a message in the header": (
        _with_array(_claims(GOOD.replace(b"}" + b" " * 9, b"}" + b"#atient 7"))),
        "does not hold the bytes",
    ),
    "another serialisation": (_with_array(_claims(GOOD, stype="pickle")), "'weights/b' is serialised as 'pickle'"),
    "a config record": (RecordDict({**_reply(), "note": ConfigRecord({"text": "x"})}), "record 'note' is not"),
    "a config record called metrics": (
        RecordDict({**_reply(), METRICS: ConfigRecord({"samples": 9})}),
        "record 'metrics' is not",
    ),
    "metrics called weights": (
        RecordDict({**_reply(), "weights": MetricRecord({"samples": 9})}),
        "record 'weights' is not",
    ),
    "a second metric record": (
        RecordDict({**_reply(), "more": MetricRecord({"samples": 9})}),
        "record 'more' is not in the contract",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_breach_is_refused_and_named(name):
    reply, said = MUTATIONS[name]
    found = violations(reply, CONTRACT)
    assert len(found) == 1, found
    assert said in found[0]


def test_the_message_in_the_header_is_really_there():
    array = MUTATIONS["a message in the header"][0]["weights"]["b"]
    assert b"#atient 7" in array.data
    assert len(array.data) == len(GOOD)


def test_a_reply_that_sits_out_may_hold_metrics_and_no_array():
    alone = client_content({}, {"samples": 0})
    assert sits_out(alone)
    assert violations(alone, CONTRACT) == []
    found = violations(_reply(metrics={"samples": 0}), CONTRACT)
    assert found == ["record 'weights' is not in the contract", "record 'rows' is not in the contract"]
    assert not sits_out(_reply())
    assert not sits_out(RecordDict({}))


def test_without_a_record_a_reply_that_holds_it_is_refused_and_one_that_lacks_it_passes():
    without = CONTRACT.without("weights")
    assert violations(_reply(), without) == ["record 'weights' is not in the contract"]
    assert violations(_reply({"rows": _records()["rows"]}), without) == []
    assert "rows" not in CONTRACT.without("rows").arrays


def test_metrics_only_refuses_every_array():
    only = CONTRACT.metrics_only()
    assert violations(client_content({}, {"samples": 3, "loss": 1.0}), only) == []
    assert len(violations(_reply(), only)) == 2
