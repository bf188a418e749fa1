import numpy as np
import pytest
from keras import ops

from adversarial.losses import Hinge


def told(yreal, yfake):
    relu = np.maximum(0, 1 - yreal).mean() + np.maximum(0, 1 + yfake).mean()
    return float(relu)


def reference(yreal, yfake):
    return {"generator": -yfake.mean(), "discriminator": told(yreal, yfake)}


@pytest.mark.parametrize("shape", [(8, 1), (8,), (3, 2, 4, 1)])
def test_values_and_gradients_are_those_of_the_formula(shape, agrees, scores):
    agrees(Hinge(), scores(*shape), reference)


def test_a_hinge_in_the_generator_is_told_apart(tells_apart, scores):
    def hinged(yreal, yfake):
        g = np.maximum(0, 1 - yfake).mean()
        return {"generator": g, "discriminator": told(yreal, yfake)}

    tells_apart(Hinge(), scores(8, 1), hinged)


def test_exchanged_margins_are_told_apart(tells_apart, scores):
    def exchanged(yreal, yfake):
        return {"generator": -yfake.mean(), "discriminator": told(yfake, yreal)}

    tells_apart(Hinge(), scores(8, 1), exchanged)


def test_a_hinge_of_mean_patches_is_told_apart(tells_apart, scores):
    def before(yreal, yfake):
        return reference(yreal.mean((1, 2, 3)), yfake.mean((1, 2, 3)))

    tells_apart(Hinge(), scores(3, 2, 4, 1), before)


def test_a_detached_generator_is_told_apart(tells_apart, scores):
    class Detached(Hinge):
        def on_generated(self, score):
            return -ops.stop_gradient(score)

    tells_apart(Detached(), scores(8, 1), reference)


@pytest.mark.parametrize("s", [-1.0, -0.25, 0.0, 1.0])
def test_the_optimum_is_that_of_the_docstring(s, values, scores):
    even = {name: np.full((4, 1), s) for name in scores(1)}
    assert values(Hinge(), even) == {"generator": -s, "discriminator": 2.0}


def test_scores_of_10000_give_finite_values_and_slopes(extremes):
    found, slopes = extremes(Hinge(), -1e4, 1e4)
    assert found == {"generator": -1e4, "discriminator": 20002.0}
    assert slopes["discriminator"] == {"yreal": -1.0, "yfake": 1.0}
    found, slopes = extremes(Hinge(), 1e4, -1e4)
    assert found == {"generator": 1e4, "discriminator": 0.0}
    assert slopes["discriminator"] == {"yreal": 0.0, "yfake": 0.0}
    assert slopes["generator"] == {"yreal": 0.0, "yfake": -1.0}
