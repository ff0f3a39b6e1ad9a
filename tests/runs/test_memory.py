"""The server's memory does not grow with the number of clients."""

import subprocess
import sys
import textwrap
from pathlib import Path

MODEL_MB = 30
ROOT = Path(__file__).resolve().parents[2]

PROGRAM = textwrap.dedent(
    """
    import resource, sys
    from flwr.supercore.task_identity import TaskIdentity
    TaskIdentity._run_id = TaskIdentity._node_id = TaskIdentity._task_id = 1
    import numpy as np
    from flwr.app import Message
    from common.wire.messages import client_content, read_arrays
    from flwr.app import Array, ArrayRecord, RecordDict
    from server_app.asking import Exchange
    from server_app.aggregate.running_mean import RunningMean
    from tests.fake_grid import FakeGrid

    clients, size = int(sys.argv[1]), int(sys.argv[2]) * 2**20 // 4
    rng = np.random.default_rng(0)

    def answer(message):
        key = message.metadata.message_id

        def reply():
            source = Message(RecordDict({}), dst_node_id=1, message_type="train")
            source.metadata.__dict__["_message_id"] = key
            weights = rng.standard_normal(size, dtype=np.float32)
            return Message(client_content({"weights": {"w": weights}}, {"samples": 1}), reply_to=source)

        return reply

    weights = np.zeros(size, dtype=np.float32)
    def messages():
        for node in range(clients):
            record = ArrayRecord({"w": Array(weights)})
            yield Message(RecordDict({"weights": record}), dst_node_id=node + 1, message_type="train")

    mean, exchange = RunningMean(), Exchange(FakeGrid(answer), size * 4)
    for node, reply in exchange.ask(messages(), 300):
        mean.add(read_arrays(reply.content)["weights"], 1.0)
        del reply
    assert mean.weight == clients
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    """
)


def test_fifty_clients_need_no_more_memory_than_five() -> None:
    def peak(clients: int) -> int:
        told = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(clients), str(MODEL_MB)],
            cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert told.returncode == 0, told.stderr
        return int(told.stdout)

    assert peak(50) - peak(5) < 2 * MODEL_MB
