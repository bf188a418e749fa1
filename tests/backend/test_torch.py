"""The primitives of a step on PyTorch, against closed forms."""

import gc
import resource

import keras
import numpy as np
import pytest
import torch

import adversarial
from adversarial import backend

EXACT = 1e-12
"""Of a few operations in double precision on numbers of the order of 1."""


def double(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def cubes(x):
    return torch.sum(x**3)


def test_a_gradient_is_the_slope_and_has_no_graph_outside_of_another():
    x = double(1.0, -2.0)
    with torch.no_grad():
        (found,) = backend.gradient(cubes, [x])
    np.testing.assert_allclose(found, 3 * x**2, rtol=EXACT)
    assert not found.requires_grad
    assert not x.requires_grad


def test_no_path_is_none_and_integers_have_none():
    x, y, n = double(1.0), double(2.0), torch.tensor([3])
    found = backend.gradient(lambda a, b, c: torch.sum(a * c), [x, y, n])
    assert float(found[0]) == 3.0
    assert found[1:] == [None, None]
    assert backend.gradient(lambda a: double(5.0).sum(), [x]) == [None]


@pytest.mark.parametrize("grad", [True, False])
def test_gradients_of_gradients_are_whole_in_any_mode(grad):
    x = double(0.5, -1.5)

    def slope(x):
        return torch.sum(backend.gradient(cubes, [x])[0] ** 2)

    with torch.set_grad_enabled(grad):
        (found,) = backend.gradient(slope, [x])
    # d/dx 9 x^4
    np.testing.assert_allclose(found.detach(), 36 * x**3, rtol=EXACT)


def test_each_player_has_the_slopes_of_its_own_scalar():
    blocks = {"a": [double(2.0)], "b": [double(3.0), double(7.0)]}

    def function(parts):
        (x,), (y, _) = parts["a"], parts["b"]
        product = torch.sum(x * y)
        return {"a": product, "b": -product * y.sum()}, [product]

    with torch.no_grad():
        (product,), found = backend.own_gradients(function, blocks)
    assert float(product) == 6.0
    assert not product.requires_grad
    assert float(found["a"][0]) == 3.0
    # d/dy of -x y^2
    assert float(found["b"][0]) == -12.0
    assert found["b"][1] is None


def test_a_directional_derivative_is_the_jacobian_times_the_direction():
    x, v = double(1.0, 2.0), double(0.3, -0.7)

    def field(x, y):
        return [x.flip(0) * x, None, double(1.0), torch.sin(x)]

    with torch.no_grad():
        found = backend.jvp(field, [x, double(4.0)], [v, None])
    np.testing.assert_allclose(
        found[0], v.flip(0) * x + x.flip(0) * v, rtol=EXACT
    )
    assert found[1:3] == [None, None]
    np.testing.assert_allclose(found[3], torch.cos(x) * v, rtol=EXACT)


def test_a_derivative_of_a_directional_derivative():
    x, v = double(0.4, 1.1), double(2.0, -1.0)

    def along(x):
        (found,) = backend.jvp(lambda x: [x**3], [x], [v])
        return torch.sum(found)

    (found,) = backend.gradient(along, [x])
    np.testing.assert_allclose(found.detach(), 6 * x * v, rtol=EXACT)


def test_slopes_of_ones_own_are_used_to_any_order():
    def function(x):
        return [x * 1.0, x**2]

    def backward(xs, slopes):
        # The true ones, times 10.
        return [10 * (slopes[0] + 2 * xs[0] * slopes[1])]

    def total(x):
        one, two = backend.with_slopes(function, backward, [x])
        return torch.sum(one + two)

    def slope(x):
        return torch.sum(backend.gradient(total, [x])[0] ** 2)

    x = double(1.0, 3.0)
    with torch.no_grad():
        (first,) = backend.gradient(total, [x])
        (second,) = backend.gradient(slope, [x])
    np.testing.assert_allclose(first, 10 * (1 + 2 * x), rtol=EXACT)
    np.testing.assert_allclose(second, 400 * (1 + 2 * x), rtol=EXACT)


@pytest.mark.parametrize("repeated", [False, True])
def test_what_is_computed_again_has_all_derivatives(repeated):
    calls = []

    def body(x, n):
        calls.append(torch.is_grad_enabled())
        (slope,) = backend.gradient(cubes, [x])
        return [x - 0.1 * slope, n + 1]

    def end(x):
        again = backend.recomputed(body)
        state = [x, torch.tensor(0)]
        if repeated:
            state = backend.repeat(again, state, 2)
        else:
            state = list(again(*again(*state)))
        assert int(state[1]) == 2
        return torch.sum(state[0])

    def by_hand(x):
        for _ in range(2):
            x = x - 0.3 * x**2
        return x.sum()

    x, h = double(0.5, 0.8), 1e-6
    with torch.no_grad():
        (found,) = backend.gradient(end, [x])
        made = len(calls)
        end(x)
    expected = [
        float(by_hand(x + d) - by_hand(x - d)) / (2 * h)
        for d in h * torch.eye(2, dtype=torch.float64)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    assert (made, len(calls)) == (4, 6)


def test_a_loop_ends_where_it_is_told_to():
    found = backend.repeat(
        lambda x: [2 * x], [double(1.0)], 10, until=lambda x: x.sum() > 5
    )
    assert float(found[0]) == 8.0
    assert float(backend.repeat(lambda x: [2 * x], [double(1.0)], 3)[0]) == 8.0


@pytest.mark.parametrize("due", [True, False])
def test_one_of_two_is_run(due):
    ran, stand_in = [], double(1.0)
    (found,) = backend.seldom(
        torch.tensor(due),
        lambda: [ran.append("do") or double(2.0)],
        lambda: [stand_in],
    )
    assert float(found) == (2.0 if due else 1.0)
    assert ran == ["do"] * due
    assert found is not stand_in
    backend.when(torch.tensor(due), lambda: ran.append("when"))
    assert ("when" in ran) is due
    (chosen,) = backend.switch(torch.tensor(1), [lambda: [0], lambda: [1]])
    assert chosen == 1


def test_only_finite_numbers_are_finite():
    good = double(1.0, -1e150)
    assert bool(backend.all_finite([good, None]))
    assert bool(backend.all_finite([]))
    for bad in (np.nan, np.inf, -np.inf):
        assert not bool(backend.all_finite([good, double(0.0, bad)]))


def test_what_was_read_stays_as_it_was():
    variable = keras.Variable([1.0, 2.0])
    before = backend.read(variable)
    variable.assign([5.0, 6.0])
    np.testing.assert_array_equal(before, [1.0, 2.0])
    assert not before.requires_grad
    backend.write(variable, before * 3)
    np.testing.assert_array_equal(variable, [3.0, 6.0])
    assert variable.value.requires_grad


def test_what_is_live_has_slopes_and_the_rest_is_a_copy():
    trained = keras.Variable([1.0])
    state = keras.Variable([1.0], trainable=False)
    assert backend.live(trained) is trained.value
    copy = backend.live(state)
    state.assign([2.0])
    assert float(copy) == 1.0


def test_values_are_there_but_where_shapes_alone_are_asked_for():
    x = double(1.0, 2.0)
    np.testing.assert_array_equal(backend.values(x), [1.0, 2.0])
    assert backend.values(torch.zeros(2, device="meta")) is None
    with keras.SymbolicScope():
        assert backend.values(x) is None
        assert backend.scopes.only_shapes()
    assert not backend.scopes.only_shapes()


def test_the_shapes_of_a_function_are_found_without_its_variables_moving():
    layer = keras.layers.BatchNormalization()
    layer.build((None, 3))
    before = [v.numpy() for v in layer.variables]
    found = backend.specs_of(
        lambda x: {"y": layer(x, training=True), "none": None},
        np.ones((5, 3), "float32"),
    )
    assert (found["y"].shape, found["y"].dtype) == ((5, 3), "float32")
    assert found["none"] is None
    for v, old in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(v, old)


def test_looking_at_batches_loses_none():
    batches = [(np.ones((2, 3)),), (np.ones((1, 3)),)]
    for given in (batches, iter(batches)):
        seen, rest = backend.peek(given)
        assert seen[0].shape == (2, 3)
        assert [len(x) for (x,) in rest] == [2, 1]
    assert backend.peek(iter([]))[0] is None


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "adamw"])
def test_a_real_step_leaves_a_virtual_one_alive(optimizer, quadratic):
    """In place as it is, it must not touch what is still differentiated."""
    game = quadratic([2, 3])
    found = []

    class Look(adversarial.AdversarialOptimizer):
        def step(self, game):
            here = game.point
            field = game.field()
            point, _ = game.virtual_step(field)
            kept = [[t.clone() for t in b] for b in (*here.values(),)]
            ahead = [[t.clone() for t in b] for b in (*point.values(),)]
            game.apply(field)
            for old, block in zip(kept, here.values(), strict=True):
                assert all(map(torch.equal, old, block))
            for old, block in zip(ahead, point.values(), strict=True):
                assert all(map(torch.equal, old, block))
            # The slopes at a point from before the step, after it.
            slopes = game.field(here)
            for a, b in zip(field.values(), slopes.values(), strict=True):
                for x, y in zip(a, b, strict=True):
                    np.testing.assert_array_equal(x, y)
            # The virtual step is that which was made.
            for block, owned in zip(
                point.values(), game.point.values(), strict=True
            ):
                for x, y in zip(block, owned, strict=True):
                    np.testing.assert_allclose(x, y, rtol=1e-6)
            found.append(True)

    model = game.model()
    rates = [keras.optimizers.get(optimizer) for _ in range(2)]
    for rate in rates:
        rate.learning_rate = 0.1
    model.compile(Look(), rates, game.loss())
    for _ in range(3):
        model.train_on_batch(np.ones((1, 1)))
    assert len(found) == 3


@pytest.mark.parametrize("layer", ["spectral", "equalized", "penalty"])
def test_in_a_model_of_keras_our_layers_have_slopes(layer):
    """Keras differentiates there, by the variables as they are."""
    start = "ones" if layer != "equalized" else "glorot_uniform"
    inside = keras.layers.Dense(1, kernel_initializer=start)
    x = np.array([[1.0, 2.0], [3.0, -1.0]], "float32")
    if layer == "penalty":
        network = keras.Sequential([keras.Input((2,)), inside])
        value = adversarial.penalties.R1(network)(x)
        # 1/2 |w|^2, whose slope is w.
        expected = np.ones((2, 1))
    else:
        kind = {
            "spectral": adversarial.layers.SpectralNormalization,
            "equalized": adversarial.layers.EqualizedLearningRate,
        }[layer]
        made = kind(inside)
        made.build((None, 2))
        value = made(x)
        w = np.ones((2, 1))
        if layer == "equalized":
            expected = x.mean(axis=0)[:, None] * made.scale
        else:
            made.refine()
            value = made(x)
            m = x.mean(axis=0)[:, None]
            length = np.sqrt(2)
            expected = m / length - w * (m * w).sum() / length**3
    value.mean().backward()
    np.testing.assert_allclose(inside.kernel.value.grad, expected, atol=1e-5)


def test_memory_does_not_grow_over_2000_steps(small_gan):
    model = small_gan()
    model.compile("extra_gradient", "adam", "non_saturating")
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")

    def tensors():
        gc.collect()
        return sum(issubclass(type(o), torch.Tensor) for o in gc.get_objects())

    for _ in range(20):
        model.train_on_batch(x)
    before = tensors()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2000):
        model.train_on_batch(x)
    assert tensors() <= before
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    # In kB: a step's tensors are about 50 kB, of 2,000 steps 100 MB.
    assert grown < 20_000
