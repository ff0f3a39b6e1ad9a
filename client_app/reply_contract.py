"""What the reply to one message may hold, by the message's type and round."""

from flwr.app import MessageType

from common.methods.plan import round_contract
from common.methods.registry import get_method
from common.place import Deployment, Place
from common.settings import AnyConfig
from common.wire.contract import Contract
from common.wire.messages import DELIVER


def reply_contract(kind: str, number: int, config: AnyConfig, place: Place) -> Contract:
    """What a reply to a message of type ``kind`` in round ``number`` may hold; at an institution nothing simulated."""
    method = get_method(config.method)
    contract = method.contract(config, place)
    if isinstance(place, Deployment):
        contract = contract.at_institution()
    if kind == MessageType.TRAIN:
        return round_contract(contract, method.plan(config, number))
    return contract.delivery() if kind == DELIVER else contract.metrics_only()
