import keras
import numpy as np
import pytest
from engines import TRACED, without

from adversarial import games
from adversarial.optimizers import (
    LOLA,
    SOS,
    PolicyPrediction,
    Simultaneous,
)
from adversarial.testing import LinearGame

# Sums in another order.
ROUNDING = 1e-13
SEEDS = 50
ROUNDS = 100
# Losses of 1000 starts: naive 2.00, LOLA 1.05, SOS 1.06, of standard
# deviation 0.2, or 0.03 in the mean of 50; three of these are the slack.
SLACK = 0.09
COOPERATIVE = 1.2


@pytest.mark.parametrize(
    "strategy",
    [PolicyPrediction(0.0), LOLA(0.0), LOLA(0.0, "foerster"), SOS(0.0)],
    ids=lambda strategy: type(strategy).__name__,
)
def test_without_a_step_it_is_simultaneous_bit_for_bit(play, strategy):
    np.testing.assert_array_equal(play(strategy), play(Simultaneous()))


@pytest.mark.parametrize("strategy", [PolicyPrediction, LOLA, SOS])
def test_the_step_is_by_default_each_players_learning_rate(play, strategy):
    game = LinearGame.random((2, 3), 0, rates=[0.1, 0.1])
    np.testing.assert_allclose(
        play(strategy(), game), play(strategy(0.1), game), rtol=ROUNDING
    )
    other = LinearGame.random((2, 3), 0, rates=[0.1, 0.3])
    found, fixed = play(strategy(), other, 1), play(strategy(0.1), other, 1)
    assert np.abs(found - fixed).max() > 1e-3


def sos_near(begin, game, length):
    """A start where the field has this length."""
    theta = begin(game) - game.fixed_point
    return game.fixed_point + theta * length / np.linalg.norm(game.J @ theta)


def test_sos_is_lola_where_all_shaping_is_safe(play):
    """In a zero-sum game the shaping never turns against the field."""
    game, start = LinearGame.bilinear(0.1), np.array([3.0, 4.0])
    np.testing.assert_allclose(
        play(SOS(0.5), game, start=start),
        play(LOLA(0.5), game, start=start),
        rtol=ROUNDING,
    )


def test_sos_is_policy_prediction_near_an_equilibrium(play, begin):
    game = LinearGame.random((2, 3, 1), 0)
    start = sos_near(begin, game, 1e-5)
    moved = [
        play(strategy, game, 1, start=start)[1] - start
        for strategy in (SOS(0.5, b=0.1), PolicyPrediction(0.5), LOLA(0.5))
    ]
    size = np.abs(moved[1]).max()
    # p is |xi|^2 there, and chi need not be small.
    assert np.abs(moved[0] - moved[1]).max() < 1e-2 * size
    assert np.abs(moved[2] - moved[1]).max() > 1e2 * size


def test_shaping_that_turns_against_the_field_is_held_back(play):
    """In the tandem game, between the equilibria and where LOLA ends."""
    tandem = games.Tandem()
    game = LinearGame([1, 1], tandem.matrices, tandem.vectors, [0.1, 0.1])
    start = np.array([0.6, 0.6])
    moved = {
        strategy: play(strategy, game, 1, start=start)[1].sum() - 1.2
        for strategy in (LOLA(0.1), SOS(0.1), PolicyPrediction(0.1))
    }
    lola, sos, prediction = moved.values()
    assert prediction < sos < 0 < lola
    # p1 = a |xi0|^2 / <chi, xi0> leaves half of the way.
    assert sos == pytest.approx(prediction / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("strategy", "total", "loss"),
    [
        (LOLA(0.1), 4 / 3, 4 / 9),
        (SOS(0.1), 1.0, 0.0),
        (PolicyPrediction(0.1), 1.0, 0.0),
        (Simultaneous(), 1.0, 0.0),
    ],
    ids=lambda x: type(x).__name__,
)
def test_in_the_tandem_game_lola_is_arrogant(float64, strategy, total, loss):
    game, steps = games.Tandem(), 300
    model = game.compiled(
        strategy,
        0.1,
        dtype="float64",
        jit_compile=TRACED,
        steps_per_execution=steps,
    )
    model.fit(np.ones((steps, 1)), batch_size=1, verbose=0)
    theta = game.point(model)
    assert theta.sum() == pytest.approx(total, abs=1e-9)
    assert game.values(theta).mean() == pytest.approx(loss, abs=1e-9)


@without("torch", "15,000 steps take minutes where none is compiled.")
@pytest.mark.parametrize(
    ("strategy", "loss", "cooperate"),
    [(Simultaneous(), 2.0, 0.0), (LOLA(1.0), 1.05, 0.8), (SOS(1.0), 1.06, 0.8)],
    ids=lambda x: type(x).__name__,
)
def test_in_the_iterated_prisoners_dilemma_shaping_finds_cooperation(
    strategy, loss, cooperate
):
    """Losses per round after 100 steps, from 50 normal starts.

    With alpha = 1 and losses that are discounted sums, as the authors have.
    """
    game = games.IteratedPrisonersDilemma(per_round=False)
    per_round = 1 - game.discount
    model = game.compiled(
        strategy, 1.0, jit_compile=TRACED, steps_per_execution=ROUNDS
    )
    ends = []

    def begin(epoch, logs=None):
        game.place(model, game.random_start(epoch))

    def end(epoch, logs=None):
        ends.append(per_round * game.values(game.point(model)))

    play = keras.callbacks.LambdaCallback(
        on_epoch_begin=begin, on_epoch_end=end
    )
    model.fit(
        np.ones((ROUNDS, 1)),
        batch_size=1,
        epochs=SEEDS,
        callbacks=[play],
        verbose=0,
    )
    assert np.mean(ends) == pytest.approx(loss, abs=SLACK)
    both = np.mean(np.max(ends, axis=1) < COOPERATIVE)
    assert both >= cooperate if cooperate else both == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LOLA(-0.1), "`step` is out of range"),
        (lambda: PolicyPrediction(-1.0), "`step` is out of range"),
        (lambda: LOLA(form="letchre"), "did you mean 'letcher'"),
        (lambda: SOS(a=0.0), "above 0, at most 1"),
        (lambda: SOS(b=1.5), "`b` is out of range"),
    ],
)
def test_arguments_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
