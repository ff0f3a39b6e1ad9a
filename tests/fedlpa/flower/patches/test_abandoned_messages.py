"""Against Flower's own SuperNode: a run that ends while its message is being fetched."""

import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.common.constant import Status
from flwr.supercore.inflatable.inflatable_object import get_object_tree
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.run import Run, RunNotRunningException
from flwr.supernode import start_client_internal as node
from flwr.supernode.nodestate import NodeStateFactory

from fedlpa.flower.patches.abandoned_messages import forget_abandoned_messages


def tasks_left(monkeypatch: pytest.MonkeyPatch, *, mended: bool) -> int:
    """How many tasks a SuperNode has when the SuperLink has refused a message's content because the run ended."""
    with monkeypatch.context() as patch:
        patch.setattr(node, "_pull_and_store_message", node._pull_and_store_message)  # put back afterwards
        if mended:
            forget_abandoned_messages()
        objects = ObjectStoreFactory()
        state = NodeStateFactory(objects).state()
        state.set_node_id(7)
        state.store_run(Run.create_empty(1))
        message = Message(RecordDict({"c": ConfigRecord({"x": 1})}), dst_node_id=7, message_type="train")
        message.metadata.__dict__["_message_id"] = message.object_id

        def ended(run_id: int, object_id: str) -> bytes:
            raise RunNotRunningException

        taken = node._pull_and_store_message(
            state=state,
            object_store=objects.store(),
            node_config={},
            receive=lambda: (message, get_object_tree(message)),
            get_run=lambda run_id: Run.create_empty(run_id),
            get_fab=lambda name, run_id: pytest.fail("the run is known"),
            pull_object=ended,
            confirm_message_received=lambda run_id, message_id: None,
            trusted_entities=None,
        )
        assert taken is None
        return len(state.get_tasks(statuses=[Status.PENDING]))


def test_nothing_is_left_to_work_on(flower_task: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tasks_left(monkeypatch, mended=False) == 1, "Flower forgets it by itself now: delete the patch"
    assert tasks_left(monkeypatch, mended=True) == 0
