"""Against Flower's own SuperLink state, through the handlers that SuperNodes' calls end in."""

from pathlib import Path

import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from fedlpa.flower.patches.lost_messages import AGAIN, give_lost_messages_again


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flower_task: None) -> "Link":
    from flwr.server.superlink.linkstate.sql_linkstate import SqlLinkState

    monkeypatch.setattr(SqlLinkState, "get_message_ins", SqlLinkState.get_message_ins)  # put back afterwards
    give_lost_messages_again()
    made = Link(tmp_path / "superlink.db")
    monkeypatch.setattr(TaskIdentity, "_run_id", made.run)  # of the ServerApp, which sends the messages
    return made


class Link:
    """A SuperLink's state on disk with a run and a node, through the handlers that SuperNodes' calls end in."""

    def __init__(self, database: Path) -> None:
        from flwr.common.constant import NOOP_ACCOUNT_NAME, NOOP_FLWR_AID
        from flwr.server.superlink.linkstate import LinkStateFactory
        from flwr.supercore.constant import NOOP_FEDERATION_ID, TaskType
        from flwr.supercore.object_store import ObjectStoreFactory
        from flwr.superlink.federation import NoOpFederationManager

        objects = ObjectStoreFactory(str(database))
        self.store = objects.store()
        self.state = LinkStateFactory(str(database), NoOpFederationManager(), objects).state()
        self.run = self.state.create_run(
            None, None, "hash", {}, NOOP_FEDERATION_ID, None, NOOP_FLWR_AID, TaskType.SERVER_APP
        )
        assert self.run
        self.state.activate_task(self.state.get_run_info(run_ids=[self.run])[0].primary_task_id)
        self.node = self.state.create_node(NOOP_FLWR_AID, NOOP_ACCOUNT_NAME, b"key", 30)
        assert self.state.activate_node(self.node, 30)

    def send(self) -> str:
        """A message from the ServerApp; returns its id."""
        from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree

        message = Message(RecordDict({"c": ConfigRecord({"x": 1})}), dst_node_id=self.node, message_type="train")
        message.metadata.__dict__["_message_id"] = message.object_id
        session = self.state.start_session(self.run)
        stored, _ = self.state.store_message_and_object_tree(message, get_object_tree(message), session)
        assert stored
        for name, part in get_all_nested_objects(message).items():
            self.state.store_object(self.run, session, name, part.deflate())
        return str(message.metadata.message_id)

    def pull(self) -> list[str]:
        """What a SuperNode that asks for work is given."""
        from flwr.proto.fleet_pb2 import PullMessagesRequest
        from flwr.proto.node_pb2 import Node
        from flwr.server.superlink.fleet.message_handler import message_handler

        request = PullMessagesRequest(node=Node(node_id=self.node))
        answer = message_handler.pull_messages(request, self.state, self.store)
        return [message.metadata.message_id for message in answer.messages_list]

    def replies(self, message: str) -> list[Message]:
        """What the ServerApp finds when it looks for the reply."""
        return self.state.get_message_res({message}, self.run)


def test_what_was_lost_on_the_way_is_given_again_and_then_reported(link: Link) -> None:
    first, second = link.send(), link.send()
    assert link.pull() == [first]
    for _ in range(AGAIN):
        assert link.replies(first) == []
        assert link.pull() == [first]
    assert link.pull() == [second]
    (reply,) = link.replies(first)
    assert reply.has_error()


def test_what_had_arrived_and_is_not_worked_on_is_reported(link: Link) -> None:
    message = link.send()
    assert link.pull() == [message]
    link.store.delete(message)  # the node has confirmed that it has all of it
    assert link.replies(message) == []
    assert link.pull() == []
    assert link.replies(message)[0].has_error()


def test_a_node_that_was_started_again_is_not_given_what_the_round_no_longer_waits_for(link: Link) -> None:
    message = link.send()
    assert link.pull() == [message]
    assert link.state.deactivate_node(link.node)
    assert link.state.activate_node(link.node, 30)
    assert link.pull() == []
    assert link.replies(message)[0].has_error()
