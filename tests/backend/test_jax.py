"""Each primitive against closed forms: eager, compiled, and in a scope."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from jax_steps import array, pure
from keras import ops

from adversarial import backend
from adversarial.backend.functional_optimizer import FunctionalOptimizer

CALLS = pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])


def test_reading_gives_the_value_of_that_moment():
    v = keras.Variable([1.0, 2.0])
    x = backend.read(v)
    backend.write(v, jnp.asarray([5.0, 5.0]))
    np.testing.assert_array_equal(x, [1.0, 2.0])
    np.testing.assert_array_equal(backend.read(v), [5.0, 5.0])


def test_in_a_scope_variables_are_read_and_written_there():
    v = keras.Variable([1.0, 2.0])

    def double():
        backend.write(v, 2 * backend.read(v))
        return backend.read(v)

    found, (after,) = pure(double, v)([array(3.0, 4.0)])
    np.testing.assert_array_equal(found, [6.0, 8.0])
    np.testing.assert_array_equal(after, [6.0, 8.0])
    np.testing.assert_array_equal(v.value, [1.0, 2.0])


@CALLS
def test_own_gradients_differentiates_each_scalar_by_its_own_tensors(wrap):
    def run(a, b):
        return backend.own_gradients(
            lambda x: (
                {"a": x["a"][0] ** 2 * b, "b": a * x["b"][0] ** 3},
                [x["a"][0] + b],
            ),
            {"a": [a], "b": [b, a + 0]},
        )

    result, grads = wrap(run)(array(2.0)[0], array(3.0)[0])
    np.testing.assert_allclose(result, [5.0])
    np.testing.assert_allclose(grads["a"], [12.0])
    np.testing.assert_allclose(grads["b"][0], 54.0)
    assert grads["b"][1] is None


@CALLS
def test_a_function_can_be_given_another_derivative(wrap):
    def forward(y, z):
        return [3 * y, y + z]

    def backward(xs, slopes):
        return [slopes[0] * xs[0] + 100 * slopes[1], None]

    def total(y, z):
        first, second = backend.with_slopes(forward, backward, [y, z])
        return ops.sum(first) + ops.sum(second)

    x, z = array(1.0, 2.0), array(0.0, 1.0)
    slopes = wrap(lambda *xs: backend.gradient(total, xs))(x, z)
    np.testing.assert_allclose(slopes[0], [101.0, 102.0])
    assert slopes[1] is None
    np.testing.assert_allclose(wrap(total)(x, z), 9 + 4)
    (second,) = wrap(
        lambda x: backend.gradient(
            lambda y: ops.sum(backend.gradient(total, [y, z])[0] ** 2), [x]
        )
    )(x)
    np.testing.assert_allclose(second, [202.0, 204.0])


def test_jvp_is_the_directional_derivative_and_none_is_zero():
    x, y = array(1.0, 2.0), array(3.0, 4.0)
    derivatives = backend.jvp(
        lambda x, y: [x * x * y, None], [x, y], [array(1.0, 1.0), None]
    )
    np.testing.assert_allclose(derivatives[0], [6.0, 16.0])
    assert derivatives[1] is None


@CALLS
def test_jvp_of_a_gradient_is_a_hessian_product(wrap):
    (product,) = wrap(
        lambda x: backend.jvp(
            lambda x: backend.gradient(lambda y: ops.sum(y**3), [x]),
            [x],
            [array(1.0, 10.0)],
        )
    )(array(1.0, 2.0))
    np.testing.assert_allclose(product, [6.0, 120.0])


@pytest.mark.parametrize("due", [True, False])
@CALLS
def test_when_keeps_what_was_written_under_its_condition(wrap, due):
    v, w = keras.Variable(1.0), keras.Variable([1.0, 2.0])

    def do():
        backend.write(v, v + 1.0)
        backend.write(w, w * float("nan"))

    run = wrap(pure(lambda x: backend.when(x, do, [v, w]), v, w))
    _, (one, two) = run([v.value, w.value], jnp.asarray(due))
    assert float(one) == (2 if due else 1)
    np.testing.assert_array_equal(two, [np.nan, np.nan] if due else [1.0, 2.0])


@pytest.mark.parametrize("index", [0, 1, 2])
@CALLS
def test_switch_runs_one_branch_and_keeps_what_it_wrote(wrap, index):
    v, w = keras.Variable(1.0), keras.Variable(2.0)

    def first():
        backend.write(v, v + 10.0)
        return [backend.read(v), jnp.asarray(1)]

    def second():
        backend.write(w, w + 100.0)
        return [backend.read(w), jnp.asarray(2)]

    def neither():
        return [backend.read(v) * 0, jnp.asarray(3)]

    run = wrap(
        pure(lambda i: backend.switch(i, [first, second, neither]), v, w)
    )
    found, after = run([v.value, w.value], jnp.asarray(index))
    assert [float(x) for x in found] == [[11, 1], [102, 2], [0, 3]][index]
    assert [float(x) for x in after] == [[11, 2], [1, 102], [1, 2]][index]


def test_one_branch_alone_is_run_as_it_is():
    (found,) = backend.switch(jnp.asarray(7), [lambda: [jnp.asarray(2.0)]])
    assert float(found) == 2.0


@CALLS
def test_what_is_not_due_is_not_run_nor_differentiated(wrap):
    """The root has an infinite slope at 0; zero times that would be NaN."""

    def loss(x, due):
        (y,) = backend.seldom(due, lambda: [ops.sqrt(x)], lambda: [3.0 * x])
        return ops.sum(y)

    def slope(x, due):
        return backend.gradient(lambda y: loss(y, due), [x])[0]

    run = wrap(slope)
    np.testing.assert_array_equal(run(array(0.0), False), [3.0])
    np.testing.assert_allclose(run(array(4.0), True), [0.25])


def test_all_finite_looks_at_every_entry_of_any_precision():
    good = [
        jnp.ones((2, 2)),
        None,
        jnp.zeros(3, "float16"),
        jnp.ones(1, "bfloat16"),
    ]
    assert bool(backend.all_finite(good))
    for bad in (np.nan, np.inf, -np.inf):
        assert not bool(backend.all_finite([*good, array(1.0, bad)]))
    assert bool(backend.all_finite([None]))
    # Finite numbers, of which the sum of squares is not.
    assert bool(backend.all_finite([jnp.full(100, 1000.0, "float16")]))


@CALLS
def test_repeat_runs_until_it_is_told_to_stop(wrap):
    run = wrap(
        lambda x: backend.repeat(
            lambda x, k: (2.0 * x, k + 1),
            [x, 0],
            10,
            until=lambda x, k: x > 20.0,
        )
    )
    x, k = run(jnp.asarray(3.0))
    assert float(x) == 24 and int(k) == 3
    assert int(run(jnp.asarray(1e-9))[1]) == 10


@CALLS
def test_a_loop_is_traced_once_and_can_be_differentiated(wrap):
    traced = []

    def power(x):
        def body(y, factor):
            traced.append(1)
            return [y * factor, factor]

        return backend.repeat(body, [jnp.ones_like(x), x], 5)[0]

    np.testing.assert_allclose(wrap(power)(array(2.0, 3.0)), [32.0, 243.0])
    assert len(traced) == 1
    (slope,) = wrap(
        lambda x: backend.gradient(lambda y: ops.sum(power(y)), [x])
    )(array(2.0, 3.0))
    np.testing.assert_allclose(slope, [5 * 16.0, 5 * 81.0])


@CALLS
def test_a_recomputed_function_has_the_same_derivatives(wrap):
    """With a gradient inside, and an integer passing through."""

    def body(x, k):
        (g,) = backend.gradient(lambda y: ops.sum(y**3), [x])
        return [x - 0.1 * g, k + 1]

    def slope(x):
        def loss(y):
            step = backend.recomputed(body)
            end, k = step(*step(y, jnp.asarray(0)))
            return ops.sum(end * array(1.0, 2.0)) + 0.0 * k

        return backend.gradient(loss, [x])[0]

    x = np.array([0.5, -0.3])
    y = x - 0.3 * x**2
    expected = (1 - 0.6 * y) * (1 - 0.6 * x) * [1.0, 2.0]
    np.testing.assert_allclose(
        wrap(slope)(jnp.asarray(x)), expected, rtol=1e-12
    )
    (second,) = wrap(
        lambda x: backend.gradient(lambda y: ops.sum(slope(y)), [x])
    )(jnp.asarray(x))
    turn = (-0.6 * (1 - 0.6 * x) ** 2 - 0.6 * (1 - 0.6 * y)) * [1.0, 2.0]
    np.testing.assert_allclose(second, turn, rtol=1e-12)


def test_concrete_runs_at_once_while_something_is_traced():
    seen = []

    @jax.jit
    def traced(x):
        with backend.concrete():
            seen.append(float(jnp.asarray(3.0) + 1.0))
        return x

    traced(jnp.asarray(0.0))
    assert seen == [4.0]


def test_there_is_nothing_to_fuse_compile_or_mend():
    assert not backend.fuses_updates()
    assert backend.fused(len) is backend.compiled(len) is len
    layer = keras.layers.BatchNormalization(dtype="float64")
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 2)))

    def total(y):
        with keras.StatelessScope():  # Its moving statistics do not matter.
            z = layer(y, training=True)
        return ops.sum(z**3 * array(1.0, 2.0))

    def slope(y):
        return backend.gradient(total, [y])[0]

    layer.build(x.shape)
    with backend.exact_moments():
        (product,) = backend.jvp(lambda y: [slope(y)], [x], [x[::-1]])
    h = 1e-6
    difference = (slope(x + h * x[::-1]) - slope(x - h * x[::-1])) / (2 * h)
    np.testing.assert_allclose(product, difference, rtol=0, atol=1e-7)


OPTIMIZERS = {
    "plain": lambda: keras.optimizers.SGD(0.1),
    "with momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.1, weight_decay=0.01, clipnorm=1.0),
    "accumulating": lambda: keras.optimizers.SGD(
        0.1, gradient_accumulation_steps=2
    ),
    "averaging": lambda: keras.optimizers.SGD(
        0.1, use_ema=True, ema_overwrite_frequency=2
    ),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_apply_in_a_compiled_step_is_apply_outside(make):
    ends = []
    for compiled in (False, True):
        a = keras.Variable([1.0, 2.0], dtype="float32")
        b = keras.Variable([[3.0]], dtype="float32")
        optimizer = make()
        optimizer.build([a, b])
        variables = [a, b, *optimizer.variables]

        def update(x, y, *, optimizer=optimizer, a=a, b=b):
            # In another order than the optimizer's.
            backend.apply(optimizer, [y, x], [b, a])

        step = jax.jit(pure(update, *variables))
        for i in range(5):
            x = jnp.asarray([1.0, float(i)], "float32")
            y = jnp.asarray([[-1.0]], "float32")
            if compiled:
                _, values = step([v.value for v in variables], x, y)
                for v, new in zip(variables, values, strict=True):
                    v.assign(new)
            else:
                optimizer.apply([x, y], [a, b])
        ends.append([v.numpy() for v in variables])
    for eager, compiled in zip(*ends, strict=True):
        np.testing.assert_allclose(eager, compiled, rtol=1e-6)
        assert np.isfinite(eager).all()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_loss_scale_is_looked_for(compiled):
    """Doubled by two good steps, halved by a bad one, which moves nothing."""
    v = keras.Variable([1.0, 2.0], dtype="float32")
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.5), initial_scale=8.0, dynamic_growth_steps=2
    )
    optimizer.build([v])
    variables = [v, *optimizer.variables]
    step = pure(lambda g: backend.apply(optimizer, [g], [v]), *variables)
    step = jax.jit(step) if compiled else step
    seen = []
    for slope in (1.0, 2.0, np.inf, 4.0):
        scale = float(optimizer.dynamic_scale)
        g = jnp.asarray([slope * scale, 0.0], "float32")
        _, values = step([x.value for x in variables], g)
        for x, new in zip(variables, values, strict=True):
            x.assign(new)
        seen.append((scale, float(v.value[0]), float(v.value[1])))
    assert seen == [(8, 0.5, 2), (8, -0.5, 2), (16, -0.5, 2), (8, -2.5, 2)]


def test_a_virtual_step_is_the_real_one_and_leaves_all_as_it_was():
    v = keras.Variable(array(1.0, -2.0), dtype="float64")
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build([v])
    twin = FunctionalOptimizer(optimizer)
    state = [backend.read(x) for x in twin.variables]
    g = array(0.3, -0.7)
    (new,), after = jax.jit(lambda *x: twin.step(x[0], [x[1]], [x[2]]))(
        state, g, v.value
    )
    np.testing.assert_array_equal(v.value, [1.0, -2.0])
    backend.apply(optimizer, [g], [v])
    np.testing.assert_allclose(v.value, new, rtol=1e-12)
    for x, y in zip(twin.variables, after, strict=True):
        np.testing.assert_allclose(x.value, y, rtol=1e-12)
