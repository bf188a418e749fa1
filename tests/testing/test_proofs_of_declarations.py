"""What proofs look at; that they can fail is seen in `test_check_strategy`."""

import keras
import pytest

import adversarial
from adversarial.optimizers import Consensus, Lookahead
from adversarial.testing import StrategyCheckError, check_strategy

registered = keras.saving.register_keras_serializable(package=__name__)


@registered
class Tuned(adversarial.AdversarialOptimizer):
    """Keeps an argument under another name, as a tuple and as an object."""

    def __init__(self, numbers=(1, 2), inner="simultaneous"):
        super().__init__(inner)
        self.kept = tuple(numbers)

    def step(self, game):
        game.apply(game.field())

    def get_config(self):
        return {**super().get_config(), "numbers": list(self.kept)}


@registered
class Opaque(Tuned):
    def get_config(self):
        return {"numbers": object(), "inner": None}


def config_of(strategy):
    return check_strategy(strategy, only=["config"])


def test_tuples_come_back_as_lists_and_inner_strategies_are_compared():
    assert not config_of(Tuned((3, 4), Consensus(0.3))).failed
    assert not config_of(Lookahead(Lookahead(), 10)).failed


def test_a_configuration_that_json_does_not_take_is_refused():
    with pytest.raises(
        StrategyCheckError, match=r"it raises \w+Error: .* Is the class"
    ):
        config_of(Opaque((3, 4)))


def test_evaluations_that_depend_on_the_game_are_not_counted():
    report = check_strategy("lookahead", only=["evaluations"])
    assert report.skipped == ["evaluations"]
