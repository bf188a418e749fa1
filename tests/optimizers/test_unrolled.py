import keras
import numpy as np
import pytest
from engines import JITS, TRACED
from keras.optimizers import Adam

import adversarial
from adversarial.optimizers import PolicyPrediction, Simultaneous, Unrolled
from adversarial.testing import LinearGame, adam_references

STEPS = 20
# Adam's division by sqrt(v) + 1e-7 adds to the rounding of 20 steps.
ADAM = 1e-10
# Sums in another order.
ROUNDING = 1e-14


@pytest.mark.parametrize("through", [True, False])
@pytest.mark.parametrize("depth", [0, {}, {"p1": 0}], ids=str)
def test_without_depth_it_is_simultaneous_bit_for_bit(play, through, depth):
    np.testing.assert_array_equal(
        play(Unrolled(depth, through)), play(Simultaneous())
    )


def test_one_step_ahead_not_through_it_is_policy_prediction(play):
    """Exactly so, where the field is linear."""
    np.testing.assert_allclose(
        play(Unrolled(1, through=False)),
        play(PolicyPrediction()),
        rtol=ROUNDING,
    )


@pytest.mark.parametrize("through", [True, False])
@pytest.mark.parametrize("depth", [3, {"p0": 2, "p2": 1}], ids=str)
def test_the_opponents_steps_are_those_of_adam_with_its_state(
    made, begin, depth, through
):
    game = LinearGame.random((2, 3, 1), 1)
    model = made(Unrolled(depth, through), optimizer=Adam)
    of = game.matrices, game.vectors
    by_number = {"p0": 0, "p2": 2}
    np.testing.assert_allclose(
        model.play(game, begin(game), STEPS),
        adam_references.unrolled_adam(
            lambda x: of[0] @ x + of[1],
            lambda x: game.J,
            begin(game),
            STEPS,
            blocks=game.blocks,
            adam=adam_references.Adam(np.repeat(game.rates, game.blocks)),
            depth={by_number[k]: v for k, v in depth.items()}
            if isinstance(depth, dict)
            else depth,
            through=through,
        ),
        rtol=0,
        atol=ADAM,
    )


def dead_network(strategy, optimizer, **kwargs):
    """A pair of which the second is a network of dead ReLUs."""
    x = keras.Input((1,))
    first = keras.layers.Dense(1, use_bias=False, name="first")
    second = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(3, "relu", bias_initializer="ones"),
            keras.layers.Dense(1),
        ],
        name="second",
    )
    model = adversarial.AdversarialModel(
        keras.Model(x, [first(x), second(first(x))]),
        player_params=[first, second],
    )
    second.layers[0].bias.assign([-50.0, -50.0, 1.0])
    model.compile(
        strategy,
        [optimizer(0.01), optimizer(0.01)],
        Chase(),
        jit_compile=TRACED,
        **kwargs,
    )
    return model


class Chase(adversarial.losses.AdversarialLoss):
    def call(self, outputs, targets=None):
        a, b = outputs
        return [a * b + a**2, b**2 - a * b]


def test_gradients_that_are_exactly_zero_give_no_nan():
    """The slope of sqrt in Adam is infinite there."""
    model = dead_network(Unrolled(2), Adam)
    dead = model.players["player_1"].variables[1]
    for _ in range(3):
        model.train_on_batch(np.ones((2, 1)))
    every = [*model.variables, *model.optimizer.variables]
    assert all(np.isfinite(v.numpy()).all() for v in every)
    np.testing.assert_array_equal(dead.numpy()[:2], [-50.0, -50.0])
    assert dead.numpy()[2] != 1.0


@pytest.mark.parametrize("jit_compile", JITS)
def test_rematerialising_changes_nothing(play, jit_compile):
    game = LinearGame.random((2, 3), 1)
    found = [
        play(
            Unrolled(2, rematerialize=again),
            game,
            optimizer=Adam,
            jit_compile=jit_compile,
            run_eagerly=False,
        )
        for again in (True, False)
    ]
    # Gradients are summed in another order, and Adam divides by them.
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


def test_an_unknown_player_is_refused(refused):
    assert refused(Unrolled({"p2": 3})) == (
        "Unknown player: 'p2'.\n"
        "  Expected: one of 'p0', 'p1'.\n"
        "  Fix: did you mean 'p1'?"
    )


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"depth": -1}, ValueError, "a whole number, at least 0"),
        ({"depth": {"a": -2}}, ValueError, r"`depth\['a'\]` is out of range"),
        ({"depth": 1.5}, TypeError, "`depth` must be a whole number"),
        ({"depth": {"a": "b"}}, TypeError, r"`depth\['a'\]` must be a whole"),
        (
            {"through": False, "rematerialize": True},
            ValueError,
            "`rematerialize` is for `through=True`",
        ),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        Unrolled(**arguments)
