"""What noise on updates comes to: epsilon for a stated delta, and which settings of a run it can hold for."""

import math

from common.errors import InputError
from common.methods.registry import updates_sent
from common.run.record import NoiseSpent, PrivacySpent
from common.settings import AnyConfig
from common.wire.contract import Contract
from common.wire.records import WEIGHTS

DELTA = 1e-5
"""The delta that epsilon is stated for."""


def epsilon(noise_multiplier: float, rounds: int, delta: float = DELTA) -> float:
    """Epsilon of ``rounds`` releases with noise of ``noise_multiplier`` x clip-norm, exactly; infinite without noise.

    The unit of privacy is a site's whole data set: replacing it moves a clipped update by at most twice the norm.
    The same holds for a sum of clipped updates, so noise at a site and noise on the sum come to the same epsilon.

    >>> round(epsilon(20.0, 1), 2)
    0.34
    """
    if noise_multiplier <= 0:
        return math.inf
    return epsilon_of(rounds * spent(noise_multiplier), delta)


def spent(noise_multiplier: float) -> float:
    """One release's share of mu squared (Gaussian differential privacy): shares of several releases add up."""
    return (2 / noise_multiplier) ** 2


def epsilon_of(mu_squared: float, delta: float = DELTA) -> float:
    """Epsilon of Gaussian mechanisms whose shares add up to ``mu_squared`` (Balle and Wang, 2018)."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    if mu_squared <= 0:
        return 0.0
    mu = math.sqrt(mu_squared)

    def excess(eps: float) -> float:
        tail = math.exp(min(700.0, eps + float(norm.logcdf(-mu / 2 - eps / mu))))
        return float(norm.cdf(mu / 2 - eps / mu)) - tail - delta

    if excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high))


def check_noise(config: AnyConfig, contract: Contract) -> None:
    """Refuse settings for which the noise would not come to the epsilon that is stated.

    Raises:
        InputError: clipping or noise that cannot hold what it promises.
    """
    for side, norm, multiplier in _sides(config):
        if not multiplier:
            continue
        setting = f"setting {side}-noise-multiplier={multiplier:g}"
        if norm is None:
            raise InputError(f"{setting} needs {side}-clip-norm: noise hides only what is bounded; set both.")
        if WEIGHTS not in contract.arrays:
            raise InputError(f"{setting} has nothing to act on: {config.method} shares no weights; leave it out.")
        others = [record for record in contract.records if record.name != WEIGHTS and not record.benchmark]
        if others:
            switch = others[0].switch
            raise InputError(
                f"{setting} covers weights only, and this run also shares '{others[0].name}'; "
                + (f"set {switch}." if switch else "choose another method.")
            )
    if config.central_noise_multiplier:
        if config.aggregation != "mean":
            raise InputError(
                f"setting aggregation={config.aggregation} has no bounded sensitivity, so central-noise-multiplier "
                "needs aggregation=mean; leave one of them out."
            )
        if config.outliers in {"clip", "refuse"}:
            raise InputError(
                f"setting outliers={config.outliers} makes a site's part depend on the others', so "
                "central-noise-multiplier needs outliers=report; central-clip-norm bounds every update anyway."
            )


def privacy_reached(config: AnyConfig, rounds: int) -> PrivacySpent | None:
    """What clipping and noise the server knows of, and the epsilon after ``rounds``; None where there are none.

    Rounds that send no weights do not count. The noise that real sites add is theirs to know (``site.log``).
    """
    if all(norm is None for _, norm, _ in _sides(config)):
        return None
    updates = updates_sent(config, rounds)
    found = {
        side: NoiseSpent(
            clip_norm=norm,
            noise_multiplier=multiplier,
            epsilon=epsilon(multiplier, updates) if multiplier else None,
        )
        for side, norm, multiplier in _sides(config)
        if norm is not None
    }
    return PrivacySpent(
        delta=DELTA, rounds=updates, covers=WEIGHTS, central=found.get("central"), local=found.get("local")
    )


def privacy_sentences(privacy: PrivacySpent | None) -> list[str]:
    """What was spent in words, a sentence for each side that clips or adds noise."""
    if privacy is None:
        return []
    sentences = []
    for side, where, noise in (
        ("central", "on the mean, against all but the server", privacy.central),
        ("local", "at each site", privacy.local),
    ):
        if noise is None:
            continue
        clipped = f"updates clipped to {noise.clip_norm:g}"
        if noise.epsilon is None:
            sentences.append(f"{clipped} ({side}), no noise: no bound on epsilon")
            continue
        sentences.append(
            f"epsilon {noise.epsilon:.3g} at delta {privacy.delta:g} for a site's whole data, after "
            f"{privacy.rounds} rounds of the weights: noise {noise.noise_multiplier:g} x clip norm {where}, {clipped}"
        )
    return sentences


def _sides(config: AnyConfig) -> tuple[tuple[str, float | None, float], ...]:
    return (
        ("central", config.central_clip_norm, config.central_noise_multiplier),
        ("local", config.local_clip_norm, config.local_noise_multiplier),
    )
