"""``python -m fedlpa.flower.child PARENT PROGRAM ...``: one of Flower's programs, ended when its parent ends."""

import os
import sys
from pathlib import Path
from typing import Any, cast

ALIVE = "FEDLPA_ALIVE"
"""Environment variable: the file that says that the server has been heard."""


def main() -> None:
    """Run ``flower-superlink`` or ``flower-supernode`` with the rest of the arguments."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    from flwr.supercore.app_utils import start_parent_process_monitor

    start_parent_process_monitor(parent)
    sys.argv = [program, *sys.argv[3:]]
    if program == "flower-superlink":
        from flwr.superlink.cli.flower_superlink import flower_superlink

        from fedlpa.flower.lost_messages import give_lost_messages_again

        give_lost_messages_again()
        flower_superlink()
    elif program == "flower-supernode":
        from flwr.supernode.cli.flower_supernode import flower_supernode

        forget_abandoned_messages()
        touch_when_heard()
        flower_supernode()
    else:
        sys.exit(f"unknown program {program!r}")


def forget_abandoned_messages() -> None:
    """Mend Flower 1.39: a run that ends while its message is being fetched leaves the message's task behind.

    ``RunNotRunningException`` is no ``Exception``, so the clean-up in ``_pull_and_store_message`` is passed over.
    The task would be worked on, in vain and before all later ones. A SuperNode has one message at a time: when it
    has just taken none, whatever is left in its store is abandoned.
    """
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


def touch_when_heard() -> None:
    """Touch the file that ``ALIVE`` names whenever the server has acknowledged a heartbeat (every 20 s or so)."""
    from flwr.supercore.heartbeat import HeartbeatSender

    file = os.environ.get(ALIVE)
    if not file:
        return
    beat = HeartbeatSender._heartbeat

    def beat_and_touch(self: HeartbeatSender) -> None:
        beat(self)  # raises what makes it try again
        Path(file).touch()

    HeartbeatSender._heartbeat = cast(Any, beat_and_touch)  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
