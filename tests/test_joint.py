import keras
import numpy as np
import pytest
from engines import ENGINE, dtype_of
from keras import ops

from adversarial import Joint
from adversarial.joint import pack_like, tensors_of

RNG = np.random.default_rng(0)
SHAPES = {"x": [(3,), (2, 2)], "y": [(2,)]}
A, B = (
    {
        name: [RNG.normal(size=shape) for shape in shapes]
        for name, shapes in SHAPES.items()
    }
    for _ in range(2)
)

INVERSE = 1 if ENGINE == "jax" else 0
"""XLA divides by a number by multiplying with its inverse: a unit in the last
place."""


def joint(blocks):
    return Joint(
        {
            name: [
                None if x is None else ops.convert_to_tensor(x) for x in block
            ]
            for name, block in blocks.items()
        }
    )


def assert_equal(result, blocks, ulps=0):
    """Exact: each result is one float64 operation, rounded as in NumPy."""
    assert list(result) == list(blocks)
    for name, block in blocks.items():
        assert len(result[name]) == len(block)
        for got, want in zip(result[name], block, strict=True):
            if want is None:
                assert got is None
            else:
                got = ops.convert_to_numpy(got)
                np.testing.assert_array_max_ulp(got, want, ulps)


def each(function, *vectors):
    return {
        name: [
            function(*entries)
            for entries in zip(*(v[name] for v in vectors), strict=True)
        ]
        for name in vectors[0]
    }


def test_sums_differences_and_negatives_are_those_of_the_entries():
    a, b = joint(A), joint(B)
    assert_equal(a + b, each(lambda p, q: p + q, A, B))
    assert_equal(a - b, each(lambda p, q: p - q, A, B))
    assert_equal(-a, each(lambda p: -p, A))


@pytest.mark.parametrize(
    "scale",
    [0.1, 3, np.float64(0.1), ops.convert_to_tensor(0.1, "float64")],
    ids=["float", "int", "numpy", "tensor"],
)
def test_a_number_scales_every_entry_without_being_rounded(scale):
    number = float(scale)
    assert_equal(joint(A) * scale, each(lambda p: p * number, A))
    quotients = each(lambda p: p / number, A)
    assert_equal(joint(A) / scale, quotients, INVERSE)


def test_a_number_scales_from_the_left_too():
    assert_equal(0.1 * joint(A), each(lambda p: 0.1 * p, A))


def test_every_player_can_have_a_scale_of_its_own():
    scales = {"x": 0.1, "y": -2.0}
    expected = {n: [scales[n] * p for p in block] for n, block in A.items()}
    assert_equal(joint(A) * scales, expected)
    assert_equal(scales * joint(A), expected)


def test_entries_keep_their_precision():
    low = Joint({"x": [ops.ones((2,), "float32"), ops.ones((2,), "float64")]})
    for result in (low * 0.5, low / 3, low - low, -low):
        assert [dtype_of(x) for x in result["x"]] == ["float32", "float64"]


def test_two_vectors_are_not_multiplied():
    with pytest.raises(TypeError):
        joint(A) * joint(B)


def test_none_is_a_structural_zero():
    hole = joint({**A, "x": [None, A["x"][1]]})
    zero = {**A, "x": [np.zeros(3), A["x"][1]]}
    assert_equal(hole + joint(B), each(lambda p, q: p + q, zero, B))
    assert_equal(joint(B) - hole, each(lambda p, q: p - q, B, zero))
    assert_equal(hole - joint(B), each(lambda p, q: p - q, zero, B))
    assert_equal(2.0 * hole, {"x": [None, 2 * A["x"][1]], "y": [2 * A["y"][0]]})
    assert_equal(
        hole + hole, {"x": [None, 2 * A["x"][1]], "y": [2 * A["y"][0]]}
    )
    np.testing.assert_allclose(
        hole.dot(joint(B)), sum(np.sum(p * q) for p, q in pairs(zero, B))
    )


def pairs(a, b):
    return [pair for name in a for pair in zip(a[name], b[name], strict=True)]


def test_the_inner_product_runs_over_all_players():
    expected = sum(np.sum(p * q) for p, q in pairs(A, B))
    np.testing.assert_allclose(joint(A).dot(joint(B)), expected, rtol=1e-14)


def test_the_norm_is_the_euclidean_one():
    expected = np.sqrt(sum(np.sum(p * p) for p, _ in pairs(A, A)))
    np.testing.assert_allclose(joint(A).norm(), expected, rtol=1e-14)


def test_the_inner_product_of_zeros_is_a_zero():
    nothing = Joint({"x": [None]})
    assert float(nothing.dot(nothing)) == 0.0
    assert float(nothing.norm()) == 0.0


def test_a_missing_block_is_zero_in_sums_and_products():
    a, part = joint(A), joint({"y": B["y"]})
    padded = {"x": [np.zeros(3), np.zeros((2, 2))], "y": B["y"]}
    assert_equal(a - part, each(lambda p, q: p - q, A, padded))
    expected = each(lambda p, q: p + q, padded, A)
    assert_equal(part + a, {"y": expected["y"], "x": expected["x"]})
    np.testing.assert_allclose(a.dot(part), np.sum(A["y"][0] * B["y"][0]))
    np.testing.assert_allclose(part.dot(a), np.sum(A["y"][0] * B["y"][0]))


def test_blocks_of_different_lengths_do_not_add():
    with pytest.raises(ValueError):
        joint({"x": [np.ones(1)]}) + joint({"x": [np.ones(1), np.ones(1)]})


def test_a_bar_takes_the_blocks_of_the_right_where_it_has_them():
    assert_equal(joint(A) | joint({"y": B["y"]}), {**A, "y": B["y"]})
    assert_equal(joint(A) | {"y": B["y"]}, {**A, "y": B["y"]})
    assert_equal(joint({"y": A["y"]}) | joint(B), {"y": B["y"], "x": B["x"]})


def test_only_restricts_to_some_players_in_the_given_order():
    assert_equal(joint(A).only(["y"]), {"y": A["y"]})
    assert list(joint(A).only(["y", "x"])) == ["y", "x"]


def test_map_reaches_every_tensor_and_no_zero():
    hole = joint({"x": [None, A["x"][1]]})
    assert_equal(hole.map(lambda p: p * p), {"x": [None, A["x"][1] ** 2]})


def test_pack_undoes_flatten():
    flat = joint(A).flatten()
    assert len(flat) == 3
    assert_equal(joint(B).pack(flat), A)


@pytest.mark.parametrize("count", [2, 4])
def test_pack_wants_one_entry_per_variable(count):
    with pytest.raises(ValueError, match="one entry per variable") as error:
        joint(A).pack([None] * count)
    assert "Expected: 3." in str(error.value)
    assert f"Received: {count}." in str(error.value)


def test_a_vector_is_a_mapping_from_players_to_tuples():
    vector = Joint({"x": iter([1, 2]), "y": [3]})
    assert dict(vector) == {"x": (1, 2), "y": (3,)}
    assert len(vector) == 2
    assert "x" in vector and "z" not in vector


def test_of_variables_the_values_are_taken():
    v = keras.Variable([1.0, 2.0])
    joint = Joint({"a": [v, None]})
    v.assign([5.0, 5.0])
    np.testing.assert_array_equal(joint["a"][0], [1.0, 2.0])
    assert joint["a"][1] is None


def test_filled_puts_zeros_where_there_is_nothing():
    like = Joint({"a": [ops.ones((2,)), ops.ones(())], "b": [ops.ones((1,))]})
    found = Joint({"a": [None, ops.array(5.0)]}).filled(like)
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["a"][0], [0, 0])
    assert float(found["a"][1]) == 5
    np.testing.assert_array_equal(found["b"][0], [0])


def test_scaled_multiplies_entry_by_entry():
    v = Joint({"a": [ops.array([1.0, 2.0]), None]})
    w = Joint({"a": [ops.array([3.0, 4.0]), ops.array(1.0)]})
    found = v.scaled(w)
    np.testing.assert_array_equal(found["a"][0], [3, 8])
    assert found["a"][1] is None


def test_structures_with_joint_vectors_are_flattened_and_packed():
    v = Joint({"b": [ops.array(1.0)], "a": [ops.array(2.0), ops.array(3.0)]})
    structure = (v, {"s": [ops.array(4.0)]}, ops.array(5.0))
    flat = tensors_of(structure)
    assert sorted(map(float, flat)) == [1, 2, 3, 4, 5]
    again = pack_like(structure, [10 * x for x in flat])
    assert isinstance(again[0], Joint) and list(again[0]) == ["b", "a"]
    assert [float(x) for x in again[0].flatten()] == [10, 20, 30]
    assert float(again[1]["s"][0]) == 40 and float(again[2]) == 50
