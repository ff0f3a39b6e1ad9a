"""A message that is lost on its way to a site is given to it again.

Seen in Flower 1.39. The SuperLink marks a message as delivered before its answer to the SuperNode's question for work
is sent. If the connection breaks just then, nobody ever works on the message, and the round waits for it until its
timeout. But a SuperNode asks for work only when it has none: whatever was given to it before, and was not answered, is
lost.

Delete when: a SuperLink gives a message again until its node has confirmed that it has it, so that
``tests/deployment/test_lost_message.py`` passes without this.
"""

from typing import Any, cast

AGAIN = 3
"""How often a message is given again before its sender gets an error instead."""


def give_lost_messages_again() -> None:
    """Change the SuperLink of this process so that a node's question for work starts with what it has lost."""
    from flwr.server.superlink.linkstate.sql_linkstate import SqlLinkState

    take = SqlLinkState.get_message_ins
    given: dict[str, int] = {}

    def take_again(self: SqlLinkState, node_id: int, limit: int | None, *, run_id: int | None = None) -> Any:
        with self.session():
            if run_id is None:  # a SuperNode; the apps at the server name their run
                _release(self, node_id, given)
            return take(self, node_id, limit, run_id=run_id)

    SqlLinkState.get_message_ins = cast(Any, take_again)  # type: ignore[method-assign]


def _release(state: Any, node_id: int, given: dict[str, int]) -> None:
    """Make the node's lost messages deliverable again; delete those that cannot be, so that their sender is told.

    These are messages that had arrived whole (nothing is left of them to be given), and those to a node that has
    come online since: the server has given them up, and the node takes part from the next round on.
    """
    from flwr.supercore.state.schema.linkstate_models import MessageIns, MessageRes, Node
    from flwr.supercore.utils import uint64_to_int64
    from sqlalchemy import exists, select, update

    node = uint64_to_int64(node_id)
    with state.session() as session:
        started = session.scalar(select(Node.last_activated_at).where(Node.node_id == node)) or ""
        unanswered = session.execute(
            select(MessageIns.message_id, MessageIns.delivered_at).where(
                MessageIns.dst_node_id == node,
                MessageIns.delivered_at != "",
                ~exists().where(MessageRes.reply_to_message_id == MessageIns.message_id),
            )
        ).all()
        again: set[str] = set()
        gone: set[str] = set()
        for message_id, delivered in unanswered:
            given[message_id] = given.get(message_id, 0) + 1
            possible = delivered > started and given[message_id] <= AGAIN and _is_there(state, message_id)
            (again if possible else gone).add(message_id)
        if again:
            session.execute(update(MessageIns).where(MessageIns.message_id.in_(again)).values(delivered_at=""))
        for message_id in gone:
            given.pop(message_id)
        state.delete_messages(gone)


def _is_there(state: Any, message_id: str) -> bool:
    """Whether the content of a message is still kept; it is deleted when a node confirms that it has it."""
    from flwr.supercore.object_store import NoObjectInStoreError

    try:
        state.object_store.get_object_tree(message_id)
    except NoObjectInStoreError:
        return False
    return True
