"""The one round of ``local-infomap`` at a site."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from common.methods.discovery_common import RESOLUTIONS

SENT = {"samples", "labelled", "concepts", "resolution", "discovery-seconds", "silhouette", "tiny-share"}


def predictions(site: Any) -> dict[str, list[Any]]:
    return pq.read_table(site.site.folder / "predictions.parquet").to_pydict()


def test_scalars_leave_and_every_sample_is_named_at_the_site(asked_site: Callable[..., Any]) -> None:
    site = asked_site("local-infomap")
    answer = site.ask(1)
    assert set(answer.records) == {"truth"}
    assert set(answer.metrics) == SENT
    assert answer.metrics["resolution"] in RESOLUTIONS
    assert not site.state.path.exists()
    table = predictions(site)
    assert tuple(table["id"]) == site.data.ids
    for label, name, novel, confidence in zip(
        site.data.labels, table["category"], table["is_novel"], table["confidence"], strict=True
    ):
        assert novel == name.startswith("novel-")
        assert 0 <= confidence <= 1
        if label >= 0:
            assert (name, confidence) == (site.config.seen_classes[label], 1.0)
    first = table
    site.ask_again(1, answer)
    assert predictions(site) == first


def test_the_counts_are_those_of_the_predictions_by_truth(asked_site: Callable[..., Any]) -> None:
    """The columns of the count matrix, category by category, from the file on the disk."""
    site = asked_site("local-infomap")
    counts = site.ask(1).records["truth"]["counts"]
    hidden = site.data.labels < 0
    names = np.array(predictions(site)["category"])[hidden]
    expected = [np.bincount(site.data.truth[hidden][names == name], minlength=4).tolist() for name in np.unique(names)]
    assert counts.sum() == hidden.sum()
    assert sorted(row for row in counts.tolist() if sum(row)) == sorted(expected)


def test_separate_groups_become_categories_and_the_labelled_ones_have_their_names(
    asked_site: Callable[..., Any],
) -> None:
    site = asked_site("local-infomap")
    site.ask(1)
    names = np.array(predictions(site)["category"])
    for true, name in enumerate(site.config.classes):
        of_class = names[site.data.truth == true]
        most = max(set(of_class.tolist()), key=of_class.tolist().count)
        assert (of_class == most).mean() > 0.8
        assert most == name if name in site.config.seen_classes else most.startswith("novel-")


def test_an_institution_sends_no_record_at_all(asked_site: Callable[..., Any]) -> None:
    site = asked_site("local-infomap", real=True)
    answer = site.ask(1)
    assert answer.records == {}
    assert set(answer.metrics) == SENT
