"""Consent by name, and the smallest group that a site lets out."""

import numpy as np

from client_app.policy import Policy, policy_violations
from common.methods.fedlog.slots import Slots
from common.methods.fedlog.spec import slot_records
from common.wire.contract import Contract
from common.wire.messages import client_content

CONTRACT = Contract(slot_records(2, 1, 20))


def _reply(counts):
    m = len(counts)
    slots = Slots(*(np.ones((m, 2), np.float32),) * 3, np.zeros(m, np.int64), np.array(counts))
    return client_content(slots.records(), {"samples": 50})


def test_slots_need_consent_by_name_and_large_enough_groups():
    shy = Policy(methods=("fedlog",), max_bytes_per_round=10**6, min_samples=5)
    assert policy_violations(_reply([9]), CONTRACT, shy) == [
        "record 'slots' is not in the policy",
        "record 'slot-groups' is not in the policy",
    ]
    open_ = Policy(methods=("fedlog",), records=("slots", "slot-groups"), max_bytes_per_round=10**6, min_samples=5)
    assert policy_violations(_reply([9, 5]), CONTRACT, open_) == []
    assert policy_violations(_reply([9, 4, 3]), CONTRACT, open_) == [
        "2 slots stand for fewer than min-samples=5 samples"
    ]
