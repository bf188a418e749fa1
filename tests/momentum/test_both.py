"""What both optimizers share: Keras' machinery around the rule."""

import keras
import numpy as np
import pytest
from engines import compiled, only, tensor
from keras import ops

import adversarial
from adversarial import backend
from adversarial.backend.functional_optimizer import FunctionalOptimizer
from adversarial.momentum import MomentumAdam, MomentumSGD

VALUES = [np.array([1.0, -2.0]), np.array([[3.0], [0.5]])]
# Two ways to compute the same numbers in single precision.
SINGLE = 2e-6
# Central differences of width 1e-6 in double precision.
DIFFERENCES = 1e-7
MADE = {
    "negative sgd": lambda **kw: MomentumSGD(0.1, -0.5, **kw),
    "complex sgd": lambda **kw: MomentumSGD(0.1, 0.9, 1.2, **kw),
    "negative adam": lambda **kw: MomentumAdam(0.1, -0.5, **kw),
    "complex adam": lambda **kw: MomentumAdam(0.1, 0.8, 0.4, **kw),
}
TWINS = {
    "sgd": (
        lambda **kw: MomentumSGD(0.1, 0.5, **kw),
        lambda **kw: keras.optimizers.SGD(0.1, 0.5, **kw),
    ),
    "adam": (
        lambda **kw: MomentumAdam(0.1, 0.5, **kw),
        lambda **kw: keras.optimizers.Adam(0.1, 0.5, 0.9, 1e-8, **kw),
    ),
}
OPTIONS = [
    {"weight_decay": 0.1},
    {"clipnorm": 0.5},
    {"clipvalue": 0.5},
    {"global_clipnorm": 0.5},
    {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    {"loss_scale_factor": 4.0},
    {"gradient_accumulation_steps": 2},
]
each = pytest.mark.parametrize("make", MADE.values(), ids=MADE)


def gradients(step, dtype="float32"):
    rng = np.random.default_rng(step)
    return [tensor(rng.normal(size=v.shape), dtype) for v in VALUES]


def variables(dtype="float32"):
    return [keras.Variable(v, dtype=dtype) for v in VALUES]


def played(optimizer, steps=5):
    moved = variables()
    optimizer.build(moved)
    for step in range(steps):
        optimizer.apply(gradients(step), moved)
    return [keras.ops.convert_to_numpy(v) for v in moved]


def assert_close(found, expected, **tolerance):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: next(iter(o)))
@pytest.mark.parametrize("pair", TWINS.values(), ids=TWINS)
def test_keras_options_do_what_they_do_in_keras(pair, options):
    ours, keras_own = (played(make(**options), 7) for make in pair)
    assert_close(ours, keras_own, rtol=SINGLE, atol=SINGLE)
    if options != {"loss_scale_factor": 4.0}:  # to which Adam is blind
        plain = played(pair[0](), 7)
        assert not np.allclose(ours[0], plain[0], atol=1e-4)


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="nesterov"):
        MomentumSGD(0.1, nesterov=True)


@each
def test_the_configuration_makes_the_same_optimizer(make):
    made = make(name="own", clipnorm=2.0, weight_decay=0.01)
    config = keras.optimizers.serialize(made)
    again = keras.optimizers.deserialize(config)
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()
    assert_close(played(again), played(made), rtol=0)


@each
def test_they_are_registered_under_the_name_of_the_package(make):
    name = keras.saving.get_registered_name(type(make()))
    assert name == f"adversarial>{type(make()).__name__}"


@each
def test_eager_graph_and_xla_agree(make):
    ends = []
    for how in ("eager", "graph", "xla"):
        moved, optimizer = variables(), make()
        optimizer.build(moved)
        step = lambda *g: optimizer.apply(list(g), moved)  # noqa: B023, E731
        if how != "eager":
            written = [*moved, *optimizer.variables]
            step = compiled(step, how == "xla", writes=written)
        for number in range(5):
            step(*gradients(number))
        ends.append([keras.ops.convert_to_numpy(v) for v in moved])
    assert_close(ends[1], ends[0], rtol=SINGLE, atol=SINGLE)
    assert_close(ends[2], ends[0], rtol=SINGLE, atol=SINGLE)


@each
def test_a_step_on_tensors_equals_the_real_step(make):
    real, twin = make(), make()
    moved, untouched = variables(), variables()
    real.build(moved)
    twin.build(untouched)
    functional = FunctionalOptimizer(twin)
    values = [backend.read(v) for v in untouched]
    state = [backend.read(v) for v in functional.variables]
    for step in range(4):
        real.apply(gradients(step), moved)
        values, state = functional.step(state, gradients(step), values)
    assert_close(values, moved, rtol=SINGLE)
    assert_close(state, real.variables, rtol=SINGLE, atol=SINGLE)
    assert_close(untouched, VALUES, rtol=0)


@each
def test_three_steps_on_tensors_can_be_differentiated_through(make, float64):
    optimizer = make()
    (variable,) = [keras.Variable(VALUES[0], dtype="float64")]
    optimizer.build([variable])
    functional = FunctionalOptimizer(optimizer)
    start = [backend.read(v) for v in functional.variables]

    def end(x):
        values, state = [x], start
        for _ in range(3):
            g = values[0] ** 3 + ops.flip(values[0])
            values, state = functional.step(state, [g], values)
        return ops.sum(values[0] ** 2)

    x = tensor([0.7, -1.1], "float64")
    (found,) = backend.gradient(end, [x])
    steps = map(tensor, 1e-6 * np.eye(2))
    expected = [(end(x + h) - end(x - h)) / 2e-6 for h in steps]
    np.testing.assert_allclose(found, expected, rtol=DIFFERENCES)


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_at_exactly_zero_gradient_the_derivative_is_finite(make, dtype):
    optimizer = make()
    variable = keras.Variable(np.array([1.0, 2.0]), dtype=dtype)
    optimizer.build([variable])
    functional = FunctionalOptimizer(optimizer)
    state = [backend.read(v) for v in functional.variables]
    x = backend.read(variable)

    def after(x):
        (g,) = backend.gradient(lambda y: ops.sum(ops.relu(-y) ** 2), [x])
        (new,), _ = functional.step(state, [g], [x])
        return ops.sum(new**2)

    (found,) = backend.gradient(after, [x])
    np.testing.assert_allclose(found, 2 * x, rtol=1e-5)


@only("tensorflow", "other engines have dense gradients alone")
@each
def test_the_sparse_gradient_of_an_embedding_is_a_gradient(make):
    import tensorflow as tf

    dense, sparse = make(), make()
    ends = []
    for optimizer, given in (
        (dense, tf.constant([[0.0], [1.0], [0.0], [2.0]])),
        (
            sparse,
            tf.IndexedSlices(
                tf.constant([[1.0], [2.0]]), tf.constant([1, 3]), (4, 1)
            ),
        ),
    ):
        table = keras.Variable(np.ones((4, 1)))
        for _ in range(3):
            optimizer.apply([given], [table])
        ends.append(keras.ops.convert_to_numpy(table))
    np.testing.assert_allclose(*ends, rtol=SINGLE)
    assert (ends[0][[0, 2]] == 1.0).all()


@each
def test_a_saved_game_goes_on_as_if_it_had_not_stopped(
    make, quadratic, tmp_path
):
    game = quadratic([2, 3], "float32")
    model = game.compiled("simultaneous", [make(), make()])
    game.play(model, 3)
    model.save(tmp_path / "game.keras")
    expected = game.play(model, 3)
    loaded = keras.saving.load_model(tmp_path / "game.keras")
    kinds = [type(o) for o in loaded.optimizer.optimizers]
    assert kinds == [type(make())] * 2
    np.testing.assert_array_equal(game.play(loaded, 3), expected)


@each
def test_a_game_can_step_them_without_moving(make, quadratic):
    class Half(adversarial.AdversarialOptimizer):
        """Extragradient with the players' own optimizers."""

        def step(self, game):
            half, _ = game.virtual_step(game.field())
            game.apply(game.field(half))

    game = quadratic([2, 3], "float32")
    model = game.compiled(Half(), [make(), make()])
    theta = game.split(game.start)
    ends, plain = [], [make(), make()]
    for i, optimizer in enumerate(plain):
        variable = keras.Variable(theta[i])
        optimizer.build([variable])
        ends.append(variable)
    half = []
    for i, own in enumerate([make(), make()]):
        variable = keras.Variable(theta[i])
        own.apply([game.gradient(i, game.start)], [variable])
        half.append(np.array(variable))
    for i, optimizer in enumerate(plain):
        g = game.gradient(i, np.concatenate(half))
        optimizer.apply([g], [ends[i]])
    np.testing.assert_allclose(
        game.play(model, 1)[-1], np.concatenate(ends), rtol=1e-5
    )


@each
def test_slots_are_found_by_the_hook_of_keras_guide(make):
    """Pins `Optimizer._get_variable_index`, which `update_step` calls."""
    optimizer, moved = make(), variables()
    optimizer.build(moved)
    assert [optimizer._get_variable_index(v) for v in moved] == [0, 1]


@each
def test_building_twice_makes_the_slots_once(make):
    optimizer, moved = make(), variables()
    optimizer.build(moved)
    before = len(optimizer.variables)
    optimizer.build(moved)
    assert len(optimizer.variables) == before
