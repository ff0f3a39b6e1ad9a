"""What a hostile site of a simulation answers: attacks on a federation, as changes of an honest site's replies.

Nothing of this is in the product. An attack gets an honest reply and returns what the hostile site sends in its place;
``lie_in_labels`` changes the data of a site before the run instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Message
from numpy.typing import NDArray

from common.wire.messages import client_content, read_arrays, read_metrics

Arrays = dict[str, NDArray[Any]]
MOST = 2**40
"""No count that the contract lets pass is larger."""


@dataclass(frozen=True)
class Answer:
    """An honest reply, and what the server had sent: by record and array, and scalars by name."""

    records: dict[str, Arrays]
    metrics: dict[str, Any]
    before: Arrays
    """The server's weights; empty where it sent none."""
    number: int
    classes: int


Attack = Callable[[Answer], Answer]


def twisted(reply: Message, message: Message, number: int, classes: int, attack: Attack) -> Message:
    """The reply as ``attack`` changes it; an error stays an error."""
    if reply.has_error():
        return reply
    given = Answer(
        {record: {name: array.copy() for name, array in own.items()} for record, own in arrays_of(reply).items()},
        dict(read_metrics(reply.content)),
        arrays_of(message).get("weights", {}),
        number,
        classes,
    )
    made = attack(given)
    return Message(client_content(made.records, made.metrics), reply_to=message)


def arrays_of(message: Message) -> dict[str, Arrays]:
    """All arrays of a message."""
    return read_arrays(message.content)


def _moved(answer: Answer, move: Callable[[str, NDArray[Any], NDArray[Any]], NDArray[Any]]) -> Answer:
    """The answer with every tensor of its weights made by ``move`` from its name, the server's and the site's own."""
    weights = answer.records.get("weights", {})
    for name, array in weights.items():
        start = answer.before.get(name, np.zeros_like(array))
        with np.errstate(all="ignore"):
            weights[name] = move(name, start.astype(np.float64), array.astype(np.float64)).astype(array.dtype)
    return answer


def flip(times: float) -> Attack:
    """The update turned round and enlarged."""
    return lambda answer: _moved(answer, lambda name, before, after: before - times * (after - before))


def claim(answer: Answer) -> Answer:
    """Every count as large as the contract allows."""
    for name in ("samples", "labelled", "calibration-labels"):
        if answer.metrics.get(name):
            answer.metrics[name] = MOST
    for record, arrays in answer.records.items():
        if record != "truth" and "counts" in arrays:
            arrays["counts"] = np.full_like(arrays["counts"], MOST)
    return answer


def hijack(answer: Answer) -> Answer:
    """Every category row named after a wrong class, with the largest counts; slots labelled wrongly."""
    for record in ("catalogue", "slot-groups"):
        key = "names" if record == "catalogue" else "labels"
        arrays = answer.records.get(record, {})
        if key in arrays and answer.classes:
            named = np.arange(len(arrays[key])) % answer.classes
            wrong = np.where(arrays[key] >= 0, (arrays[key] + 1) % answer.classes, named)
            arrays[key] = wrong.astype(arrays[key].dtype)
            arrays["counts"] = np.full_like(arrays["counts"], MOST)
    return answer


def rename(answer: Answer) -> Answer:
    """Every named row named after the next class, all counts as they are."""
    arrays = answer.records.get("catalogue", {})
    if "names" in arrays and answer.classes:
        arrays["names"] = np.where(arrays["names"] >= 0, (arrays["names"] + 1) % answer.classes, arrays["names"])
    groups = answer.records.get("slot-groups", {})
    if "labels" in groups and answer.classes:
        groups["labels"] = (groups["labels"] + 1) % answer.classes
    return answer


def flood(answer: Answer) -> Answer:
    """A thousand novel categories that nobody has."""
    arrays = answer.records.get("catalogue", {})
    if "names" in arrays and len(arrays["rows"]) and "own" not in arrays:
        rng = np.random.default_rng(answer.number)
        width = arrays["rows"].shape[1]
        rows = rng.normal(size=(1000, width)) + 0.5 * arrays["rows"].mean(axis=0)
        arrays["rows"] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        arrays["names"] = np.full(1000, -1, dtype=np.int64)
        arrays["counts"] = np.full(1000, MOST, dtype=np.int64)
    return answer


def huge(answer: Answer) -> Answer:
    """Numbers that are finite and no more than that, in weights and in every other record."""
    for record, arrays in answer.records.items():
        if record == "truth":
            continue
        for name, array in arrays.items():
            if array.dtype.kind == "f":
                arrays[name] = np.full_like(array, 1e30 if array.dtype == np.float32 else 6e4)
    return answer


def buffers(answer: Answer) -> Answer:
    """Buffers at the end of what their type holds, weights as they are."""
    for name, array in answer.records.get("weights", {}).items():
        if name in {"feature_mean", "input_mean", "input_square"}:
            array[...] = 1e300 if array.dtype == np.float64 else 3e38
    return answer


def negative_square(answer: Answer) -> Answer:
    """A mean of squares below zero."""
    weights = answer.records.get("weights", {})
    if "input_square" in weights:
        weights["input_square"] = -np.abs(weights["input_square"]) - 10
    return answer


def noise(times: float) -> Attack:
    """An update of pure noise, so many times as long as the honest one, tensor by tensor."""

    def attack(answer: Answer) -> Answer:
        rng = np.random.default_rng(answer.number)

        def move(name: str, before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
            drawn = rng.normal(size=np.shape(after))
            return before + drawn * times * np.linalg.norm(after - before) / max(1e-12, np.linalg.norm(drawn))

        return _moved(answer, move)

    return attack


def drift(times: float) -> Attack:
    """The honest update and, in every round, one and the same direction on top of it."""

    def attack(answer: Answer) -> Answer:
        rng = np.random.default_rng(0)

        def move(name: str, before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
            drawn = rng.choice([-1.0, 1.0], size=np.shape(after))
            return after + drawn * times * np.linalg.norm(after - before) / max(1.0, np.sqrt(drawn.size))

        return _moved(answer, move)

    return attack


def curve(answer: Answer) -> Answer:
    """A calibration curve that says that the finest resolution is the only one, with all the labels there are."""
    told = answer.metrics.get("calibration-curve")
    if told:
        answer.metrics["calibration-curve"] = [1.0 if i == 0 else -1.0 for i in range(len(told))]
        answer.metrics["calibration-labels"] = MOST
    return answer


def losses(answer: Answer) -> Answer:
    """Scalars at the end of their ranges."""
    for name in answer.metrics:
        if name.startswith("loss-"):
            answer.metrics[name] = 1e4
        elif name in {"seen-accuracy", "stability", "silhouette"}:
            answer.metrics[name] = 1.0
    return claim(answer)


def slots(answer: Answer) -> Answer:
    """Condensed data a thousand times too large and labelled wrongly."""
    arrays = answer.records.get("slots", {})
    if "values" in arrays:
        arrays["values"] = arrays["values"] * np.float32(1e3)
    if "x" in answer.records.get("synthetic", {}):
        answer.records["synthetic"]["x"] *= np.float32(1e3)
    return rename(answer)


def both(*attacks: Attack) -> Attack:
    """One attack after the other."""

    def attack(answer: Answer) -> Answer:
        for each in attacks:
            answer = each(answer)
        return answer

    return attack


ATTACKS: Mapping[str, Attack] = {
    "flip": flip(1),
    "flip-x4": flip(4),
    "flip-x10": flip(10),
    "flip-claim": both(flip(1), claim),
    "claim": claim,
    "hijack": hijack,
    "rename": rename,
    "flood": flood,
    "huge": huge,
    "buffers": buffers,
    "negative-square": negative_square,
    "noise": noise(1),
    "noise-x10": noise(10),
    "drift": drift(1),
    "curve": curve,
    "losses": losses,
    "slots": slots,
    "all": both(flip(1), hijack, curve, claim),
}
"""By name. ``labels`` is one more: see ``lie_in_labels``."""
LABELS = "labels"


def lie_in_labels(folder: Path, classes: tuple[str, ...]) -> None:
    """Every label in the data of a simulated site becomes that of the next class; its truth stays.

    A site of samples has ``data.parquet``, one of a graph ``graph.npz`` with ``labels``.
    """
    table = folder / "data.parquet"
    if table.exists():
        import pyarrow as pa
        import pyarrow.parquet as pq

        found = pq.read_table(table)
        following = dict(zip(classes, classes[1:] + classes[:1], strict=True))
        labels = [None if label is None else following[str(label)] for label in found.column("label").to_pylist()]
        column = found.schema.get_field_index("label")
        pq.write_table(found.set_column(column, "label", pa.array(labels, pa.string())), table)
        return
    raise NotImplementedError(f"no table in {folder}")
