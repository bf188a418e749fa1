"""What proofs look at; that they can fail is seen in `test_check_strategy`."""

import keras
import pytest

import adversarial
from adversarial.testing import StrategyCheckError, check_strategy

registered = keras.saving.register_keras_serializable(package=__name__)


class Simple(adversarial.AdversarialOptimizer):
    def step(self, game):
        game.apply(game.field())


def test_a_gan_is_trained_by_two_players_only():
    report = check_strategy("simultaneous", players=[3], only=["training"])
    assert report["training"].words == "a GAN has two players."


@registered
class Bold(Simple):
    """Steps by signs, also of what overflows."""

    def step(self, game):
        game.apply(game.field().map(keras.ops.sign))


@registered
class Reckless(Simple):
    """Places the players, which nobody checks."""

    def step(self, game):
        game.losses()
        game.assign(game.variables, game.point - 0.1 * game.field())


def test_a_finite_step_on_an_overflowing_batch_may_be_made():
    assert not check_strategy(Bold, players=[3], only=["nonfinite"]).failed


def test_a_step_that_overflows_may_not():
    @registered
    class Squared(Reckless):
        def step(self, game):
            xi = game.field()
            game.assign(game.variables, game.point - 0.1 * xi.scaled(xi))

    with pytest.raises(StrategyCheckError, match="overflowing must change"):
        check_strategy(Squared, players=[3], only=["nonfinite"])
