import pytest
import torch

from common.data.kind_registry import sample_kind

SAMPLES = {
    "grey images": ("images", torch.rand(6, 1, 8, 8)),
    "colour images": ("images", torch.rand(3, 3, 16, 16)),
    "vectors": ("vectors", torch.randn(6, 10)),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_view_keeps_shape_and_dtype_and_repeats_with_the_seed(name):
    kind, x = SAMPLES[name]
    before = x.clone()
    view = sample_kind(kind).make_view(0.6)
    torch.manual_seed(1)
    first = view(x)
    second = view(x)
    torch.manual_seed(1)
    again = sample_kind(kind).make_view(0.6)(x)
    assert first.shape == x.shape
    assert first.dtype == x.dtype
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(x, before)
    assert torch.isfinite(first).all()


@pytest.mark.parametrize("name", SAMPLES)
def test_strength_zero_changes_nothing(name):
    kind, x = SAMPLES[name]
    assert torch.equal(sample_kind(kind).make_view(0.0, flip=True)(x), x)


def test_vectors_lose_a_share_of_their_entries_in_proportion_to_the_strength():
    torch.manual_seed(0)
    x = torch.full((200, 100), 1000.0)
    dropped = [float((sample_kind("vectors").make_view(s)(x).abs() < 10).float().mean()) for s in (0.3, 0.6, 3.0)]
    assert dropped == pytest.approx([0.1, 0.2, 0.9], abs=0.01)


def test_every_image_moves_in_its_own_way_and_mirrors_only_where_asked():
    torch.manual_seed(0)
    x = torch.zeros(64, 1, 16, 16)
    x[:, :, :, :4] = 1
    plain, flipped = sample_kind("images").make_view(0.3)(x), sample_kind("images").make_view(0.3, flip=True)(x)
    assert (plain - plain[0]).abs().amax(dim=(1, 2, 3))[1:].min() > 0.1

    def mirrored(view):
        return (view[..., :8].sum(dim=(1, 2, 3)) < view[..., 8:].sum(dim=(1, 2, 3))).sum()

    assert mirrored(plain) == 0
    assert 10 < mirrored(flipped) < 54
