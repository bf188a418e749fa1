import numpy as np
import pytest
from keras import ops

from adversarial.losses import Minimax, NonSaturating

LOG2 = np.log(2)
SHAPES = [(5, 1), (5,), (3, 2, 4, 1), (3, 1, 2, 4), (3, 2, 4)]
ROUNDING = 1e-6
"""Relative; single float32 operations."""


def log_sigmoid(s):
    return -np.logaddexp(0.0, -s)


def cross_entropy(score, label):
    p = 1 / (1 + np.exp(-score))
    return -(label * np.log(p) + (1 - label) * np.log(1 - p)).mean()


def discriminator(yreal, yfake, smooth_real=0.0, smooth_fake=0.0):
    real = cross_entropy(yreal, 1 - smooth_real)
    return real + cross_entropy(yfake, smooth_fake)


def non_saturating(**smooth):
    def reference(yreal, yfake):
        return {
            "generator": -log_sigmoid(yfake).mean(),
            "discriminator": discriminator(yreal, yfake, **smooth),
        }

    return reference


def minimax(smooth_real=0.0, smooth_fake=0.0):
    def reference(yreal, yfake):
        d = discriminator(yreal, yfake, smooth_real, smooth_fake)
        return {
            "generator": -cross_entropy(yfake, smooth_fake),
            "discriminator": d,
        }

    return reference


PAIRS = [(NonSaturating, non_saturating), (Minimax, minimax)]
both = pytest.mark.parametrize(("cls", "formula"), PAIRS)
SMOOTH = {"smooth_real": 0.1, "smooth_fake": 0.05}


@both
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_the_formula(
    cls, formula, shape, agrees, scores
):
    agrees(cls(), scores(*shape), formula())


@both
@pytest.mark.parametrize("side", ["smooth_real", "smooth_fake", "both"])
def test_smoothed_labels_are_cross_entropies_with_these_labels(
    cls, formula, side, agrees, scores
):
    smooth = {k: v for k, v in SMOOTH.items() if side in (k, "both")}
    agrees(cls(**smooth), scores(5, 1), formula(**smooth))


@both
def test_smoothing_on_the_wrong_side_is_told_apart(
    cls, formula, tells_apart, scores
):
    swapped = formula(smooth_real=0.0, smooth_fake=0.1)
    tells_apart(cls(smooth_real=0.1), scores(5, 1), swapped)


@both
def test_no_smoothing_reaches_the_label_that_the_generator_wants(
    cls, formula, values, scores
):
    outputs = scores(5, 1)
    plain, smoothed = cls(), cls(smooth_real=0.1)
    wanted = values(plain, outputs)["generator"]
    assert values(smoothed, outputs)["generator"] == wanted


@pytest.mark.parametrize(
    ("loss", "other"),
    [(Minimax(), non_saturating()), (NonSaturating(), minimax())],
)
def test_a_minimax_generator_that_does_not_saturate_is_told_apart(
    loss, other, tells_apart, scores
):
    tells_apart(loss, scores(5, 1), other)


def test_the_generators_differ_only_in_how_much_they_learn(extremes):
    # Where the discriminator is sure that samples are fake, the generator of
    # the minimax game has nothing to go by.
    assert extremes(Minimax(), 20.0, -20.0)[1]["generator"]["yfake"] == (
        pytest.approx(-np.exp(-20.0), rel=1e-4)
    )
    slopes = extremes(NonSaturating(), 20.0, -20.0)[1]["generator"]
    assert slopes["yfake"] == pytest.approx(-1.0, rel=ROUNDING)


@both
def test_a_wrong_sign_is_told_apart(cls, formula, tells_apart, scores):
    def turned(yreal, yfake):
        found = formula()(yreal, yfake)
        return found | {"generator": -found["generator"]}

    tells_apart(cls(), scores(5, 1), turned)


@both
def test_a_detached_score_is_told_apart(cls, formula, tells_apart, scores):
    class Detached(cls):
        def on_generated(self, score):
            return super().on_generated(ops.stop_gradient(score))

    tells_apart(Detached(), scores(5, 1), formula())


@both
def test_patches_are_averaged_after_the_loss_and_not_before(
    cls, formula, agrees, tells_apart, scores
):
    outputs = scores(3, 2, 4, 1)

    def before(yreal, yfake):
        return formula()(yreal.mean((1, 2, 3)), yfake.mean((1, 2, 3)))

    agrees(cls(), outputs, formula())
    tells_apart(cls(), outputs, before)


def test_a_logit_taken_for_a_probability_is_told_apart(tells_apart, scores):
    # 1 - D in place of -D, as in one toolkit's "vanilla" loss.
    def faulty(yreal, yfake):
        d = -log_sigmoid(yreal) - log_sigmoid(1 - yfake)
        return {
            "generator": -log_sigmoid(yfake).mean(),
            "discriminator": d.mean(),
        }

    tells_apart(NonSaturating(), scores(5, 1), faulty)


@pytest.mark.parametrize(
    ("cls", "generator"), [(NonSaturating, LOG2), (Minimax, -LOG2)]
)
def test_the_optimum_is_that_of_the_docstring(cls, generator, values, scores):
    even = {name: np.zeros((4, 1)) for name in scores(1)}
    found = values(cls(), even)
    assert found["generator"] == pytest.approx(generator, rel=1e-12)
    assert found["discriminator"] == pytest.approx(2 * LOG2, rel=1e-12)


@pytest.mark.parametrize("cls", [NonSaturating, Minimax])
@pytest.mark.parametrize("smooth", [0.0, 0.1])
def test_the_discriminator_is_best_at_the_smoothed_label(
    cls, smooth, values, scores
):
    loss = cls(smooth_real=smooth)
    best = np.log((1 - smooth) / (1 + smooth))

    def told(s):
        even = {name: np.full((4, 1), s) for name in scores(1)}
        return values(loss, even)["discriminator"]

    # At equal densities p = (1 - smooth) / 2.
    assert told(best) < min(told(best - 0.01), told(best + 0.01))


def test_logits_of_10000_give_finite_values_and_slopes(extremes):
    found, slopes = extremes(NonSaturating(), -1e4, -1e4)
    assert found == {"generator": 1e4, "discriminator": 1e4}
    assert slopes["generator"] == {"yreal": 0.0, "yfake": -1.0}
    assert slopes["discriminator"] == {"yreal": -1.0, "yfake": 0.0}
    found, slopes = extremes(NonSaturating(), 1e4, 1e4)
    assert found == {"generator": 0.0, "discriminator": 1e4}
    assert slopes["generator"] == {"yreal": 0.0, "yfake": 0.0}
    assert slopes["discriminator"] == {"yreal": 0.0, "yfake": 1.0}
    found, slopes = extremes(Minimax(), 1e4, 1e4)
    assert found == {"generator": -1e4, "discriminator": 1e4}
    assert slopes["generator"] == {"yreal": 0.0, "yfake": -1.0}


def test_smoothed_logits_of_10000_give_finite_values_and_slopes(extremes):
    found, slopes = extremes(NonSaturating(**SMOOTH), 1e4, -1e4)
    assert found["discriminator"] == pytest.approx(1500.0, rel=ROUNDING)
    told = slopes["discriminator"]
    assert told["yreal"] == pytest.approx(0.1, rel=ROUNDING)
    assert told["yfake"] == pytest.approx(-0.05, rel=ROUNDING)


@pytest.mark.parametrize("smooth", [-0.1, 0.5, 1.0, float("nan")])
@pytest.mark.parametrize("side", ["smooth_real", "smooth_fake"])
def test_smoothing_out_of_range_is_refused(side, smooth, refused):
    message = refused(lambda: NonSaturating(**{side: smooth}))
    assert f"`{side}` is out of range" in message


@both
def test_per_output_it_is_the_same_loss(cls, formula, scores):
    loss, outputs = cls(**SMOOTH), scores(5, 1)
    expected = formula(**SMOOTH)(**outputs)
    d, g = map(loss.per_output, ("discriminator", "generator"))
    ones, zeros = np.ones((5, 1)), np.zeros((5, 1))
    told = d(ones, outputs["yreal"]) + d(zeros, outputs["yfake"])
    made = g(ones, outputs["yfake"]) + g(zeros, outputs["yreal"])
    # Keras losses compute in float32.
    np.testing.assert_allclose(told, expected["discriminator"], rtol=1e-6)
    np.testing.assert_allclose(made, expected["generator"], rtol=1e-6)
