import jax
import numpy as np
import pytest
from jax_steps import array
from keras import ops

from adversarial import backend

CALLS = pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])


LOST = {
    "not used": lambda x, y: ops.sum(x),
    "stopped": lambda x, y: ops.sum(x * ops.stop_gradient(y)),
    "as a whole number": lambda x, y: ops.sum(
        x * ops.cast(ops.cast(y, "int32"), x.dtype)
    ),
    "as a condition": lambda x, y: ops.sum(ops.where(y > 0, x, 2.0 * x)),
    "beside a loop": lambda x, y: ops.sum(
        backend.repeat(lambda a: [2 * a], [x], 2)[0]
    ),
}


@CALLS
@pytest.mark.parametrize("loss", LOST.values(), ids=LOST)
def test_no_path_is_none_as_on_the_other_engines(loss, wrap):
    x, y = array(1.0, 2.0), array(3.0, 4.0)
    slopes = wrap(lambda x, y: backend.gradient(loss, [x, y]))(x, y)
    assert slopes[0] is not None and slopes[1] is None
    blocks = {"p": [x, y], "q": [y, x]}
    _, grads = wrap(
        lambda blocks: backend.own_gradients(
            lambda b: ({"p": loss(*b["p"]), "q": loss(*b["q"])}, []), blocks
        )
    )(blocks)
    assert [g is None for g in grads["p"] + grads["q"]] == [0, 1, 0, 1]


def test_a_slope_that_is_zero_by_chance_is_not_none():
    (slope,) = backend.gradient(lambda x: ops.sum(x * 0.0), [array(1.0)])
    np.testing.assert_array_equal(slope, [0.0])
