import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from jax_steps import array, pure
from keras import ops

from adversarial import backend


def test_what_a_differentiated_function_writes_comes_out_as_a_value():
    v, w = keras.Variable(1.0), keras.Variable(5.0)

    def run(x):
        def loss(y):
            backend.write(v, ops.sum(y))
            return ops.sum(y**2) * w

        slopes = backend.gradient(loss, [x])
        _, grads = backend.own_gradients(
            lambda b: ({"p": loss(*b["p"]) + v}, []), {"p": [x]}
        )
        (change,) = backend.jvp(lambda y: [loss(y)], [x], [x])
        return slopes, grads, change

    start = [jnp.asarray(1.0, "float32"), jnp.asarray(5.0, "float32")]
    for wrap in (lambda f: f, jax.jit):
        run_pure = wrap(pure(run, v, w))
        (slopes, grads, change), after = run_pure(start, array(1.0, 2.0))
        np.testing.assert_allclose(slopes[0], [10.0, 20.0])
        np.testing.assert_allclose(grads["p"][0], [11.0, 21.0])
        np.testing.assert_allclose(change, 50.0)
        np.testing.assert_allclose(after, [3.0, 5.0])


def test_an_exception_leaves_the_scope_as_it_was():
    v = keras.Variable(1.0)

    def loss(x):
        backend.write(v, x)
        raise RuntimeError("no")

    def run(x):
        backend.write(v, x + 1)
        with pytest.raises(RuntimeError, match="no"):
            backend.gradient(loss, [x])
        return backend.read(v)

    found, _ = jax.jit(pure(run, v))([jnp.asarray(1.0)], jnp.asarray(2.0))
    assert float(found) == 3.0
