"""An institution under attack: the application as it answers messages, on real files, asked by a server that lies."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flwr.app import ConfigRecord, Context, Message, RecordDict
from numpy.typing import NDArray

from client_app.app import app
from client_app.audit import FILE, verify
from client_app.site import SITE_CONFIG
from common.config import make_config
from common.data.dataset import Dataset
from common.data.parquet import write_dataset
from common.methods.registry import get_method
from common.place import Deployment
from common.settings import AnyConfig
from common.wire.messages import DELIVER, Instruction, read_arrays, read_metrics, server_content
from fedlpa.federation.config_files import policy_yaml
from tests.approved import RUN, approve_run

Records = Mapping[str, Mapping[str, NDArray[Any]]]


class Institution:
    """A folder as ``federation init`` leaves it, with the default policy, and its answers in this process."""

    def __init__(self, folder: Path, dataset: Dataset, **settings: object) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        given = {"data": "", "kind": dataset.kind, "sample-shape": list(dataset.sample_shape), "threads": 1}
        given |= {"seen-classes": sorted(dataset.classes)} | settings
        self.config = make_config(given)
        self.put(dataset)
        (folder / "policy.yaml").write_text(policy_yaml(self.config))
        self.site = f'name = "north"\nserver = "localhost:9092"\ndata = "data.parquet"\n{self._approved()}'
        self.configure()
        self.start = dict(get_method(self.config.method).initial_weights(self.config))

    def _approved(self) -> str:
        return approve_run(self.folder, self.config)

    def put(self, dataset: Dataset) -> None:
        """Replace the data."""
        self.dataset = dataset
        write_dataset(dataset, self.folder / "data.parquet")

    def configure(self, lines: str = "") -> None:
        """Write ``site.toml``, with more lines."""
        (self.folder / "site.toml").write_text(self.site + lines)

    def ask(
        self,
        number: int,
        weights: Mapping[str, NDArray[Any]] | None = None,
        *,
        kind: str = "train",
        config: AnyConfig | None = None,
        run: str = RUN,
        records: Records = {},  # noqa: B006
        change: Callable[[ConfigRecord], None] = lambda run: None,
    ) -> Message:
        """The site's answer to a message of round ``number``; ``change`` is made to its instruction."""
        sent = dict(records) if weights is None else {"weights": weights, **records}
        content = server_content(Instruction(config or self.config, number, Deployment(), run), sent)
        instruction = content["run"]
        assert isinstance(instruction, ConfigRecord)
        change(instruction)
        message = Message(content, dst_node_id=1, message_type=kind)
        message.metadata.__dict__["_message_id"] = "1"
        context = Context(7, 1, {SITE_CONFIG: str(self.folder / "site.toml")}, RecordDict({}), {})
        return app(message, context)

    def deliver(self, weights: Mapping[str, NDArray[Any]], **others: Any) -> Message:
        """The site's answer to the final model."""
        return self.ask(self.config.rounds + 1, weights, kind=DELIVER, **others)

    @property
    def state(self) -> Path:
        """The site's state folder."""
        return self.folder / "state"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of the audit log, whose chain is whole."""
        verify(self.state / FILE)
        return [json.loads(line) for line in (self.state / FILE).read_text().splitlines()]


def weights_of(reply: Message) -> dict[str, NDArray[Any]]:
    """The weights in a reply."""
    assert reply.has_content(), reply.error
    return dict(read_arrays(reply.content)["weights"])


def told(reply: Message) -> dict[str, Any]:
    """The scalars of a reply."""
    return dict(read_metrics(reply.content))


def nothing(reply: Message) -> str:
    """That a reply holds nothing; and the sentence of its error."""
    assert not reply.has_content()
    return str(reply.error.reason)


def without(dataset: Dataset, row: int) -> Dataset:
    """The data without one row."""
    keep = [n for n in range(len(dataset.ids)) if n != row]
    return replace(
        dataset,
        x=dataset.x[keep],
        labels=tuple(dataset.labels[n] for n in keep),
        ids=tuple(dataset.ids[n] for n in keep),
    )
