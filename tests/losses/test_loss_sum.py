import keras
import numpy as np
import pytest

from adversarial.losses import (
    AdversarialLoss,
    FeatureMatching,
    Hinge,
    LossSum,
    NonSaturating,
    PullingAway,
)

PLAYERS = ["generator", "discriminator"]
RNG = np.random.default_rng(0)
OUTPUTS = {
    name: RNG.normal(size=shape)
    for name, shape in {
        "yreal": (4, 1),
        "yfake": (4, 1),
        "hreal": (4, 3),
        "hfake": (4, 3),
    }.items()
}


class Listed(AdversarialLoss):
    """Reads outputs as they come, and gives a list."""

    def call(self, outputs, targets=None):
        yfake, yreal = outputs
        return [yfake, yreal]


def numbers(loss, players=PLAYERS, outputs=OUTPUTS, **kwargs):
    found = loss(players, outputs, **kwargs)
    return {name: float(x) for name, x in found.items()}


def test_a_part_adds_nothing_to_players_that_it_does_not_concern():
    a, b = NonSaturating(), FeatureMatching()
    found, first = numbers(a + 10.0 * b), numbers(a)
    second = float(b(["generator"], OUTPUTS)["generator"])
    expected = first["generator"] + 10 * second
    assert found["generator"] == pytest.approx(expected, rel=1e-12)
    assert found["discriminator"] == first["discriminator"]


def test_sums_add_and_scale_flat():
    total = 2.0 * (NonSaturating() + 3.0 * Hinge()) + PullingAway() * 0.5
    parts = [(w, type(part).__name__) for w, part in total.parts]
    assert parts == [
        (2.0, "NonSaturating"),
        (6.0, "Hinge"),
        (0.5, "PullingAway"),
    ]
    right = Hinge() + (NonSaturating() + Hinge())
    assert len(right.parts) == 3


def test_parts_of_any_shape_are_averaged_before_they_are_added():
    patches = OUTPUTS | {"yreal": RNG.normal(size=(4, 2, 2, 1))}
    total = numbers(Hinge() + PullingAway(), outputs=patches)
    assert all(np.isfinite(x) for x in total.values())


def test_sample_weights_weigh_every_part():
    weight = np.array([0.0, 1.0, 2.0, 5.0])
    a, b = NonSaturating(), Hinge()
    found = numbers(a + b, sample_weight=weight)
    for name in PLAYERS:
        expected = sum(
            np.mean(weight * np.asarray(x.call(OUTPUTS)[name])) for x in (a, b)
        )
        assert found[name] == pytest.approx(expected, rel=1e-12)


def test_parts_that_read_lists_and_parts_that_read_names_go_together():
    flat = [OUTPUTS["yfake"], OUTPUTS["yreal"]]
    total = NonSaturating() + Listed()
    found = numbers(total, outputs=flat, names=["yfake", "yreal"])
    expected = numbers(NonSaturating())
    assert found["generator"] == pytest.approx(
        expected["generator"] + OUTPUTS["yfake"].mean(), rel=1e-12
    )


def test_several_discriminators_are_a_sum():
    outputs = {f"y{a}{b}": RNG.normal(size=(4, 1)) for a in "rf" for b in "12"}
    first, second = (
        Hinge(real=f"yr{i}", fake=f"yf{i}", discriminator=f"d{i}") for i in "12"
    )
    found = numbers(first + second, ["generator", "d1", "d2"], outputs)
    expected = -outputs["yf1"].mean() - outputs["yf2"].mean()
    assert found["generator"] == pytest.approx(expected, rel=1e-12)
    told = np.maximum(0, 1 - outputs["yr2"]) + np.maximum(0, 1 + outputs["yf2"])
    assert found["d2"] == pytest.approx(told.mean(), rel=1e-12)


def test_a_player_that_no_part_concerns_is_refused(refused):
    total = FeatureMatching() + PullingAway()
    message = refused(lambda: numbers(total))
    assert "`LossSum`, which has none for 'discriminator'" in message


def test_it_is_remade_from_its_config():
    total = NonSaturating(smooth_real=0.1) + 10.0 * FeatureMatching()
    config = keras.saving.serialize_keras_object(total)
    copy = keras.saving.deserialize_keras_object(config)
    assert isinstance(copy, LossSum)
    assert [w for w, _ in copy.parts] == [1.0, 10.0]
    assert numbers(copy) == numbers(total)
    assert copy.parts[0][1].smooth_real == 0.1


def test_half_and_double_precision_can_be_added():
    mixed = OUTPUTS | {n: x.astype("float32") for n, x in OUTPUTS.items()}
    mixed["hfake"] = OUTPUTS["hfake"]
    assert np.isfinite(
        numbers(Hinge() + PullingAway(), outputs=mixed)["generator"]
    )


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_must_be_finite(weight, refused):
    assert "must be finite" in refused(lambda: weight * Hinge())


@pytest.mark.parametrize("other", [1.0, None, "hinge"])
def test_only_losses_can_be_added(other):
    with pytest.raises(TypeError):
        Hinge() + other


@pytest.mark.parametrize("weight", ["2", None, Hinge()])
def test_only_numbers_scale(weight):
    with pytest.raises(TypeError):
        Hinge() * weight


def test_parts_are_checked(refused):
    assert "must have a part" in refused(lambda: LossSum([]))
    message = refused(lambda: LossSum([(1.0, "hinge")]), TypeError)
    assert "'float', 'str'" in message
    message = refused(lambda: LossSum([(Hinge(),)]), TypeError)
    assert "'Hinge'" in message


def test_a_sum_has_no_losses_per_sample(refused):
    message = refused(lambda: (Hinge() + Hinge()).call(OUTPUTS), TypeError)
    assert "no losses per sample" in message
