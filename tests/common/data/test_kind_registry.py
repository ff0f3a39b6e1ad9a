import pyarrow as pa
import pytest

from common.config import make_config
from common.data.kind_registry import KINDS, find_kind, is_standardised, kind_of_table, own_models, sample_kind
from common.data.kinds.images import IMAGES
from common.data.kinds.vectors import VECTORS
from common.data.options import ReadOptions
from common.errors import InputError


def test_a_kind_is_found_by_its_name_or_the_nearest_is_named():
    assert [find_kind(name).name for name in KINDS] == ["images", "vectors", "graph"]
    with pytest.raises(InputError, match=r"unknown kind of data 'image'; did you mean 'images'\?"):
        find_kind("image")
    with pytest.raises(InputError, match=r"did you mean 'vectors'\?"):
        make_config({"kind": "vector"})


def test_graphs_are_no_samples():
    for name in ("graph", ""):
        with pytest.raises(InputError, match="does not say what kind of data"):
            sample_kind(name)


def test_only_vectors_take_a_preparation_round():
    assert [name for name in (*KINDS, "") if is_standardised(name)] == ["vectors"]


def test_every_kind_has_a_model_and_a_column_of_its_own():
    assert own_models() == ("auto", "convnet", "adapter")
    assert IMAGES.column != VECTORS.column


LISTS, NUMBER = pa.list_(pa.float32()), pa.float32()


@pytest.mark.parametrize(
    ("types", "label", "kind"),
    [
        ({"image": pa.binary(), "embedding": LISTS}, "label", IMAGES),
        ({"embedding": LISTS, "a": NUMBER}, "label", VECTORS),
        ({"embedding": NUMBER, "a": NUMBER}, "label", None),
        ({"embedding": LISTS, "a": NUMBER}, "embedding", None),
        ({"image": NUMBER}, "image", None),
        ({"image": NUMBER}, "label", IMAGES),
    ],
)
def test_a_table_is_of_the_first_kind_whose_column_it_has(types, label, kind):
    assert kind_of_table(types, ReadOptions(label_column=label)) is kind
