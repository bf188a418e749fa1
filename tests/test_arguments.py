import numpy as np
import pytest

from adversarial.arguments import (
    checked_choice,
    checked_count,
    checked_flag,
    checked_number,
)

NO_NUMBERS = [None, True, np.True_, "1", b"1", [1.0], np.ones(2), 1j, object()]


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_number_is_refused_with_its_type(value):
    with pytest.raises(TypeError, match="`rate` must be a number") as caught:
        checked_number("rate", value)
    assert f"of type `{type(value).__name__}`" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "limits", "words"),
    [
        (0.0, {"above": 0}, "above 0"),
        (-1, {"least": 0}, "at least 0"),
        (2, {"most": 1}, "at most 1"),
        (0.5, {"least": 0, "below": 0.5}, "at least 0, below 0.5"),
        (float("nan"), {}, "a finite number"),
        (np.float32("inf"), {"above": 0}, "a finite number, above 0"),
    ],
)
def test_a_number_out_of_range_is_refused_with_the_range(value, limits, words):
    with pytest.raises(ValueError, match=words):
        checked_number("rate", value, **limits)


def test_limits_are_in_the_range_or_not():
    assert checked_number("rate", 0, least=0, below=1) == 0
    assert checked_number("rate", 1, above=0, most=1) == 1


def test_numpy_numbers_are_numbers():
    assert type(checked_number("rate", np.float32(0.5))) is float
    assert type(checked_count("n", np.int64(3))) is int


@pytest.mark.parametrize("value", [*NO_NUMBERS, 1.0, np.float64(2)])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(TypeError, match="`n` must be a whole number"):
        checked_count("n", value)


def test_counts_have_a_least_value_or_none():
    with pytest.raises(ValueError, match="at least 2"):
        checked_count("n", 1, least=2)
    assert checked_count("n", -7, least=None) == -7


@pytest.mark.parametrize("value", [None, 0, 1, "True", [], np.ones(1)])
def test_only_true_and_false_are_flags(value):
    with pytest.raises(TypeError, match="`on` must be True or False"):
        checked_flag("on", value)
    assert checked_flag("on", np.True_) is True


@pytest.mark.parametrize("value", ["cgs", [], {}, None, np.ones(2), 3])
def test_a_word_must_be_one_of_the_list(value):
    with pytest.raises(ValueError, match="Unknown `solver`"):
        checked_choice("solver", value, ["cg", "gmres"])
    assert checked_choice("solver", "cg", ["cg", "gmres"]) == "cg"
