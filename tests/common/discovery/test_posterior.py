import numpy as np
import torch

from common.discovery.posterior import TEMPERATURE, adapt_prior, blend_prior, category_logits, log_prior_of


def test_cosine_logits_are_centred_cosines_over_the_temperature():
    z, rows, centre = torch.randn(5, 3), torch.randn(2, 3), torch.randn(3)
    found = category_logits(z, rows, centre)
    for i in range(5):
        for k in range(2):
            cosine = torch.cosine_similarity(z[i] - centre, rows[k] - centre, dim=0)
            torch.testing.assert_close(found[i, k], cosine / TEMPERATURE)


def test_a_linear_head_takes_the_place_of_the_rows():
    z, centre = torch.randn(4, 3), torch.randn(3)
    linear = torch.randn(2, 4)
    unit = (z - centre) / (z - centre).norm(dim=1, keepdim=True)
    torch.testing.assert_close(
        category_logits(z, torch.randn(2, 3), centre, linear), unit @ linear[:, :3].T + linear[:, 3]
    )


def test_the_prior_is_smoothed_shares():
    torch.testing.assert_close(log_prior_of(torch.tensor([3, 0])).exp(), torch.tensor([0.8, 0.2]))


def test_expectation_maximisation_finds_the_shares_of_a_mixture():
    """Two Gaussians of known shape, mixed 9 to 1: the estimate must reach the shares, not stay uniform."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, 1800), rng.normal(2, 1, 200)])
    logits = torch.tensor(np.stack([-0.5 * x**2, -0.5 * (x - 2) ** 2], axis=1))
    shares = adapt_prior(logits).exp()
    np.testing.assert_allclose(shares.numpy(), [0.9, 0.1], atol=0.03)


def test_a_sample_from_anywhere_has_a_uniform_prior():
    log_prior = torch.tensor([0.9, 0.1]).log()
    torch.testing.assert_close(blend_prior(log_prior, 0.0).exp(), torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(blend_prior(log_prior, 1.0).exp(), torch.tensor([0.9, 0.1]))
    torch.testing.assert_close(blend_prior(log_prior, 0.5).exp(), torch.tensor([0.7, 0.3]))
