import keras
import numpy as np
import pytest
from engines import tensor, values_only as values_only
from keras import ops

from adversarial import backend
from adversarial.backend.functional_optimizer import FunctionalOptimizer

VALUES = [np.array([1.0, -2.0]), np.array([[3.0], [0.5]])]
# On TensorFlow, Keras' ScheduleFreeAdamW reads its old momentum after it wrote
# the new one; the twin, on values, reads the old one, as the code says.
LEFT_OUT = (
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",  # raises in `apply` itself
    "ScheduleFreeAdamW",
)
MADE = {
    name: cls
    for name, cls in vars(keras.optimizers).items()
    if isinstance(cls, type)
    and issubclass(cls, keras.optimizers.Optimizer)
    and name not in ("Optimizer", *LEFT_OUT)
}


def gradients(step):
    rng = np.random.default_rng(step)
    return [tensor(rng.normal(size=v.shape), "float32") for v in VALUES]


def built(optimizer):
    variables = [keras.Variable(v) for v in VALUES]
    optimizer.build(variables)
    return variables


@pytest.mark.parametrize("name", sorted(MADE))
def test_every_keras_optimizer_steps_on_tensors_as_on_variables(name):
    real, twin = MADE[name](0.1), MADE[name](0.1)
    variables = built(real)
    untouched = built(twin)
    functional = FunctionalOptimizer(twin)
    values = [backend.read(v) for v in untouched]
    state = [backend.read(v) for v in functional.variables]
    for step in range(3):
        real.apply(gradients(step), variables)
        values, state = functional.step(state, gradients(step), values)
    for a, b in zip(variables, values, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    for a, b in zip(real.variables, state, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    for v, start in zip(untouched, VALUES, strict=True):
        np.testing.assert_array_equal(v, start.astype("float32"))


def test_parameters_without_gradient_and_their_slots_stay(recwarn):
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    built(optimizer)
    functional = FunctionalOptimizer(optimizer)
    state = [ops.ones_like(backend.read(v)) for v in functional.variables]
    values = [tensor(v, "float32") for v in VALUES]
    new, new_state = functional.step(state, [None, gradients(0)[1]], values)
    np.testing.assert_array_equal(new[0], values[0])
    assert not np.allclose(new[1], values[1])
    np.testing.assert_array_equal(new_state[2], state[2])
    assert not recwarn.list


def test_a_loss_scale_is_looked_through():
    inner = keras.optimizers.SGD(0.1)
    optimizer = keras.optimizers.LossScaleOptimizer(inner)
    built(optimizer)
    functional = FunctionalOptimizer(optimizer)
    state = [backend.read(v) for v in functional.variables]
    values = [tensor(v, "float32") for v in VALUES]
    new, _ = functional.step(state, gradients(0), values)
    np.testing.assert_allclose(new[0], values[0] - 0.1 * gradients(0)[0])


def test_a_fixed_loss_scale_does_not_scale_the_step():
    optimizer = keras.optimizers.SGD(0.1, loss_scale_factor=8.0)
    built(optimizer)
    functional = FunctionalOptimizer(optimizer)
    state = [backend.read(v) for v in functional.variables]
    values = [tensor(v, "float32") for v in VALUES]
    new, _ = functional.step(state, gradients(0), values)
    np.testing.assert_allclose(
        new[0], values[0] - 0.1 * gradients(0)[0], rtol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name", ["Adam", "RMSprop", "Adagrad", "Nadam", "Lion"]
)
def test_at_exactly_zero_gradient_the_derivative_is_finite(name, dtype):
    optimizer = MADE[name](0.1)
    variable = keras.Variable(np.array([1.0, 2.0]), dtype=dtype)
    optimizer.build([variable])
    functional = FunctionalOptimizer(optimizer)
    state = [backend.read(v) for v in functional.variables]
    x = backend.read(variable)

    def after(x):
        dead = ops.relu(-x)  # zero, and so is its gradient
        (g,) = backend.gradient(lambda y: ops.sum(ops.relu(-y) ** 2), [x])
        (new,), _ = functional.step(state, [g], [x])
        return ops.sum(new**2) + ops.sum(dead)

    (found,) = backend.gradient(after, [x])
    np.testing.assert_allclose(found, 2 * x, rtol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("tiny", [1e-18, 1e-22, 1e-30])
@pytest.mark.parametrize("name", ["Adam", "AdamW", "Nadam"])
def test_where_a_square_underflows_the_derivative_is_finite(
    name, tiny, compiled
):
    optimizer = MADE[name](0.1)
    variable = keras.Variable(np.array([1.0, 2.0]), dtype="float32")
    optimizer.build([variable])
    functional = FunctionalOptimizer(optimizer)
    state = [backend.read(v) for v in functional.variables]

    def slope(x):
        def after(x):
            (new,), _ = functional.step(state, [tiny * x], [x])
            return ops.sum(new)

        return backend.gradient(after, [x])[0]

    if compiled:
        slope = backend.fused(slope)
    found = slope(backend.read(variable))
    decay = 0.1 * 0.004 if name == "AdamW" else 0
    # What the tiny gradient itself adds is below 1e-9.
    np.testing.assert_allclose(found, [1 - decay] * 2, rtol=1e-6)


@pytest.mark.parametrize(
    "option", ["gradient_accumulation_steps", "ema_overwrite_frequency"]
)
def test_options_that_branch_on_state_are_refused(option):
    extra = {"use_ema": True} if "ema" in option else {}
    optimizer = keras.optimizers.SGD(0.1, **{option: 2}, **extra)
    built(optimizer)
    with pytest.raises(ValueError, match=option):
        FunctionalOptimizer(optimizer)
