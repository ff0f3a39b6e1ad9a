"""Synthetic loan applications of four banks. Nothing in them is real: drawn from the formulas below.

A bank with large corporates mostly, one with individuals, one with start-ups, and a new one with a third of each.
A screening desk sorts an application by what it is and how it would end: high debt hurts a corporate, past delays an
individual, a short runway a start-up. What a bank hardly ever sees, its own model cannot name.
"""

import numpy as np

from common.data.dataset import Dataset

COLUMNS = (
    "log_income",
    "debt_share",
    "past_delays",
    "years",
    "runway_months",
    "growth",
    "collateral",
    "volatility",
    "employees_log",
    "interest_cover",
)
OUTCOMES = tuple(f"{who}, {how}" for who in ("corporate", "individual", "start-up") for how in ("sound", "at risk"))
BANKS = ("corporate bank", "retail bank", "start-up bank", "new bank")
MIX = ((0.86, 0.07, 0.07), (0.07, 0.86, 0.07), (0.07, 0.07, 0.86), (1 / 3, 1 / 3, 1 / 3))
"""Shares of corporates, individuals and start-ups by bank."""


def loan_table(loans_per_bank: int, seed: int) -> tuple[Dataset, list[np.ndarray]]:
    """All loans, and the row numbers of each bank; the last bank is the newcomer."""
    rng = np.random.default_rng(seed)
    n = loans_per_bank * len(BANKS)
    bank = np.repeat(np.arange(len(BANKS)), loans_per_bank)
    segment = np.array([rng.choice(3, p=MIX[b]) for b in bank])
    typical = np.array(
        [
            # income debt delays years runway growth collateral volatility employees cover
            [4.0, 0.9, 0.6, 12.0, 20.0, 0.2, 1.0, 0.6, 2.5, 2.2],
            [2.6, 0.6, 1.0, 9.0, 15.0, 0.1, 0.7, 0.7, 1.2, 1.6],
            [2.9, 0.7, 0.7, 6.0, 13.0, 0.5, 0.5, 1.0, 1.7, 1.2],
        ]
    )
    spread = np.array([0.8, 0.5, 0.8, 5.0, 6.0, 0.4, 0.5, 0.3, 0.8, 1.0])
    z = rng.normal(size=(n, len(COLUMNS)))
    x = typical[segment] + z * spread
    debt, delays, runway, growth, collateral, cover = z[:, 1], z[:, 2], z[:, 4], z[:, 5], z[:, 6], z[:, 9]
    strain = np.select(
        [segment == 0, segment == 1],
        [1.6 * debt - 1.0 * cover - 0.3 * collateral, 1.7 * delays + 0.8 * debt],
        -1.8 * runway - 0.8 * growth,
    ) + rng.normal(scale=0.4, size=n)
    outcome = 2 * segment + (strain > 0.7)
    labels = tuple(OUTCOMES[k] for k in outcome)
    ids = tuple(f"loan-{i}" for i in range(n))
    table = Dataset("vectors", x.astype(np.float32), labels, ids, "synthetic loans", COLUMNS)
    return table, [np.flatnonzero(bank == b) for b in range(len(BANKS))]
