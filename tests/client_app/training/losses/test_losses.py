import math

import pytest
import torch
from torch.nn.functional import normalize

from client_app.training.losses.contrastive import info_nce, sup_con
from client_app.training.losses.prior_alignment import batch_prior, prior_alignment
from client_app.training.losses.self_distillation import self_distillation


def _unit(n, d, seed=0):
    return normalize(torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1)


@pytest.mark.parametrize(("batch", "temperature"), [(2, 0.2), (7, 0.2), (7, 1.0)])
def test_info_nce_is_the_mean_over_both_views_of_the_explicit_formula(batch, temperature):
    first, second = _unit(batch, 5, 1), _unit(batch, 5, 2)
    rows = [*first, *second]
    total = 0.0
    for i, row in enumerate(rows):
        partner = rows[(i + batch) % (2 * batch)]
        others = [math.exp(float(row @ other) / temperature) for j, other in enumerate(rows) if j != i]
        total += math.log(sum(others)) - float(row @ partner) / temperature
    assert float(info_nce(first, second, temperature=temperature)) == pytest.approx(total / (2 * batch))


def test_sup_con_averages_over_positives_then_over_rows_that_have_one():
    p, labels = _unit(9, 4), torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3])
    terms = []
    for i in range(9):
        positives = [j for j in range(9) if j != i and labels[j] == labels[i]]
        if positives:
            denominator = math.log(sum(math.exp(float(p[i] @ p[j]) / 0.07) for j in range(9) if j != i))
            terms.append(sum(denominator - float(p[i] @ p[j]) / 0.07 for j in positives) / len(positives))
    assert len(terms) == 8
    assert float(sup_con(p, labels, temperature=0.07)) == pytest.approx(sum(terms) / len(terms))


def test_sup_con_without_a_pair_is_zero_and_still_differentiable():
    p = _unit(3, 4).requires_grad_()
    loss = sup_con(p, torch.arange(3), temperature=0.07)
    loss.backward()
    assert loss.item() == 0
    assert not p.grad.any()


def _distil(first, second):
    return self_distillation(first, second, student_temperature=0.1, teacher_temperature=0.05)


def test_self_distillation_is_the_cross_entropy_in_both_directions():
    first, second = _unit(6, 3, 1), _unit(6, 3, 2)
    total = 0.0
    for teacher, student in ((first, second), (second, first)):
        target, guess = (teacher / 0.05).softmax(1), (student / 0.1).softmax(1)
        total += float(-(target * guess.log()).sum(1).mean()) / 2
    assert float(_distil(first, second)) == pytest.approx(total)


def test_self_distillation_has_gradients_for_the_student_alone():
    first, second = _unit(6, 3, 1).requires_grad_(), _unit(6, 3, 2).requires_grad_()
    _distil(first, second).backward()
    for student, teacher in ((first, second), (second, first)):
        # Cross-entropy with a constant target: (softmax - target) / temperature.
        expected = ((student / 0.1).softmax(1) - (teacher / 0.05).softmax(1)) / 0.1 / 6 / 2
        torch.testing.assert_close(student.grad, expected.detach())


def _align(cosines, prior):
    return prior_alignment(cosines, prior, student_temperature=0.1)


def test_prior_alignment_is_a_divergence():
    for seed in range(10):
        cosines = _unit(12, 4, seed)
        prior = _unit(1, 4, seed + 50)[0].softmax(0)
        mean = (cosines / 0.1).softmax(1).mean(0)
        assert float(_align(cosines, mean)) == pytest.approx(0, abs=1e-7)
        expected = float((mean * (mean / prior).log()).sum())
        assert expected > 0
        assert float(_align(cosines, prior)) == pytest.approx(expected, abs=1e-6)


def test_with_a_uniform_prior_it_is_log_k_minus_the_entropy():
    cosines = _unit(12, 5)
    mean = (cosines / 0.1).softmax(1).mean(0)
    entropy = float(-(mean * mean.log()).sum())
    assert float(_align(cosines, torch.full((5,), 0.2))) == pytest.approx(math.log(5) - entropy, abs=1e-6)


def test_prior_alignment_survives_predictions_that_miss_a_category():
    cosines = torch.tensor([[50.0, -50.0]] * 3, requires_grad=True)
    loss = _align(cosines, torch.tensor([0.5, 0.5]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2), abs=1e-5)
    assert torch.isfinite(cosines.grad).all()


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: _align(x, torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)),
        lambda x: info_nce(normalize(x[:2], dim=1), normalize(x[2:], dim=1), temperature=0.2),
    ],
)
def test_gradients_are_those_of_finite_differences(loss):
    x = (0.3 * _unit(4, 3)).requires_grad_()
    assert torch.autograd.gradcheck(loss, (x,), atol=1e-6)


def test_the_batch_prior_is_the_smoothed_share_of_each_category():
    prior = batch_prior(torch.tensor([0, 0, 2]), 4, smoothing=0.1)
    assert prior.tolist() == pytest.approx([2.1 / 3.4, 0.1 / 3.4, 1.1 / 3.4, 0.1 / 3.4])
