import keras
import numpy as np
import pytest

from adversarial.penalties.checks import (
    check_floats,
    check_network,
    check_policy,
    check_range,
    chosen,
    known_names,
    names_of,
)

layers = keras.layers


def test_a_network_is_a_built_layer():
    check_network("P", keras.Sequential([keras.Input((2,)), layers.Dense(1)]))
    with pytest.raises(TypeError, match="`P` looks at a network") as error:
        check_network("P", np.zeros((2, 2)))
    assert "P(network)(x)" in str(error.value)
    with pytest.raises(ValueError, match="must be built") as error:
        check_network("P", layers.Dense(1, name="later"))
    assert "'later'" in str(error.value)


def test_a_precision_of_its_own_is_refused():
    check_policy("P", {"name": "p"})
    with pytest.raises(ValueError, match="dtype='float16'"):
        check_policy("P", {"dtype": "float16"})


def test_samples_are_floats():
    check_floats("P", [np.zeros(2, "float16"), np.zeros(2)])
    with pytest.raises(TypeError, match="must be floats") as error:
        check_floats("P", [np.zeros(2), np.zeros(2, "int64")])
    assert "'int64'" in str(error.value)
    assert "given=labels" in str(error.value)


def test_an_output_is_chosen_by_name_or_number():
    values, names = [10, 20, 30], ["a", "b", "c"]
    assert chosen("P", values, "b", names) == 20
    assert chosen("P", values, 2, names) == 30
    assert chosen("P", values, -1, names) == 30
    assert chosen("P", [10], None, ["a"]) == 10
    with pytest.raises(ValueError, match="did you mean 'a'"):
        chosen("P", values, "A", names)
    for choice in (None, 3, -4):
        with pytest.raises(ValueError, match="one output") as error:
            chosen("P", values, choice, names)
        assert "'a', 'b', 'c'" in str(error.value)


class Pair(keras.Model):
    def call(self, x):
        return {"low": x, "high": x + 1}


def test_names_are_those_of_the_model_or_of_what_it_returned():
    x = keras.Input((2,))
    named = {"score": layers.Dense(1)(x), "more": layers.Dense(2)(x)}
    assert known_names(keras.Model(x, named)) == ["more", "score"]
    assert known_names(layers.Dense(1)) is None
    network = Pair()
    outputs = network(np.zeros((1, 2)))
    assert known_names(network) is None
    assert names_of(network, outputs) == ["high", "low"]
    assert names_of(layers.Dense(1), np.zeros(2)) == ["output"]


def test_numbers_are_finite_and_in_range():
    assert check_range("x", 2, 0.0) == 2.0
    assert check_range("x", 0, 0.0, 1.0) == 0.0
    for value in (-1, 1.5, float("nan"), float("inf"), "1", None, True):
        with pytest.raises(ValueError, match="`x` is out of range") as error:
            check_range("x", value, 0.0, 1.0)
    assert "from 0 to 1" in str(error.value)
    with pytest.raises(ValueError, match="above 0"):
        check_range("x", 0.0, 0.0, above=True)
