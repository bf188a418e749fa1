import numpy as np
import pytest

from adversarial.losses import Wasserstein


def reference(yreal, yfake):
    return {
        "generator": -yfake.mean(),
        "discriminator": yfake.mean() - yreal.mean(),
    }


@pytest.mark.parametrize("shape", [(5, 1), (5,), (3, 2, 4, 1)])
def test_values_and_gradients_are_those_of_the_formula(shape, agrees, scores):
    agrees(Wasserstein(), scores(*shape), reference)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_wrong_sign_is_told_apart(player, tells_apart, scores):
    def turned(**outputs):
        found = reference(**outputs)
        return found | {player: -found[player]}

    tells_apart(Wasserstein(), scores(5, 1), turned)


def test_the_optimum_is_that_of_the_docstring(values, scores):
    even = {name: np.full((4, 1), 3.0) for name in scores(1)}
    found = values(Wasserstein(), even)
    assert found == {"generator": -3.0, "discriminator": 0.0}


def test_minus_the_loss_is_the_distance_of_two_points(values, scores):
    # The critic D(x) = x has slope 1 and is the best there is.
    points = {"yreal": np.full((4, 1), 5.0), "yfake": np.full((4, 1), 2.0)}
    assert values(Wasserstein(), points)["discriminator"] == -3.0


def test_scores_of_10000_give_finite_values_and_slopes(extremes):
    found, slopes = extremes(Wasserstein(), -1e4, 1e4)
    assert found == {"generator": -1e4, "discriminator": 2e4}
    assert slopes["discriminator"] == {"yreal": -1.0, "yfake": 1.0}
