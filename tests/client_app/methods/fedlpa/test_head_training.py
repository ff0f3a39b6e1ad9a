import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp

from client_app.methods.fedlpa.head_training import train_category_head
from common.discovery.posterior import TEMPERATURE


def _site(counts, seed=0, width=6, spread=0.35):
    rng = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(counts)), counts)
    unit = np.eye(len(counts), width)[targets] + spread * rng.normal(size=(len(targets), width))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return torch.tensor(unit, dtype=torch.float32), torch.from_numpy(targets)


def test_the_rows_minimise_the_objective():
    """Against scipy's optimiser on the formula, in float64."""
    unit, targets = _site([20, 5, 9], spread=0.8)
    rows = torch.eye(3, 6)
    own = torch.tensor([0, 2])
    trained, _ = train_category_head(unit, targets, rows, own, pull=0.5)
    x, start = unit.double().numpy(), rows.double().numpy()
    log_prior = np.log(np.array([21, 6, 10]) / 37)

    def objective(flat):
        moved = start.copy()
        moved[[0, 2]] = flat.reshape(2, 6)
        logits = x @ moved.T / TEMPERATURE + log_prior
        loss = (logsumexp(logits, axis=1) - logits[np.arange(len(x)), targets]).mean()
        return loss + 0.25 * ((moved - start) ** 2).sum()

    best = minimize(objective, start[[0, 2]].ravel(), method="BFGS")
    assert objective(trained.double().numpy().ravel()) == pytest.approx(best.fun, abs=1e-4)
    assert objective(start[[0, 2]].ravel()) > best.fun + 0.05
    np.testing.assert_allclose(trained.numpy(), best.x.reshape(2, 6), atol=0.05)


def test_how_frequent_a_category_is_here_moves_no_row():
    """The same samples, one category ten times as often: without the correction its row would win all doubtful ones."""
    unit, targets = _site([30, 30], spread=0.5)
    often = torch.cat([torch.arange(30).repeat(10), torch.arange(30, 60)])
    even, _ = train_category_head(unit, targets, torch.eye(2, 6), torch.tensor([0, 1]))
    uneven, _ = train_category_head(unit[often], targets[often], torch.eye(2, 6), torch.tensor([0, 1]))
    first = [float(((unit @ rows.T).argmax(dim=1) == 0).float().mean()) for rows in (even, uneven)]
    assert first[0] == pytest.approx(first[1], abs=0.07)


def test_a_strong_pull_keeps_the_federations_rows_and_a_loss_is_told():
    unit, targets = _site([10, 10])
    rows = torch.eye(2, 6)
    kept, before = train_category_head(unit, targets, rows, torch.tensor([0, 1]), pull=1e6)
    torch.testing.assert_close(kept, rows, atol=1e-3, rtol=0)
    _, after = train_category_head(unit, targets, rows, torch.tensor([0, 1]))
    assert after < before
