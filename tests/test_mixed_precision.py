"""Training in half precision is that in single precision, but for rounding."""

import keras
import numpy as np
import pytest
from engines import COMPILES
from keras import layers, ops

import adversarial
from adversarial import Joint, optimizers as o, registry
from adversarial.losses import AdversarialLoss
from adversarial.penalties import R1, GradientPenalty

UNIT = {"mixed_float16": 2.0**-11, "mixed_bfloat16": 2.0**-8}
"""Unit roundoff."""
PRODUCT = 4
"""Bound of a derivative, in units of roundoff: seen, up to 2.4."""
MOVE = 8
"""Bound of the move of 20 steps, in units of roundoff: seen, up to 2."""
STEPS = 20
X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")


class Chase(AdversarialLoss):
    """Two smooth losses that are not zero-sum, of any size."""

    def __init__(self, size=1.0):
        self.size = size

    def call(self, outputs, targets=None):
        a, b = (ops.cast(outputs[n], "float32") for n in "ab")
        first = ops.tanh(a * b + 0.3 * a)
        return {"a": self.size * first, "b": self.size * (ops.sin(b) - b) * a}


@keras.saving.register_keras_serializable(package=__name__)
class Drawn(keras.initializers.Initializer):
    """Weights that are the same on every engine.

    With some, the systems that strategies solve are close to singular, and
    half precision goes another way.
    """

    def __init__(self, seed):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        drawn = np.random.default_rng(self.seed).normal(size=shape)
        return ops.cast(drawn * (2 / sum(shape)) ** 0.5, "float32")

    def get_config(self):
        return {"seed": self.seed}


def network(policy):
    """Two players of two layers each, the same for every policy."""
    x = keras.Input((3,))
    outputs, owned = {}, {}
    for number, name in enumerate("ab"):
        seeds = (Drawn(number + k) for k in (0, 7))
        first, second = (
            layers.Dense(n, act, kernel_initializer=s, dtype=policy)
            for n, act, s in zip((8, 1), ("tanh", None), seeds, strict=True)
        )
        outputs[name] = second(first(x))
        owned[name] = [*first.trainable_weights, *second.trainable_weights]
    return adversarial.AdversarialModel(
        keras.Model(x, outputs), player_params=owned
    )


def scaled(optimizer, scale):
    return keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=scale)


def optimizers(policy, scale):
    sgd = [keras.optimizers.SGD(0.5) for _ in "ab"]
    if policy == "mixed_float16":
        sgd = [scaled(s, scale) for s in sgd]
    return sgd


def flat(v):
    blocks = [x for b in v.values() for x in b] if hasattr(v, "values") else v
    return np.concatenate([np.ravel(ops.convert_to_numpy(x)) for x in blocks])


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


# Derivatives


def direction(game, size):
    rng = np.random.default_rng(1)
    return Joint(
        {
            name: [
                size * ops.cast(rng.normal(size=v.shape), "float32") for v in b
            ]
            for name, b in game.variables.items()
        }
    )


def after_a_step(game, point):
    moved, _ = game.virtual_step(game.field(point), point)
    return game.losses(moved)["a"]


DERIVATIVES = {
    "field": lambda g, v: g.field(),
    "J v": lambda g, v: g.jvp(direction(g, v)),
    "J_o v": lambda g, v: g.jvp(direction(g, v), own=False),
    "J^T v": lambda g, v: g.vjp(direction(g, v)),
    "J_o^T v": lambda g, v: g.vjp(direction(g, v), own=False),
    "J^T xi": lambda g, v: g.gradient(lambda p: 0.5 * g.field(p).norm() ** 2),
    "J^T xi of one": lambda g, v: g.gradient(
        lambda p: g.field(p, ["a"]).dot(g.field(p, ["a"])), wrt=["b"]
    ),
    "unrolled": lambda g, v: g.gradient(lambda p: after_a_step(g, p)),
}


def derivative(probe_strategy, policy, scales, name, size, length):
    model = network(policy)
    probe = probe_strategy(lambda g: DERIVATIVES[name](g, length))
    each = [keras.optimizers.SGD(0.5) for _ in "ab"]
    if policy == "mixed_float16":
        each = list(map(scaled, each, scales))
    model.compile(probe, each, Chase(size), run_eagerly=True)
    model.train_on_batch(X)
    return flat(probe.found)


@pytest.mark.parametrize("scales", [(2.0**10,) * 2, (2.0**15, 2.0**12)])
@pytest.mark.parametrize(("size", "length"), [(1, 1), (1, 1e-6), (1e-4, 1e-4)])
@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_do_not_depend_on_the_loss_scale(
    probe_strategy, name, size, length, scales
):
    """Products as small as 1e-8 as well: alone they would be lost."""
    expected, found = (
        derivative(probe_strategy, policy, scales, name, size, length)
        for policy in ("float32", "mixed_float16")
    )
    assert distance(found, expected) < PRODUCT * UNIT["mixed_float16"]


def test_a_direction_of_zero_gives_zero(probe_strategy):
    for name in ("J v", "J^T v"):
        found = derivative(
            probe_strategy, "mixed_float16", (2.0**10,) * 2, name, 1, 0
        )
        assert not found.any()


# Training

ARGUMENTS = {
    "anderson": lambda: o.Anderson("simultaneous", regularization=1.0),
    "balanced": lambda: o.Balanced("alternating", skip={"b": (1.5, "a")}),
    "competitive_gradient": lambda: o.CompetitiveGradient(max_iterations=20),
    "follow_the_ridge": lambda: o.FollowTheRidge("a", max_iterations=20),
    "gradient_norm": lambda: o.GradientNorm({"b": {"a": 0.1}}),
    "odegan_regularizer": lambda: o.ODEGANRegularizer(of="a", payer="b"),
    "phases": lambda: o.Phases([(5, "alternating"), "optimistic"]),
    "scheduled": lambda: o.Scheduled(["b", "a"]),
    "stackelberg_gradient": lambda: o.StackelbergGradient(
        "a", max_iterations=20
    ),
}


def moved(policy, strategy, make=network, loss=None, scale=2.0**10, **kwargs):
    """How far the players go, and the model."""
    model = make(policy)
    start = flat(model.trainable_variables)
    each = [keras.optimizers.SGD(0.1, momentum=0.5) for _ in "ab"]
    if policy == "mixed_float16":
        each = [scaled(sgd, scale) for sgd in each]
    model.compile(strategy, each, loss or Chase(), **kwargs)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(STEPS * 8, 3)).astype("float32")
    model.fit(x, batch_size=8, shuffle=False, verbose=0)
    return flat(model.trainable_variables) - start, model


@pytest.mark.filterwarnings("ignore:The solver")
@pytest.mark.parametrize("name", registry.names("optimizers"))
def test_every_strategy_trains_as_in_single_precision(name):
    make = ARGUMENTS.get(name, lambda: o.get(name))
    expected, _ = moved("float32", make())
    for policy, unit in UNIT.items():
        found, model = moved(policy, make())
        assert distance(found, expected) < MOVE * unit, policy
        for x in model.optimizer.player_optimizers.values():
            assert type(x).__name__ in ("SGD", "LossScaleOptimizer")
            if policy == "mixed_float16":
                assert float(x.dynamic_scale.numpy()) == 2.0**10


@pytest.mark.skipif(not COMPILES, reason="This engine compiles no steps.")
def test_a_compiled_step_is_the_same():
    eager, _ = moved("mixed_float16", "consensus", run_eagerly=True)
    found, _ = moved("mixed_float16", "consensus", jit_compile=True)
    assert distance(found, eager) < MOVE * UNIT["mixed_float16"]


def penalised(policy, penalty):
    """A critic of eight features that pays for its slope."""
    x = keras.Input((3,))
    inner = [
        layers.Dense(n, act, kernel_initializer=Drawn(n), dtype=policy)
        for n, act in ((8, "tanh"), (1, None))
    ]
    critic = keras.Sequential([keras.Input((3,)), *inner])
    generator = layers.Dense(3, kernel_initializer=Drawn(3), dtype=policy)
    y = ops.cast(critic(x) - critic(generator(x)), "float32")
    if penalty is GradientPenalty:
        pay = GradientPenalty(critic, seed=1)([x, generator(x)])
    else:
        pay = penalty(critic)(x)
    return adversarial.AdversarialModel(
        keras.Model(x, {"score": y, "pay": pay}),
        player_params={"a": generator, "b": critic},
    )


class Paid(AdversarialLoss):
    def call(self, outputs, targets=None):
        score, pay = outputs["score"], outputs["pay"]
        return {
            "a": score,
            "b": ops.softplus(-score) + 0.1 * ops.cast(pay, "float32")[:, None],
        }


@pytest.mark.parametrize("strategy", ["alternating", "consensus"])
@pytest.mark.parametrize("penalty", [R1, GradientPenalty])
def test_penalties_train_as_in_single_precision(penalty, strategy):
    def made(policy):
        return penalised(policy, penalty)

    expected, _ = moved("float32", strategy, made, Paid())
    for policy, unit in UNIT.items():
        found, _ = moved(policy, strategy, made, Paid(), scale=2.0**6)
        assert distance(found, expected) < MOVE * unit, policy


# Loss scales


def trained(scales, strategy, steps=1, loss=None, optimizer=None, **kwargs):
    model = network("mixed_float16")
    make = optimizer or (lambda: keras.optimizers.SGD(0.1))
    each = [scaled(make(), scale) for scale in scales]
    model.compile(strategy, each, loss or Chase(), **kwargs)
    for _ in range(steps):
        model.train_on_batch(X)
    return model, [float(x.dynamic_scale.numpy()) for x in each]


@pytest.mark.parametrize("strategy", ["simultaneous", "alternating"])
def test_who_overflows_waits_and_halves_its_own_scale(strategy):
    start = network("mixed_float16").get_weights()
    model, scales = trained((2.0**10, 2.0**30), strategy)
    assert scales == [2.0**10, 2.0**29]
    after = model.get_weights()
    for v, old, new in zip(model.weights, start, after, strict=True):
        mine = any(v is x for x in model.players["a"].variables)
        assert np.array_equal(old, new) != mine


SECOND = ["consensus", "symplectic_gradient_adjustment", "lola", "unrolled"]


@pytest.mark.parametrize("strategy", SECOND)
def test_products_that_overflow_bring_the_scale_down_until_all_move(strategy):
    start = network("mixed_float16").get_weights()
    model, scales = trained((2.0**28, 2.0**28), strategy, steps=30)
    assert all(2.0**8 < scale < 2.0**20 for scale in scales)
    for before, after in zip(start, model.get_weights(), strict=True):
        assert np.isfinite(after).all()
        assert not np.array_equal(before, after)


def test_clipping_is_of_true_gradients():
    def clipped():
        return keras.optimizers.SGD(0.1, clipnorm=0.01)

    start = network("mixed_float16").get_weights()
    model, _ = trained((2.0**10,) * 2, "simultaneous", optimizer=clipped)
    for before, after in zip(start, model.get_weights(), strict=True):
        length = np.linalg.norm(after - before)
        np.testing.assert_allclose(length, 0.1 * 0.01, rtol=1e-3)


def test_a_scale_goes_on_after_loading_as_if_nothing_had_been(tmp_path):
    def growing(scale):
        return keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(0.01),
            initial_scale=scale,
            dynamic_growth_steps=3,
        )

    def compiled():
        model = network("mixed_float16")
        each = [growing(2.0**8), growing(2.0**10)]
        model.compile("extra_gradient", each, "mse")
        return model

    y = [np.ones((16, 1), "float32")] * 4
    whole, part = compiled(), compiled()
    for _ in range(4):
        whole.train_on_batch(X, y)
        part.train_on_batch(X, y)
    part.save(tmp_path / "half.keras")
    part = keras.saving.load_model(tmp_path / "half.keras")
    for model in (whole, part):
        for _ in range(4):
            model.train_on_batch(X, y)
    one, other = (
        [v.numpy() for v in [*m.variables, *m.optimizer.variables]]
        for m in (whole, part)
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    scales = [
        float(x.dynamic_scale.numpy())
        for x in part.optimizer.player_optimizers.values()
    ]
    assert scales == [2.0**10, 2.0**12]


def test_without_a_scale_small_gradients_are_lost():
    """Why there is one."""
    for auto, still in ((False, True), (True, False)):
        model = network("mixed_float16")
        model.compile("simultaneous", "adam", Chase(1e-9), auto_scale_loss=auto)
        start = model.get_weights()
        model.train_on_batch(X)
        pairs = zip(start, model.get_weights(), strict=True)
        same = [np.array_equal(a, b) for a, b in pairs]
        assert all(same) == still
