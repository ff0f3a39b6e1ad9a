import numpy as np
import pytest

from common.config import make_config
from common.discovery.scores import score
from server_app.scoring import global_scores, local_scores, old_classes

CONFIG = make_config({"seen-classes": ["b", "a"], "classes": ["b", "a", "c"]})


def test_old_classes_are_the_seen_ones():
    assert old_classes(CONFIG) == [True, True, False]


def test_global_scores_match_once_over_the_sum_and_pad_short_matrices():
    counts = {"x": np.array([[5, 0, 0], [0, 1, 0]]), "y": np.array([[0, 4, 0], [6, 0, 0], [0, 0, 3]])}
    total = np.array([[5, 4, 0], [6, 1, 0], [0, 0, 3]])
    found = global_scores(counts, CONFIG)
    assert found == score(total, [True, True, False])._asdict()
    assert found["all"] == pytest.approx((4 + 6 + 3) / 19)
    assert counts["x"].shape == (2, 3)


def test_local_scores_match_every_site_by_itself_and_weigh_by_samples():
    counts = {
        "x": np.array([[5, 0, 0], [0, 1, 0]]),
        "y": np.array([[0, 4, 0], [6, 0, 0], [0, 2, 3]]),
        "z": np.zeros((2, 3), int),
    }
    found = local_scores(counts, CONFIG)
    assert found["all"] == pytest.approx((6 * 1.0 + 15 * (13 / 15)) / 21)
    assert found["new"] == 1.0
    assert found["old"] == pytest.approx((6 * 1.0 + 15 * (10 / 12)) / 21)


def test_nothing_to_score_is_null():
    assert global_scores({}, CONFIG) is None
    assert global_scores({"x": np.zeros((2, 3), int)}, CONFIG) is None
    assert local_scores({}, CONFIG) is None
    assert local_scores({"x": np.array([[0, 0, 1], [0, 0, 1]])}, CONFIG) == {"all": 0.5, "old": None, "new": 0.5}
