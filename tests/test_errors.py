import pickle

import pytest

from adversarial.errors import (
    GameDivergedError,
    conversation,
    divergence,
    quoted,
    unknown,
)


def test_a_message_says_what_must_hold_what_came_and_what_to_type():
    message = conversation(
        "Weights must be positive.",
        expected="numbers above 0.",
        received="-1.",
        fix="pass 1.",
    )
    assert message == (
        "Weights must be positive.\n"
        "  Expected: numbers above 0.\n"
        "  Received: -1.\n"
        "  Fix: pass 1."
    )


def test_parts_that_are_not_given_leave_no_line():
    assert conversation("It must hold.") == "It must hold."
    assert conversation("It must hold.", received="no.").count("\n") == 1


def test_names_are_listed_in_quotes():
    assert quoted(["a", "b"]) == "'a', 'b'"
    assert quoted([]) == "none"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("generatr", "generator"),
        ("Generator", "generator"),
        ("critc", "Critic"),
        ("CRITIC", "Critic"),
    ],
)
def test_an_unknown_name_gets_the_nearest_spelling(name, nearest):
    error = unknown("player", name, ["generator", "Critic"])
    assert isinstance(error, ValueError)
    assert f"Unknown player: '{name}'." in str(error)
    assert "one of 'generator', 'Critic'" in str(error)
    assert f"did you mean '{nearest}'?" in str(error)


@pytest.mark.parametrize("name", ["zzz", 3, None])
def test_a_name_like_no_other_gets_the_list_only(name):
    message = str(unknown("player", name, ["generator", "critic"]))
    assert "'generator', 'critic'" in message
    assert "Fix" not in message


def test_a_diverged_game_names_its_players_and_the_step():
    error = GameDivergedError(["generator", "critic"], 7)
    assert isinstance(error, ArithmeticError)
    assert error.players == ("generator", "critic")
    assert error.step == 7
    assert "'generator', 'critic' at training step 7" in str(error)
    assert "the weights are those from before it" in str(error)
    assert 'on_nonfinite="warn"' in str(error)


def test_a_warning_of_divergence_gives_the_advice_it_is_given():
    message = divergence(["critic"], 2, fix="go slower.")
    assert "'critic' at training step 2" in message
    assert message.endswith("Fix: go slower.")


def test_a_diverged_game_travels_between_processes():
    error = pickle.loads(pickle.dumps(GameDivergedError(["critic"], 3)))
    assert (error.players, error.step) == (("critic",), 3)
