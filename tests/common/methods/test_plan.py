from itertools import pairwise

import pytest

from common.methods.plan import cosine, plan_round

RATE, REFINE = 1e-3, 5e-4
SETTINGS = [
    (rounds, warmup, every, prepare)
    for rounds in (1, 2, 3, 4, 5, 12, 27, 30)
    for warmup in (None, 0, 1, 6, 100)
    for every in (1, 2, 5, 31)
    for prepare in (False, True)
]


def _plans(rounds, warmup, every, prepare, upto=None):
    return [
        plan_round(
            number,
            rounds,
            prepare=prepare,
            warmup_rounds=warmup,
            rediscover_every=every,
            learning_rate=RATE,
            refine_learning_rate=REFINE,
        )
        for number in range(1, (upto or rounds) + 1)
    ]


def test_phases_come_in_order_and_the_last_round_closes_untrained():
    order = ["preparation", "warm-up", "discovery", "closing"]
    for setting in SETTINGS:
        plans = _plans(*setting)
        ranks = [order.index("discovery" if p.phase == "refinement" else p.phase) for p in plans]
        assert ranks == sorted(ranks), setting
        assert [p.phase for p in plans].count("closing") == 1
        last = plans[-1]
        assert (last.phase, last.train, last.discover, last.calibrate) == ("closing", False, True, False), setting
        assert [p.phase for p in plans].count("preparation") == (1 if setting[3] and setting[0] >= 3 else 0)


def test_every_round_between_preparation_and_closing_trains_at_a_rate_up_to_the_peak():
    for setting in SETTINGS:
        for plan in _plans(*setting):
            assert plan.train == (plan.phase in ("warm-up", "discovery", "refinement")), setting
            if plan.train:
                assert 0 < plan.learning_rate <= (RATE if plan.phase == "warm-up" else REFINE), setting
            else:
                assert plan.learning_rate == 0, setting


def test_discovery_is_the_first_round_of_refinement_and_then_every_so_many():
    for setting in SETTINGS:
        refined = [p for p in _plans(*setting) if p.phase in ("discovery", "refinement")]
        for i, plan in enumerate(refined):
            assert plan.discover == (plan.phase == "discovery") == (i % setting[2] == 0), setting


def test_calibration_is_exactly_one_training_round_ahead_of_each_discovery():
    for setting in SETTINGS:
        plans = _plans(*setting)
        for plan, following in pairwise(plans):
            assert plan.calibrate == (following.discover and plan.train), setting


@pytest.mark.parametrize(
    ("rounds", "prepare", "phases"),
    [
        (1, True, ["closing"]),
        (2, True, ["warm-up", "closing"]),
        (3, True, ["preparation", "warm-up", "closing"]),
        (3, False, ["warm-up", "discovery", "closing"]),
        (6, False, ["warm-up", "warm-up", "warm-up", "discovery", "refinement", "closing"]),
    ],
)
def test_short_runs(rounds, prepare, phases):
    assert [p.phase for p in _plans(rounds, None, 5, prepare)] == phases


def test_warm_up_is_as_long_as_asked_and_sixty_percent_otherwise():
    def length(rounds, warmup):
        return [p.phase for p in _plans(rounds, warmup, 5, False)].count("warm-up")

    assert length(26, None) == 15
    assert length(26, 7) == 7
    assert length(26, 0) == 0
    assert length(5, 100) == 4


def test_progress_grows_from_none_to_all_of_the_training():
    for setting in SETTINGS:
        progress = [p.progress for p in _plans(*setting)]
        assert progress == sorted(progress), setting
        assert progress[0] == 0
        assert progress[-1] == (1 if any(p.train for p in _plans(*setting)) else 0)


def test_what_follows_the_last_round_is_the_delivery():
    plan = _plans(5, None, 5, True, upto=6)[-1]
    assert (plan.phase, plan.train, plan.calibrate, plan.discover) == ("delivery", False, False, False)


def test_cosine_falls_from_the_peak_to_the_floor():
    values = [cosine(step, 10, 1.0, floor=0.1) for step in range(11)]
    assert values[0] == 1.0
    assert values[5] == pytest.approx(0.55)
    assert values[10] == pytest.approx(0.1)
    assert values == sorted(values, reverse=True)
    assert cosine(0, 10, 1e-7) == cosine(10, 10, 1e-7) == 1e-7
