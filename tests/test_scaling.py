"""Accumulated gradients are those of a larger batch, or are refused."""

import keras
import numpy as np
import pytest
from engines import only

import adversarial
from adversarial import optimizers as o
from adversarial.registry import names, snake_case
from adversarial.scaling import check_executions, sound

ROWS = np.random.default_rng(0).normal(size=(2, 48, 2)).astype("float32")
ROUNDING = 1e-5
"""Float32 sums of numbers near 1 in another order, over a dozen batches."""
SEPARATE = 1e-3
"""How far apart the ends are if the larger batch is another one."""
TURNS = ["discriminator", "generator"]


def sgd(**kwargs):
    return keras.optimizers.SGD(0.1, momentum=0.5, clipnorm=0.2, **kwargs)


def adam(**kwargs):
    return keras.optimizers.Adam(
        0.01, epsilon=1e-3, weight_decay=0.01, **kwargs
    )


def gan(strategy, players, **kwargs):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    g = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    d = keras.Sequential(
        [keras.Input((2,)), layers.Dense(3, "tanh"), layers.Dense(1)]
    )
    model = adversarial.AdversarialModel(
        adversarial.builders.build_gan(g, d, latent=False),
        player_params={"generator": g, "discriminator": d},
    )
    model.compile(strategy, players, "non_saturating", **kwargs)
    return model


def end(strategy, players, batch_size, **kwargs):
    model = gan(strategy, players, **kwargs)
    fit = {"shuffle": False, "verbose": 0, "batch_size": batch_size}
    model.fit([*ROWS], **fit)
    return np.concatenate([np.ravel(w) for w in model.get_weights()])


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("make", [sgd, adam])
def test_small_batches_accumulate_to_one_large_batch(make, eager):
    """Momentum, clipping and weight decay see the large batch alone."""
    few = [make(gradient_accumulation_steps=3) for _ in range(2)]
    small = end("simultaneous", few, 4, run_eagerly=eager)
    large = end("simultaneous", [make(), make()], 12, run_eagerly=eager)
    other = end("simultaneous", [make(), make()], 4, run_eagerly=eager)
    np.testing.assert_allclose(small, large, rtol=0, atol=ROUNDING)
    assert np.abs(other - large).max() > SEPARATE


def test_schedules_of_rates_count_the_small_batches():
    """As the guide says: Keras does so."""

    def decaying(count):
        rates = keras.optimizers.schedules.ExponentialDecay(
            0.1, count, 0.5, staircase=True
        )
        few = {"gradient_accumulation_steps": count} if count > 1 else {}
        return [keras.optimizers.SGD(rates, **few) for _ in range(2)]

    small = end("simultaneous", decaying(3), 4)
    large = end("simultaneous", decaying(1), 12)
    np.testing.assert_allclose(small, large, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("make", [sgd, adam])
def test_players_who_accumulate_can_move_in_turn(make):
    few = [make(gradient_accumulation_steps=2) for _ in range(2)]
    turns = [TURNS[0]] * 2 + [TURNS[1]] * 2
    small = end(o.Scheduled(turns), few, 6)
    large = end(o.Scheduled(TURNS), [make(), make()], 12)
    np.testing.assert_allclose(small, large, rtol=0, atol=ROUNDING)


def test_a_player_may_accumulate_while_it_has_the_batches_to_itself():
    few = [sgd(), sgd(gradient_accumulation_steps=3)]
    small = end(o.Scheduled([TURNS[0]] * 3 + [TURNS[1]]), few, 12)
    assert np.isfinite(small).all()


@pytest.mark.parametrize(
    "moves, steps, holds",
    [
        (["ab"], {"a": 2, "b": 2}, True),
        (["ab"], {"a": 2, "b": 4}, False),
        (["ab"], {"a": 2, "b": 1}, False),
        (["a", "a", "b"], {"a": 2, "b": 1}, True),
        (["a", "b"], {"a": 2, "b": 2}, False),
        (["a"] * 4 + ["b"] * 2, {"a": 2, "b": 2}, True),
        (["a", "ab"], {"a": 1, "b": 1}, True),
        # Sound in the first round, and not in the second.
        (["a", "a", "a", "b"], {"a": 2, "b": 1}, False),
        (["a", "a", "a"], {"a": 2, "b": 1}, True),
    ],
)
def test_nobody_may_move_while_another_accumulates(moves, steps, holds):
    assert sound(moves, steps) is holds


LEADER = {"leader": "generator"}
INNER = {"inner": "simultaneous"}
ARGUMENTS = {
    "anderson": INNER,
    "averaging": INNER,
    "balanced": {"skip": {"discriminator": 0.1}},
    "follow_the_ridge": LEADER,
    "gradient_norm": {"weights": {"discriminator": {"generator": 0.1}}},
    "historical_averaging": INNER,
    "lookahead": INNER,
    "phases": {"phases": [(2, "simultaneous"), "optimistic"]},
    "scheduled": {"schedule": TURNS},
    "stackelberg_gradient": LEADER,
    "unrolled": {"depth": 1},
}
OTHERS = [name for name in names("optimizers") if name != "simultaneous"]


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_strategy_refuses_to_accumulate(name):
    """Their directions are no means over rows, or they count batches."""
    classes = {snake_case(cls): getattr(o, cls) for cls in o.__all__}
    few = [sgd(gradient_accumulation_steps=2) for _ in range(2)]
    with pytest.raises(ValueError, match="Optimizers can accumulate") as error:
        gan(classes[name](**ARGUMENTS.get(name, {})), few)
    turns = '["generator"] * 2 + ["discriminator"] * 2'
    assert f"by `Scheduled({turns})`" in str(error.value)


def test_counts_that_differ_are_refused():
    few = [sgd(gradient_accumulation_steps=2), sgd()]
    with pytest.raises(ValueError, match="2 for 'generator', 1 for 'disc"):
        gan("simultaneous", few)


def test_averages_of_weights_would_count_every_batch():
    few = [
        sgd(gradient_accumulation_steps=2, use_ema=True),
        sgd(gradient_accumulation_steps=2),
    ]
    with pytest.raises(ValueError, match="`use_ema` for 'generator'"):
        gan("simultaneous", few)


def test_a_loss_scale_would_lose_batches():
    few = [sgd(gradient_accumulation_steps=2) for _ in range(2)]
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        with pytest.raises(ValueError, match="mixed_bfloat16"):
            gan("simultaneous", few)
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_a_refused_strategy_can_be_compiled_again():
    strategy = o.Simultaneous()
    few = [sgd(gradient_accumulation_steps=2), sgd()]
    with pytest.raises(ValueError, match="accumulate"):
        gan(strategy, few)
    assert gan(strategy, [sgd(), sgd()]).optimizer is strategy


REPLICAS = only("tensorflow", "Replicas are those of `tf.distribute`.")


def two():
    """A strategy of TensorFlow that says that there are two replicas."""
    import tensorflow as tf

    class Two(tf.distribute.Strategy):
        def __init__(self):
            super().__init__(tf.distribute.get_strategy().extended)

        @property
        def num_replicas_in_sync(self):
            return 2

    return Two()


@REPLICAS
def test_replicas_do_not_accumulate_not_even_one():
    """In Keras they fail where they should meet."""
    import tensorflow as tf

    few = [sgd(gradient_accumulation_steps=2) for _ in range(2)]
    with (
        tf.distribute.MirroredStrategy(["CPU:0"]).scope(),
        pytest.raises(ValueError, match="replicas of `tf"),
    ):
        gan("simultaneous", few)


@REPLICAS
def test_several_replicas_execute_one_step_at_a_time(monkeypatch):
    monkeypatch.setattr(keras.Model, "distribute_strategy", two())
    with pytest.raises(ValueError, match="steps_per_execution=1") as error:
        gan("simultaneous", "sgd", steps_per_execution=4)
    assert "Fix: leave `steps_per_execution` out." in str(error.value)
    assert gan("simultaneous", "sgd").compiled


def test_eager_replicas_and_one_alone_may_execute_several():
    check_executions(1, 2, eager=False)
    check_executions(4, 2, eager=True)
    check_executions(4, 1, eager=False)
