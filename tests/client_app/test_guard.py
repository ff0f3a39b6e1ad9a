from dataclasses import replace

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from client_app.app import app as real_app
from client_app.guard import REFUSED, guard
from client_app.institution import NOTHING_SENT
from common.models import initial_weights
from common.place import Simulation
from common.wire.messages import Instruction, client_content, read_metrics, server_content
from common.wire.records import WEIGHTS

pytestmark = pytest.mark.usefixtures("flower_task")
SECRET = "Anna-Smith"


def _context(partition=0):
    return Context(run_id=1, node_id=5, node_config={"partition-id": partition}, state=RecordDict({}), run_config={})


def _message(config, files, kind="train", number=1):
    records = {} if kind == "query" else {WEIGHTS: initial_weights(config, len(config.seen_classes))}
    content = server_content(Instruction(config, number, Simulation(files.sites)), records)
    return Message(content, dst_node_id=5, message_type=kind)


def _app(answer):
    """A guarded app that answers with whatever ``answer`` makes of the message."""
    app = ClientApp(mods=[guard])
    for register in (app.train(), app.train("deliver"), app.query()):
        register(lambda message, context: answer(message))
    return app


def _echo(message, records=(), **metrics):
    weights = {name: array.numpy() for name, array in message.content.array_records[WEIGHTS].items()}
    content = client_content({WEIGHTS: weights, **dict(records)}, {"samples": 5, **metrics})
    return Message(content, reply_to=message)


def _log(files, site=0):
    return (files.sites / f"site-{site}" / "site.log").read_text()


@pytest.mark.parametrize("number", [1, 3, 5])
def test_the_real_apps_replies_pass(small_federation, number):
    config, files = small_federation()
    reply = real_app(_message(config, files, number=number), _context(1))
    assert reply.has_content(), reply.error
    metrics = read_metrics(reply.content)
    assert metrics["site"] == 1
    assert metrics["samples"] > 0
    sent = {1: {"weights"}, 3: {"weights", "catalogue", "truth"}, 5: {"catalogue", "truth"}}
    assert set(reply.content) == {"metrics"} | sent[number]


def test_weights_stay_in_a_round_that_trains_none(small_federation):
    config, files = small_federation()
    reply = _app(_echo)(_message(config, files, number=5), _context())
    assert not reply.has_content()
    assert reply.error.code == REFUSED
    assert "record 'weights' is not in the contract" in _log(files)


def test_the_real_app_says_hello_without_arrays(small_federation):
    config, files = small_federation()
    reply = real_app(_message(config, files, "query"), _context(2))
    assert read_metrics(reply.content).keys() == {"samples", "labelled", "site"}
    assert list(reply.content) == ["metrics"]


def test_a_site_without_samples_sits_out(small_federation):
    config, files = small_federation()
    (files.sites / "site-0" / "data.parquet").unlink()
    for kind in ("train", "query", "train.deliver"):
        reply = real_app(_message(config, files, kind), _context())
        assert read_metrics(reply.content)["samples"] == 0
        assert list(reply.content) == ["metrics"]


BREACHES = {
    "a record": (lambda m: _echo(m, {"embeddings": {"z": np.zeros((5, 2), np.float32)}}), "record 'embeddings'"),
    "an array": (lambda m: _echo(m, {WEIGHTS: {"x": np.zeros(3, np.float32)}}), "array 'weights/x'"),
    "a metric": (lambda m: _echo(m, age=61), "metric 'age'"),
    "a metric out of range": (lambda m: _echo(m, **{"seen-accuracy": 1.5}), "metric 'seen-accuracy' is outside"),
    "a text": (
        lambda m: Message(RecordDict({"note": ConfigRecord({"name": SECRET})}), reply_to=m),
        "record 'note'",
    ),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_reply_beyond_the_contract_is_held_back_without_content(small_federation, name):
    answer, logged = BREACHES[name]
    config, files = small_federation()
    passing = _app(_echo)(_message(config, files), _context())
    assert passing.has_content(), passing.error
    reply = _app(answer)(_message(config, files), _context())
    assert not reply.has_content()
    assert reply.error.code == REFUSED == 401
    assert reply.error.reason == "site-0: held back by the egress guard; the site's log says more"
    assert logged in _log(files)


@pytest.mark.parametrize("kind", ["query", "train.deliver"])
def test_only_a_round_of_training_may_carry_arrays(small_federation, kind):
    config, files = small_federation()
    weights = {WEIGHTS: initial_weights(config, len(config.seen_classes))}
    answer = _app(lambda m: Message(client_content(weights, {"samples": 5}), reply_to=m))
    assert answer(_message(config, files), _context()).has_content()
    assert answer(_message(config, files, kind), _context()).error.code == REFUSED


def test_categories_of_a_strict_run_are_held_back(small_federation):
    config, files = small_federation(share_categories=False)
    rows = {"rows": np.ones((1, 128), np.float32), "counts": np.array([9]), "names": np.array([-1])}
    reply = _app(lambda m: _echo(m, {"catalogue": rows}))(_message(config, files), _context())
    assert reply.error.code == REFUSED
    shared = config.but(share_categories=True)
    assert _app(lambda m: _echo(m, {"catalogue": rows}))(_message(shared, files), _context()).has_content()


def test_an_exception_stays_in_the_sites_log(small_federation):
    config, files = small_federation()

    def fail(message):
        raise RuntimeError(f"no such patient: {SECRET}")

    reply = _app(fail)(_message(config, files), _context())
    assert reply.error.code == NOTHING_SENT
    assert SECRET not in reply.error.reason
    assert "site-0: failed with RuntimeError" in reply.error.reason
    assert SECRET in _log(files)
    assert "Traceback" in _log(files)


def test_an_error_of_the_app_itself_does_not_pass(small_federation):
    from flwr.app import Error

    config, files = small_federation()
    reply = _app(lambda m: Message(Error(7, SECRET), reply_to=m))(_message(config, files), _context())
    assert reply.error.code == REFUSED
    assert SECRET not in reply.error.reason


def test_wrong_data_is_told_to_the_site_and_not_to_the_server(small_federation):
    from common.data.parquet import write_dataset
    from common.data.read import read_dataset

    config, files = small_federation()
    path = files.sites / "site-0" / "data.parquet"
    data = read_dataset(str(path))
    write_dataset(replace(data, labels=(SECRET, *data.labels[1:])), path)
    reply = real_app(_message(config, files, "query"), _context())
    assert reply.error.code == NOTHING_SENT
    assert SECRET not in reply.error.reason
    assert str(files.folder) not in reply.error.reason
    assert SECRET in _log(files)


def test_a_node_that_is_no_site_answers_with_an_error(small_federation):
    config, files = small_federation()
    context = Context(run_id=1, node_id=5, node_config={}, state=RecordDict({}), run_config={})
    reply = real_app(_message(config, files), context)
    assert reply.error.code == NOTHING_SENT


def test_a_message_without_an_instruction_answers_with_an_error(small_federation):
    small_federation()
    reply = real_app(Message(RecordDict({}), dst_node_id=5, message_type="train"), _context())
    assert reply.error.code == NOTHING_SENT
