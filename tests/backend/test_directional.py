import time

import numpy as np
import pytest
import tensorflow as tf

from adversarial import backend

RNG = np.random.default_rng(0)
X, W, V = (RNG.normal(size=s) for s in ((8, 3), (3, 4), (3, 4)))
SAME = 1e-12
"""Relative and absolute, float64."""


def penalty(w):
    """Half the squared slope of sum(tanh(x w)), differentiated inside."""
    x = tf.constant(X)
    (g,) = backend.gradient(lambda y: tf.reduce_sum(tf.tanh(y @ w)), [x])
    return 0.5 * tf.reduce_sum(g**2, axis=1)


def sometimes(w, due):
    (found,) = backend.seldom(
        due,
        lambda: [penalty(w)],
        lambda: [tf.zeros((len(X),), "float64")],
    )
    return found


def slope(function, w):
    def total(w):
        return tf.reduce_sum(tf.sin(w)) + tf.reduce_sum(function(w))

    return backend.gradient(total, [w])


def forward(function, w):
    return backend.jvp(lambda x: slope(function, x), [w], [V])[0]


def backward(function, w):
    def inner(w):
        return tf.reduce_sum(slope(function, w)[0] * V)

    return backend.gradient(inner, [w])[0]


ORDERS = {
    "value": lambda f, w: f(w),
    "gradient": lambda f, w: slope(f, w)[0],
    "J v": forward,
    "J^T v": backward,
}
HOW = {"eager": None, "graph": False, "xla": True}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("order", ORDERS)
def test_what_is_done_seldom_has_all_derivatives(order, how):
    def run(w, due):
        return ORDERS[order](lambda x: sometimes(x, due), w)

    if HOW[how] is not None:
        run = tf.function(run, jit_compile=HOW[how], autograph=False)
    w = tf.constant(W)
    nothing = lambda w: tf.zeros((len(X),), "float64")  # noqa: E731
    for due, function in ((True, penalty), (False, nothing)):
        np.testing.assert_allclose(
            run(w, tf.constant(due)),
            ORDERS[order](function, w),
            rtol=SAME,
            atol=SAME,
        )


def test_forward_mode_alone_would_not_pass():
    """Why there is a second way: a plain conditional."""

    @tf.function(autograph=False)
    def run(w, due):
        def plain(w):
            (found,) = backend.switch(
                due,
                [
                    lambda: [tf.zeros((len(X),), "float64")],
                    lambda: [penalty(w)],
                ],
            )
            return found

        return forward(plain, w)

    with pytest.raises((TypeError, AssertionError, LookupError)):
        run(tf.constant(W), tf.constant(1))


@pytest.mark.parametrize("due", [True, False])
def test_directional_derivatives_may_be_nested(due):
    x, v = tf.constant([2.0, 3.0]), tf.constant([1.0, -1.0])

    @tf.function(autograph=False)
    def run(due):
        def cubes(x):
            return backend.seldom(
                due, lambda: [x**3], lambda: [tf.zeros_like(x)]
            )

        def once(x):
            return backend.jvp(cubes, [x], [v])

        return [*once(x), *backend.jvp(once, [x], [v])]

    first, second = run(tf.constant(due))
    np.testing.assert_allclose(first, [12 * due, -27 * due])
    np.testing.assert_allclose(second, [12 * due, 18 * due])


ROUNDS = {"graph": 1 << 14, "xla": 1 << 23}
"""Of a loop that takes some tenths of a second."""


@pytest.mark.parametrize("how", ROUNDS)
def test_what_is_not_due_is_not_run(how):
    def rounds():
        start = (tf.constant(0), tf.constant(1.0))
        return [
            tf.while_loop(
                lambda i, x: i < ROUNDS[how],
                lambda i, x: (i + 1, tf.sin(x)),
                start,
            )[1]
        ]

    @tf.function(jit_compile=how == "xla", autograph=False)
    def run(due):
        return backend.seldom(due, rounds, lambda: [tf.constant(0.0)])[0]

    def seconds(due):
        start = time.perf_counter()
        run(tf.constant(due)).numpy()
        return time.perf_counter() - start

    seconds(False)
    skipped = min(seconds(False) for _ in range(5))
    # Measured: a hundredth, or less.
    assert skipped < seconds(True) / 5


def test_a_stand_in_comes_back_as_a_new_tensor():
    x = tf.constant(1.0)
    (found,) = backend.seldom(tf.constant(False), lambda: [x + 1], lambda: [x])
    assert found is not x
    assert float(found) == 1.0


def test_zeros_stay_none_and_sparse_gradients_become_dense():
    table = tf.constant(RNG.normal(size=(5, 2)))
    other = tf.constant(RNG.normal(size=(2,)))
    rows = tf.constant([1, 1, 3])
    way = [tf.ones_like(table), None]

    @tf.function(autograph=False)
    def run(due):
        def field(table, _):
            def loss(table):
                (scale,) = backend.seldom(
                    due,
                    lambda: [tf.reduce_sum(tf.gather(table, rows) ** 3)],
                    lambda: [tf.constant(0.0, "float64")],
                )
                return scale

            return [*backend.gradient(loss, [table]), None]

        return backend.jvp(field, [table, other], way)[0]

    expected = np.zeros((5, 2))
    np.add.at(expected, [1, 1, 3], 6 * table.numpy()[[1, 1, 3]])
    np.testing.assert_allclose(run(tf.constant(True)), expected)
