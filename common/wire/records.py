"""Names of the records that shared machinery knows, and the ranges of scalars."""

from common.wire.contract import ScalarSpec

WEIGHTS = "weights"
"""Trainable tensors and buffers, by their names in the network: what is averaged, clipped and noised."""
TRUTH = "truth"
"""Benchmarks only: counts of predictions by true class."""

SIMULATED_METRICS = ("site",)
"""Scalars that only simulated sites report."""

MOST = 2**40
"""No count is larger."""
UNIT = ScalarSpec(0.0, 1.0)
LOSS = ScalarSpec(-1e4, 1e4, group="loss")
COUNT = ScalarSpec(0, MOST, whole=True)
SECONDS = ScalarSpec(0, 1e7)
