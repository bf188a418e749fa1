import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from adversarial import backend


def test_reading_gives_the_value_of_that_moment():
    v = keras.Variable([1.0, 2.0])
    x = backend.read(v)
    v.assign([5.0, 5.0])
    np.testing.assert_array_equal(x, [1.0, 2.0])


def test_own_gradients_differentiates_each_scalar_by_its_own_tensors():
    a, b = tf.constant(2.0), tf.constant(3.0)
    result, grads = backend.own_gradients(
        lambda x: (
            {"a": x["a"][0] ** 2 * b, "b": a * x["b"][0] ** 3},
            [x["a"][0] + b],
        ),
        {"a": [a], "b": [b, a + 0]},
    )
    np.testing.assert_allclose(result, [5.0])
    np.testing.assert_allclose(grads["a"], [12.0])
    np.testing.assert_allclose(grads["b"][0], 54.0)
    assert grads["b"][1] is None


def test_a_function_can_be_given_another_derivative():
    x = tf.constant([1.0, 2.0])

    def forward(y):
        return [3 * y, y + 1]

    def backward(xs, slopes):
        return [slopes[0] * xs[0] + 100 * slopes[1]]

    def total(y):
        first, second = backend.with_slopes(forward, backward, [y])
        return tf.reduce_sum(first) + tf.reduce_sum(second)

    for run in (total, tf.function(total)):
        (found,) = backend.gradient(run, [x])
        np.testing.assert_allclose(found, [101.0, 102.0])
    np.testing.assert_allclose(total(x), 9 + 5)


def test_gradients_of_look_ups_are_dense():
    table = tf.constant([[1.0], [2.0], [3.0]])
    (grad,) = backend.gradient(
        lambda x: tf.reduce_sum(tf.gather(x, [0, 0, 2])), [table]
    )
    np.testing.assert_array_equal(grad, [[2.0], [0.0], [1.0]])


def test_jvp_is_the_directional_derivative_and_none_is_zero():
    x, y = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])
    derivatives = backend.jvp(
        lambda x, y: [x * x * y, None], [x, y], [tf.constant([1.0, 1.0]), None]
    )
    np.testing.assert_allclose(derivatives[0], [6.0, 16.0])
    assert derivatives[1] is None


def test_jvp_of_a_gradient_is_a_hessian_product():
    x = tf.constant([1.0, 2.0])
    (product,) = backend.jvp(
        lambda x: backend.gradient(lambda y: tf.reduce_sum(y**3), [x]),
        [x],
        [tf.constant([1.0, 10.0])],
    )
    np.testing.assert_allclose(product, [6.0, 120.0])


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function])
def test_when_runs_only_under_its_condition(wrap):
    v = keras.Variable(0.0)

    def add_one():
        v.assign(v + 1.0)

    play = wrap(functools.partial(backend.when, do=add_one))
    play(tf.constant(True))
    play(tf.constant(False))
    assert float(v) == 1.0


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function])
def test_switch_runs_one_branch(wrap):
    v = keras.Variable(0.0)

    def branch(x):
        def run():
            v.assign(v + x)
            return [tf.constant(x)]

        return run

    branches = [branch(1.0), branch(10.0)]
    play = wrap(functools.partial(backend.switch, branches=branches))
    assert float(play(tf.constant(1))[0]) == 10.0
    assert float(v) == 10.0


def test_all_finite_looks_at_every_entry():
    good = [tf.ones((2, 2)), None, tf.zeros((3,))]
    assert bool(backend.all_finite(good))
    for bad in (np.nan, np.inf, -np.inf):
        assert not bool(backend.all_finite([*good, tf.constant([1.0, bad])]))
    assert bool(backend.all_finite([None]))


def test_all_finite_takes_any_mixture_of_precisions():
    large = tf.fill((100,), tf.constant(1000.0, tf.float16))
    mixed = [large, tf.ones(3), tf.ones(2, tf.float64), tf.ones(2, tf.bfloat16)]
    assert bool(backend.all_finite(mixed))
    assert not bool(backend.all_finite([*mixed, large / 0]))


def test_a_fused_update_writes_what_the_plain_one_writes():
    ends = []
    for fused in (False, True):
        v = keras.Variable([1.0, 2.0, 3.0])
        optimizer = keras.optimizers.Adam(0.1)
        optimizer.build([v])
        step = stepper(optimizer, v, fused)
        for i in range(5):
            step(tf.constant([1.0, -1e-3, float(i)]))
        ends.append(v.numpy())
    np.testing.assert_allclose(*ends, rtol=1e-6)


def stepper(optimizer, v, fused):
    def update(x):
        optimizer.apply([x], [v])

    return tf.function(
        backend.fused(update) if fused else update,
        autograph=False,
    )


def test_concrete_runs_at_once_inside_a_graph():
    seen = []

    @tf.function
    def graph():
        with backend.concrete():
            seen.append(tf.constant(3.0) + 1.0)
        return tf.constant(0.0)

    graph()
    assert float(seen[0]) == 4.0


@pytest.mark.parametrize("graph", [False, True])
def test_repeat_runs_until_it_is_told_to_stop(graph):
    def run(x):
        return backend.repeat(
            lambda x, k: (2.0 * x, k + 1),
            [x, tf.constant(0)],
            10,
            until=lambda x, k: x > 20.0,
        )

    x, k = (tf.function(run) if graph else run)(tf.constant(3.0))
    assert float(x) == 24 and int(k) == 3
    x, k = (tf.function(run) if graph else run)(tf.constant(1e-9))
    assert int(k) == 10


def test_a_loop_is_traced_once():
    traced = []

    @tf.function
    def run(x):
        return backend.repeat(lambda x: traced.append(1) or [x + 1], [x], 50)

    assert float(run(tf.constant(0.0))[0]) == 50
    assert len(traced) == 1


@pytest.mark.parametrize("graph", [False, True])
def test_a_recomputed_function_has_the_same_gradient(graph):
    """With a tape inside, and an integer passing through."""

    def body(x, k):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(x**3)
        return x - 0.1 * tape.gradient(y, x), k + 1

    def slope(function, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            end, _ = function(*function(x, tf.constant(0)))
            value = tf.reduce_sum(end * [1.0, 2.0])
        return tape.gradient(value, x)

    x = tf.constant([0.5, -0.3])
    run = lambda f: (tf.function(slope) if graph else slope)(f, x)  # noqa: E731
    expected = slope(body, x)
    found = run(lambda *args: backend.recomputed(body)(*args))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_slice_can_be_differentiated_three_times_under_xla():
    """TensorFlow alone has no gradient for what XLA makes of its gradient."""

    @tf.function(jit_compile=True)
    def third(x):
        with tf.GradientTape() as t3:
            t3.watch(x)
            with tf.GradientTape() as t2:
                t2.watch(x)
                with tf.GradientTape() as t1:
                    t1.watch(x)
                    y = tf.reduce_sum(tf.slice(x, [1], [2]) ** 4)
                first = tf.reduce_sum(t1.gradient(y, x) ** 2)
            second = tf.reduce_sum(t2.gradient(first, x))
        return t3.gradient(second, x)

    x = np.array([1.0, 2.0, 3.0, 4.0])
    # y = x^4, first = 16 x^6, second = 96 x^5, third = 480 x^4.
    np.testing.assert_allclose(
        third(tf.constant(x)), 480 * x**4 * [0, 1, 1, 0], rtol=1e-12
    )
