import itertools

import jax.numpy as jnp
import keras
import numpy as np
from jax_steps import pure
from keras import ops

from adversarial import backend


def test_peek_loses_nothing():
    data = [np.full((2, 3), i, "float32") for i in range(3)]
    specs, iterator = backend.peek(iter(data))
    assert specs.shape == (2, 3) and specs.dtype == "float32"
    for found, given in itertools.zip_longest(iterator, data):
        np.testing.assert_array_equal(found, given)
    assert backend.peek(data) == (None, data)


def test_specs_are_shapes_and_dtypes_also_of_lists_of_numbers():
    found = backend.specs({"x": np.ones((2, 1), "int32"), "y": None, "z": 2.0})
    assert found["x"].shape == (2, 1) and found["x"].dtype == "int32"
    assert found["y"] is None and found["z"].shape == ()
    assert backend.specs(found) == found


def test_specs_of_traces_and_leaves_nothing_behind():
    v = keras.Variable(1.0)

    def run(x):
        def function(parts):
            backend.write(v, ops.sum(parts[0]))
            return {"sum": parts[0] @ ops.ones((3, 2)), "rest": parts[1]}

        return backend.specs_of(function, [x, None])["sum"].shape

    found, (after,) = pure(run, v)([v.value], jnp.ones((4, 3)))
    assert found == (4, 2) and after is v.value
