import keras
import numpy as np
import pytest
from engines import array

from adversarial.losses import Hinge, LeastSquares, NonSaturating

OUTPUTS = {"yreal": np.ones((4, 1)), "yfake": np.zeros((4, 1))}


def test_outputs_and_players_can_have_any_name(values, scores):
    drawn = scores(4, 1)
    expected = values(NonSaturating(), drawn)
    loss = NonSaturating(
        real="r", fake="f", generator="forger", discriminator="expert"
    )
    renamed = {"r": drawn["yreal"], "f": drawn["yfake"]}
    found = loss(["expert", "forger"], renamed)
    assert float(found["forger"]) == expected["generator"]
    assert float(found["expert"]) == expected["discriminator"]


def test_several_players_can_have_the_generators_loss(values, scores):
    drawn = scores(4, 1)
    loss = NonSaturating(generator=["generator", "encoder"])
    found = loss(["generator", "encoder", "discriminator"], drawn)
    expected = values(NonSaturating(), drawn)["generator"]
    assert float(found["generator"]) == expected
    assert float(found["encoder"]) == expected


def test_a_misspelt_player_is_refused_with_the_nearest_name(refused):
    players = ["generator", "discriminator"]
    message = refused(lambda: Hinge(generator="genrator")(players, OUTPUTS))
    assert "Unknown player in `Hinge(generator=...)`: 'genrator'" in message
    assert "did you mean 'generator'?" in message


def test_a_player_without_a_loss_is_refused(refused):
    players = ["generator", "discriminator", "encoder"]
    message = refused(lambda: Hinge()(players, OUTPUTS))
    assert "`Hinge`, which has none for 'encoder'" in message


def test_scores_of_classes_are_refused(refused):
    outputs = OUTPUTS | {"yfake": np.zeros((4, 10))}
    players = ["generator", "discriminator"]
    message = refused(lambda: Hinge()(players, outputs))
    assert "an output 'yfake' of shape (batch, 1)" in message


def test_losses_are_per_sample_before_they_are_reduced(scores):
    found = LeastSquares().call(scores(3, 2, 4, 1))
    assert {x.shape for x in found.values()} == {(3,)}


def test_sample_weights_weigh_samples(values, scores):
    drawn, weight = scores(4, 2, 2, 1), np.array([0.0, 1.0, 2.0, 5.0])
    shares = LeastSquares().call(drawn)
    found = values(LeastSquares(), drawn, sample_weight=weight)
    for name, share in shares.items():
        assert found[name] == pytest.approx(
            np.mean(weight * array(share)), rel=1e-12
        )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_taken_in_float32(dtype, values):
    # The rounding of half precision is 1e-3 and more, that of a sum of 4096
    # numbers in float32 2e-6.
    n = 4096
    fake = np.full((n, 1), -1e-3)
    outputs = {
        "yreal": keras.ops.cast(np.zeros((n, 1)), dtype),
        "yfake": keras.ops.cast(fake, dtype),
    }
    exact = np.asarray(keras.ops.cast(outputs["yfake"], "float64"))
    found = values(NonSaturating(), outputs)["generator"]
    assert found == pytest.approx(np.logaddexp(0, -exact).mean(), rel=1e-5)


def test_per_output_needs_a_player_of_the_loss(refused):
    message = refused(lambda: Hinge().per_output("critic"))
    assert "Unknown player of `Hinge`: 'critic'" in message
