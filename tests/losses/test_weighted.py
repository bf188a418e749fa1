import keras
import numpy as np
import pytest

import adversarial
from adversarial.losses import (
    AdversarialLoss,
    FeatureMatching,
    Hinge,
    NonSaturating,
    RelativisticPaired,
    Wasserstein,
    Weighted,
)

RNG = np.random.default_rng(5)
N = 5
OUTPUTS = {
    "yreal": RNG.normal(size=(N, 1)),
    "yfake": RNG.normal(size=(N, 1)),
    "w": RNG.uniform(0.0, 2.0, size=(N, 1)),
}
BOTH = ["generator", "discriminator"]


def softplus(x):
    return np.logaddexp(0.0, x)


def formula(weight):
    def of(yreal, yfake, w):
        return {
            "generator": np.mean(weight * softplus(-yfake)),
            "discriminator": np.mean(softplus(-yreal) + softplus(yfake)),
        }

    return of


def test_values_and_gradients_are_those_of_the_formula(agrees):
    agrees(Weighted(NonSaturating(), "w"), OUTPUTS, formula(OUTPUTS["w"]))


def test_a_gradient_into_the_weights_is_told_apart(tells_apart):
    def leaking(yreal, yfake, w):
        return formula(w)(yreal, yfake, w)

    tells_apart(Weighted(NonSaturating(), "w"), OUTPUTS, leaking)


def test_weights_that_broadcast_to_all_pairs_are_told_apart(tells_apart):
    crossed = formula(OUTPUTS["w"].reshape(1, N))
    tells_apart(Weighted(NonSaturating(), "w"), OUTPUTS, crossed)


@pytest.mark.parametrize("shape", [(N, 1), (N,)], ids=str)
def test_one_weight_per_sample_may_have_either_shape(shape, values):
    outputs = OUTPUTS | {"w": OUTPUTS["w"].reshape(shape)}
    found = values(Weighted(NonSaturating(), "w"), outputs)
    assert found == pytest.approx(formula(OUTPUTS["w"])(**OUTPUTS), rel=1e-12)


def test_all_patches_of_a_sample_have_its_weight(values):
    class PerPatch(Wasserstein):
        """Leaves the patches as they are."""

        def of_generator(self, real, fake):
            return -fake

    patches = RNG.normal(size=(N, 2, 3, 1))
    outputs = {"yreal": patches, "yfake": patches, "w": OUTPUTS["w"]}
    expected = np.mean(-patches.mean(axis=(1, 2, 3)) * OUTPUTS["w"][:, 0])
    for loss in (Wasserstein(), PerPatch()):
        found = values(Weighted(loss, "w"), outputs)["generator"]
        assert found == pytest.approx(expected, rel=1e-12)


def test_weights_of_one_change_nothing_and_players_may_be_several(values):
    ones = OUTPUTS | {"w": np.ones((N, 1))}
    loss = RelativisticPaired()
    assert values(Weighted(loss, "w", player=BOTH), ones) == values(loss, ones)
    zeros = OUTPUTS | {"w": np.zeros((N, 1))}
    found = values(Weighted(loss, "w", player=BOTH), zeros)
    assert found == {"generator": 0.0, "discriminator": 0.0}


def test_given_sample_weights_multiply_those_of_the_model(values):
    given = RNG.uniform(size=N)
    product = OUTPUTS | {"w": OUTPUTS["w"] * given[:, None]}
    found = values(Weighted(Hinge(), "w"), OUTPUTS, sample_weight=given)
    expected = values(Weighted(Hinge(), "w"), product)
    assert found["generator"] == pytest.approx(expected["generator"])


def test_it_adds_to_other_losses(values):
    outputs = OUTPUTS | {"h": RNG.normal(size=(N, 3)), "g": np.zeros((N, 3))}
    term = FeatureMatching("h", "g")
    total = values(Weighted(Hinge(), "w") + 2.0 * term, outputs)
    parts = [values(Weighted(Hinge(), "w"), outputs), values(term, outputs)]
    expected = parts[0]["generator"] + 2.0 * parts[1]["generator"]
    assert total["generator"] == pytest.approx(expected, rel=1e-12)


def test_what_has_no_loss_per_sample_is_refused(values, refused):
    outputs = OUTPUTS | {"h": np.ones((N, 3))}
    loss = Weighted(FeatureMatching("h", "h"), "w")
    assert "needs a loss per sample" in refused(lambda: values(loss, outputs))
    wrong = OUTPUTS | {"w": np.ones((N + 1, 1))}
    message = refused(lambda: values(Weighted(Hinge(), "w"), wrong))
    assert "must have the same shape" in message
    message = refused(lambda: values(Weighted(Hinge(), "ww"), OUTPUTS))
    assert "did you mean 'w'?" in message


def test_what_it_cannot_weigh_is_refused(refused):
    total = NonSaturating() + 1.0 * FeatureMatching()
    message = refused(lambda: Weighted(total, "w"), TypeError)
    assert "weigh its parts" in message and "a sum of 2" in message
    message = refused(lambda: Weighted("hinge", "w"), TypeError)
    assert "'hinge' of type `str`" in message

    class ByPosition(AdversarialLoss):
        def call(self, outputs, targets=None):
            return outputs

    message = refused(lambda: Weighted(ByPosition(), "w"), TypeError)
    assert "set `by_name = True`" in message
    loss = Weighted(FeatureMatching(), "w", player="discriminator")
    message = refused(lambda: loss.players_of(BOTH))
    assert "a loss for 'discriminator'" in message


def test_it_is_remade_from_its_config():
    loss = Weighted(NonSaturating(smooth_real=0.1), "w", player=BOTH)
    config = keras.saving.serialize_keras_object(loss)
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is Weighted
    assert copy.get_config() == loss.get_config()
    assert copy.loss.smooth_real == 0.1
    assert (copy.output, copy.player) == ("w", BOTH)


def test_in_a_game_only_the_samples_that_weigh_teach_the_generator(tmp_path):
    layers = keras.layers
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    discriminator = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    sizes = {"x": 3, "z": 2, "w": 1}
    x, z, w = (keras.Input((n,), name=name) for name, n in sizes.items())
    outputs = {
        "yreal": discriminator(x),
        "yfake": discriminator(generator(z)),
        "w": w + 0.0,
    }
    base = keras.Model({"x": x, "z": z, "w": w}, outputs)
    owners = {"generator": generator, "discriminator": discriminator}
    model = adversarial.AdversarialModel(base, player_params=owners)
    model.compile("extra_gradient", "sgd", loss=Weighted(Hinge(), "w"))
    rng = np.random.default_rng(0)
    data = {
        "x": rng.normal(size=(4, 3)).astype("float32"),
        "z": rng.normal(size=(4, 2)).astype("float32"),
        "w": np.array([[4.0], [0.0], [0.0], [0.0]], "float32"),
    }
    found = model.test_on_batch(data, return_dict=True)["generator_loss"]
    score = float(np.asarray(discriminator(generator(data["z"][:1])))[0, 0])
    # In float32.
    assert found == pytest.approx(-score, rel=1e-5)
    model.fit(data, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.train_on_batch(data) == model.train_on_batch(data)
