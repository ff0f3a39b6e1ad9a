"""What both sides must agree on for FedLoG (docs/fedlog.md): options, rounds, and what may leave a site."""

from pydantic import Field

from common.methods.fedlog.slots import GROUPS, SLOTS
from common.methods.graph_common import (
    GRAPH_METRICS,
    GraphOptions,
    features,
    graph_method,
    graph_weights_record,
    score_records,
    starting_sage,
)
from common.place import Place
from common.settings import RunConfig
from common.wire.contract import ArraySpec, Contract, Record
from common.wire.records import MOST

PREDICTORS = ("personal", "averaged", "own")
"""What a site is scored with: the averaged and its own model together, and each alone without any prior."""
WANTED = "slots-wanted"
"""Record of the server's message to a site whose slots it does not have."""


class FedLoGOptions(GraphOptions):
    """Settings of FedLoG; the defaults are the recipe of docs/fedlog.md#training."""

    share_slots: bool = Field(True, description="send condensed slots; false: each site trains with its own only")
    group_size: int = Field(10, ge=1, description="labelled nodes behind a slot, where the class has that many")
    min_group: int = Field(3, ge=1, description="a class with fewer labelled nodes is not condensed")
    slots_per_class: int = Field(20, ge=1, le=1000, description="a site's slots of one class at most")
    slot_clip: float | None = Field(None, gt=0, description="L2 norm a node is clipped to before it is condensed")
    slot_noise: float = Field(0.0, ge=0, description="standard deviation of noise on every entry of a slot")
    slot_weight: float = Field(1.0, ge=0, description="weight of the slots' loss; 0 trains without them")
    tau: float = Field(1.0, ge=0, le=10, description="strength of the prior correction in the loss; 0: none")
    own_model: bool = Field(True, description="train a model that is never averaged beside the shared one")
    gate: bool = Field(True, description="predict with the site's prior where a node's neighbourhood is known")
    gate_shift: float = Field(1.0, ge=-20, le=20, description="added to the gate's logit")
    neighbour_prior: float | None = Field(
        3.0,
        gt=0,
        description="pseudo-count of a node's own prior against its neighbours' classes; unset: they are mute",
    )
    cosine_head: bool = Field(False, description="classify by the angle to each class's row")


def contract(config: RunConfig[FedLoGOptions], place: Place) -> Contract:
    """Weights always; slots with ``share-slots``; listed scalars; in benchmarks the counts of right predictions."""
    options = config.options
    records = (graph_weights_record(config, cosine=options.cosine_head), *score_records(config, place, PREDICTORS))
    if options.share_slots:
        records += slot_records(features(config), len(config.seen_classes), options.slots_per_class)
    return Contract(records, GRAPH_METRICS)


def slot_records(width: int, classes: int, per_class: int) -> tuple[Record, Record]:
    """The declaration of a site's slots of ``width`` features."""
    most = max(1, min(classes * per_class, 32767))
    entries = most * 3 * width
    values = {
        "rows": ArraySpec("int16", (None,), entries, low=0, high=most - 1),
        "columns": ArraySpec("int32", (None,), entries, low=0, high=3 * width - 1),
        "values": ArraySpec("float32", (None,), entries),
    }
    groups = {
        "labels": ArraySpec("int64", (None,), most, low=0, high=classes - 1),
        "counts": ArraySpec("int64", (None,), most, low=1, high=MOST),
    }
    switch = "share-slots=false"
    return (
        Record(SLOTS, values, switch=switch, consent=True),
        Record(GROUPS, groups, switch=switch, counted="slots", consent=True),
    )


FEDLOG = graph_method(
    "fedlog",
    "FedLoG: graphs and tables; condensed synthetic data against local overfitting",
    FedLoGOptions,
    contract,
    rounds=60,
    initial_weights=lambda config: starting_sage(config, cosine=config.options.cosine_head),
)
SPECS = (FEDLOG,)
