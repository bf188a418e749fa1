import numpy as np
import pytest

from adversarial.losses import LeastSquares

CHOICES = [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0)]
"""The two of the paper."""
ROUNDING = 1e-6
"""Relative; single float32 operations."""


def formula(a, b, c):
    def reference(yreal, yfake):
        told = np.mean((yreal - b) ** 2) + np.mean((yfake - a) ** 2)
        return {
            "generator": np.mean((yfake - c) ** 2) / 2,
            "discriminator": told / 2,
        }

    return reference


@pytest.mark.parametrize("abc", [*CHOICES, (0.1, 0.8, 0.7)])
@pytest.mark.parametrize("shape", [(5, 1), (3, 2, 4, 1)])
def test_values_and_gradients_are_those_of_the_formula(
    abc, shape, agrees, scores
):
    agrees(LeastSquares(*abc), scores(*shape), formula(*abc))


def test_the_default_is_the_first_choice_of_the_paper(agrees, scores):
    agrees(LeastSquares(), scores(5, 1), formula(*CHOICES[0]))


def test_exchanged_numbers_are_told_apart(tells_apart, scores):
    tells_apart(LeastSquares(), scores(5, 1), formula(1.0, 0.0, 1.0))
    tells_apart(LeastSquares(), scores(5, 1), formula(0.0, 1.0, 0.0))


def test_squares_of_mean_patches_are_told_apart(tells_apart, scores):
    def before(yreal, yfake):
        axes = (1, 2, 3)
        return formula(*CHOICES[0])(yreal.mean(axes), yfake.mean(axes))

    tells_apart(LeastSquares(), scores(3, 2, 4, 1), before)


@pytest.mark.parametrize(
    ("abc", "generator", "discriminator"),
    [(CHOICES[0], 1 / 8, 1 / 4), (CHOICES[1], 0.0, 1.0)],
)
def test_the_optimum_is_that_of_the_docstring(
    abc, generator, discriminator, values, scores
):
    a, b, _ = abc
    even = {name: np.full((4, 1), (a + b) / 2) for name in scores(1)}
    found = values(LeastSquares(*abc), even)
    assert found == {"generator": generator, "discriminator": discriminator}


def test_scores_of_10000_give_finite_values_and_slopes(extremes):
    found, slopes = extremes(LeastSquares(), -1e4, 1e4)
    expected = formula(*CHOICES[0])(-1e4, 1e4)
    assert found == pytest.approx(expected, rel=ROUNDING)
    told = slopes["discriminator"]
    assert told == pytest.approx({"yreal": -10001, "yfake": 1e4}, rel=ROUNDING)
    assert slopes["generator"]["yfake"] == pytest.approx(9999, rel=ROUNDING)


def test_scores_in_half_precision_are_squared_in_float32(values, scores):
    half = {name: np.full((4, 1), 1000, "float16") for name in scores(1)}
    found = values(LeastSquares(), half)
    assert found["generator"] == pytest.approx(999**2 / 2, rel=ROUNDING)
