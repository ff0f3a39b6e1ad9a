"""A message that a SuperNode was fetching when its run ended is forgotten.

Seen in Flower 1.39. ``RunNotRunningException`` is no ``Exception``, so the clean-up in ``_pull_and_store_message`` is
passed over and the message's task stays behind. It would be worked on, in vain and before all later ones. A SuperNode
has one message at a time: when it has just taken none, whatever is left in its store is abandoned.

Delete when: a SuperNode whose run ends between the message's header and its content keeps no task of it.
"""

from typing import Any, cast


def forget_abandoned_messages() -> None:
    """Change the SuperNode of this process so that it clears its store whenever it has taken no message."""
    from flwr.common.constant import Status, SubStatus
    from flwr.supernode import start_client_internal as node

    fetch = node._pull_and_store_message

    def fetch_and_forget(*, state: Any, **others: Any) -> int | None:
        run_id = fetch(state=state, **others)
        if run_id is None:
            for task in state.get_tasks(statuses=[Status.PENDING, Status.STARTING, Status.RUNNING]):
                state.finish_task(task.task_id, SubStatus.FAILED, "the run ended")
            state.delete_messages(message_ids=None)
        return run_id

    node._pull_and_store_message = cast(Any, fetch_and_forget)
