"""What a network learns with: from prepared samples to features."""

from torch import nn


class Encoder(nn.Module):
    """``forward`` turns prepared samples ``[n, ...]`` into unnormalised features ``[n, width]``."""

    width: int

    @property
    def evaluation_batch(self) -> int:
        """How many samples go through at once where nothing is learnt."""
        return 2048

    def pretrained_parameters(self) -> list[nn.Parameter]:
        """The trainable tensors that do not start at random."""
        return []
