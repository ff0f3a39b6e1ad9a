from pathlib import Path

import numpy as np
import pytest
from flwr.app import Message

from common.config import make_config
from common.place import Deployment, Simulation
from common.wire.messages import (
    Instruction,
    client_content,
    content_bytes,
    read_arrays,
    read_instruction,
    read_metrics,
    server_content,
)

RECORDS = {
    "weights": {"w": np.arange(6, dtype=np.float32).reshape(3, 2).T, "empty": np.zeros((0, 4), np.float32)},
    "catalogue": {"names": np.array([-1, 3])},
}


@pytest.mark.usefixtures("flower_task")
@pytest.mark.parametrize("values", [{}, {"curve": (0.25, -0.5)}])
@pytest.mark.parametrize("place", [Deployment(), Simulation(Path("/tmp/sites"))])
def test_an_instruction_and_its_arrays_arrive_as_they_were_sent(values, place):
    config = make_config({"knn": 7, "seen-classes": ["a, b", "ü"], "sample-shape": [4], "kind": "vectors"})
    instruction = Instruction(config, 3, place, "a run", values)
    content = server_content(instruction, RECORDS)
    arrived = Message(content, dst_node_id=1, message_type="train")
    again = read_instruction(arrived)
    assert again == instruction
    assert again.config.options == config.options
    arrays = read_arrays(arrived.content)
    assert arrays.keys() == RECORDS.keys()
    for record, named in RECORDS.items():
        assert arrays[record].keys() == named.keys()
        for name, array in named.items():
            np.testing.assert_array_equal(arrays[record][name], array)
            assert arrays[record][name].dtype == array.dtype
            assert arrays[record][name].shape == array.shape


def test_metrics_arrive_as_they_were_sent():
    metrics = {"samples": 4, "loss": 0.5, "curve": [0.0, 1.0]}
    content = client_content(RECORDS, metrics)
    assert read_metrics(content) == metrics
    assert read_arrays(content).keys() == RECORDS.keys()


def test_payload_counts_the_arrays_alone():
    payload = content_bytes(client_content({"w": {"a": np.zeros(1000, np.float32)}}, {"samples": 1}))
    assert 4000 < payload < 4200
    assert content_bytes(client_content({}, {"samples": 1})) == 0
