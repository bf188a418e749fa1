import numpy as np
import pytest

from adversarial.losses.named_loss import (
    NamedLoss,
    check_choice,
    check_count,
    check_layers,
    listed,
)


class Pull(NamedLoss):
    def __init__(self, output="y", *, puller="a", pushed=("b", "c")):
        self.output = output
        self.puller = puller
        self.pushed = pushed

    @property
    def roles(self):
        return {
            "puller": lambda seen: -seen.read("output", self.output),
            "pushed": lambda seen: seen.read("output", self.output),
        }


Y = {"y": np.array([1.0, 2.0])}


def test_an_argument_may_name_one_player_or_several():
    found = Pull()(["a", "b", "c"], Y)
    assert {name: float(x) for name, x in found.items()} == {
        "a": -1.5,
        "b": 1.5,
        "c": 1.5,
    }
    assert listed("ab") == ["ab"]
    assert listed(("a", "b")) == ["a", "b"]


def test_players_come_in_the_order_of_the_game():
    assert Pull().players_of(["c", "d", "a", "b"]) == ["c", "a", "b"]


def test_a_player_that_is_not_in_the_game_is_refused(refused):
    message = refused(lambda: Pull(puller="aa").players_of(["a", "b", "c"]))
    assert "Unknown player in `Pull(puller=...)`: 'aa'" in message
    assert "did you mean 'a'?" in message


def test_a_player_with_two_roles_is_refused(refused):
    message = refused(lambda: Pull(puller="b").players_of(["b", "c"]))
    assert "'b' as `puller` and as `pushed`" in message


def test_the_config_holds_all_arguments():
    config = {"output": "z", "puller": "p", "pushed": ["q"]}
    assert Pull(**config).get_config() == config
    assert Pull.from_config(config).get_config() == config


def test_words_numbers_counts_and_lists_are_checked(refused):
    check_choice("kind", "one", ["one", "two"])
    assert "did you mean" in refused(
        lambda: check_choice("kind", "on", ["one", "two"])
    )
    check_layers("a", "b")
    check_layers(["a", "b"], ["c", "d"])
    message = refused(lambda: check_layers(["a", "b"], "c"))
    assert "'a', 'b' and 'c'" in message
    assert "pairs" in refused(lambda: check_layers([], []))


@pytest.mark.parametrize("count", [1, 0, -2, 2.0, True, None, "10"])
def test_a_count_of_classes_is_whole_and_at_least_2(count, refused):
    whole = isinstance(count, int) and not isinstance(count, bool)
    error = ValueError if whole else TypeError
    assert "`classes`" in refused(lambda: check_count(count), error)
    check_count(2)
