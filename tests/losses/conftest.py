"""Checking a loss against a formula in NumPy, values and gradients."""

import numpy as np
import pytest
from engines import array, tensor, values_only as values_only

from adversarial import backend

PLAYERS = ["generator", "discriminator"]
SAME = 1e-11
"""Relative and absolute, float64; sums of up to a hundred numbers."""
STEP = 1e-6
"""Of central differences: their error is about STEP^2 + 1e-16 / STEP."""
SLOPES = 1e-7
"""Absolute, of gradients of the order of 1 against central differences."""


def numbers(found):
    return {name: float(value) for name, value in found.items()}


def slopes_of(loss, players, outputs, targets):
    """The gradient of every player's loss with respect to every output."""
    points = [tensor(x) for x in outputs.values()]

    def losses(blocks):
        given = {p: dict(zip(outputs, blocks[p], strict=True)) for p in players}
        found = {p: loss(players, given[p], targets)[p] for p in players}
        return found, list(found.values())

    values, found = backend.own_gradients(
        losses, {player: points for player in players}
    )
    gradients = {
        player: {
            name: np.zeros(np.shape(x)) if g is None else array(g)
            for (name, x), g in zip(outputs.items(), found[player], strict=True)
        }
        for player in players
    }
    return numbers(dict(zip(players, values, strict=True))), gradients


def differences_of(reference, outputs, player, name):
    """Central differences of a formula, entry by entry of one output."""
    found = np.zeros(outputs[name].shape)
    for index in np.ndindex(found.shape):
        ends = []
        for sign in (1, -1):
            moved = {key: x.copy() for key, x in outputs.items()}
            moved[name][index] += sign * STEP
            ends.append(reference(**moved)[player])
        found[index] = (ends[0] - ends[1]) / (2 * STEP)
    return found


@pytest.fixture
def agrees():
    """Asserts that a loss and its gradients are those of a formula.

    The formula takes the outputs by name and returns a number by player. It
    is differentiated by central differences.
    """

    def check(loss, outputs, reference, targets=None):
        players = loss.players_of(PLAYERS)
        expected = reference(**outputs)
        assert set(players) == set(expected)
        found, slopes = slopes_of(loss, players, outputs, targets)
        for player in players:
            np.testing.assert_allclose(
                found[player], expected[player], rtol=SAME, atol=SAME
            )
            for name in outputs:
                np.testing.assert_allclose(
                    slopes[player][name],
                    differences_of(reference, outputs, player, name),
                    atol=SLOPES,
                    err_msg=f"of {player} with respect to {name}",
                )

    return check


@pytest.fixture
def tells_apart(agrees):
    """Asserts that the check above rejects a faulty loss, or formula."""

    def check(loss, outputs, reference, targets=None):
        with pytest.raises(AssertionError):
            agrees(loss, outputs, reference, targets)

    return check


@pytest.fixture
def values():
    """Returns the number of each player for some outputs."""

    def read(loss, outputs, targets=None, sample_weight=None):
        players = loss.players_of(PLAYERS)
        return numbers(loss(players, outputs, targets, sample_weight))

    return read


@pytest.fixture
def extremes():
    """Values and gradients in float32 where scores are +-1e4."""

    def read(loss, real, fake, shape=(4, 1)):
        outputs = {
            "yreal": np.full(shape, real, "float32"),
            "yfake": np.full(shape, fake, "float32"),
        }
        found, slopes = slopes_of(loss, PLAYERS, outputs, None)
        # The sum over the batch is the slope of a score that all share.
        return found, {
            player: {name: float(x.sum()) for name, x in each.items()}
            for player, each in slopes.items()
        }

    return read


@pytest.fixture
def refused():
    """Asserts that an error comes, and returns its text."""

    def check(function, error=ValueError):
        with pytest.raises(error) as caught:
            function()
        return str(caught.value)

    return check


@pytest.fixture
def scores():
    """Scores without ties, in float64: real and fake of one shape."""

    def draw(*shape, seed=0):
        rng = np.random.default_rng(seed)
        return {
            "yreal": rng.normal(0.3, 1.5, shape),
            "yfake": rng.normal(-0.2, 1.5, shape),
        }

    return draw
