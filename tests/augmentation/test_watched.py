import keras
import numpy as np
import pytest

from adversarial.augmentation import AdaptiveAugment, augmented
from adversarial.builders import build_gan

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (4, 6, 5, 3)).astype("float32")


@pytest.fixture
def base(networks):
    def make(ada, **kwargs):
        generator, discriminator = networks(**kwargs)
        return build_gan(generator, augmented(discriminator, ada), False)

    return make


def test_inputs_and_outputs_stay_as_they_are(base):
    ada = AdaptiveAugment()
    gan = base(ada)
    found = ada.watch(gan)
    assert found.output_names == gan.output_names == ["yfake", "yreal"]
    assert found.name == gan.name
    assert [x.shape for x in found.inputs] == [x.shape for x in gan.inputs]
    latents = RNG.normal(size=(4, 2))
    for a, b in zip(
        found([latents, IMAGES]), gan([latents, IMAGES]), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_outputs_by_name_stay_so(networks):
    ada = AdaptiveAugment()
    _, discriminator = networks()
    x = keras.Input(IMAGES.shape[1:])
    critic = augmented(discriminator, ada)
    model = keras.Model(x, {"b": critic(x), "a": critic(-x)})
    found = ada.watch(model, real="b", fake="a")
    expected = model(IMAGES)
    assert set(found.output) == {"a", "b"}
    for name, y in found(IMAGES).items():
        np.testing.assert_array_equal(y, expected[name])


def test_it_is_the_real_scores_that_move_the_probability(base):
    ada = AdaptiveAugment(interval=1, speed=8)
    gan = ada.watch(base(ada, kernel="ones"))
    # Real images of ones have the score 90, generated ones are about 0.
    latents = np.zeros((4, 2), "float32")
    gan([latents, np.ones_like(IMAGES)], training=True)
    assert (float(ada.overfitting), float(ada.p)) == (1.0, 0.5)
    ada.p.assign(0.0)
    gan([latents, -np.ones_like(IMAGES)], training=True)
    assert (float(ada.overfitting), float(ada.p)) == (-1.0, 0.0)


def test_with_generated_scores_it_is_the_differences(base):
    ada = AdaptiveAugment(interval=1, speed=8)
    # All scores are about 1000, those of real images a little higher.
    gan = ada.watch(base(ada, kernel="ones", bias=1e3), fake="yfake")
    latents = np.zeros((4, 2), "float32")
    for level, r in ((0.1, 1.0), (-0.1, -1.0)):
        ada.p.assign(0.0)
        gan([latents, np.full_like(IMAGES, level)], training=True)
        assert float(ada.overfitting) == r


def test_a_model_alone_is_watched_too(networks):
    ada = AdaptiveAugment(interval=1, speed=8)
    _, discriminator = networks()
    critic = augmented(discriminator, ada)
    found = ada.watch(critic, real="discriminator")
    assert found.output_names == ["discriminator"]


def test_an_unknown_output_gets_the_nearest_spelling(base):
    ada = AdaptiveAugment()
    gan = base(ada)
    with pytest.raises(ValueError, match="did you mean 'yreal'"):
        ada.watch(gan, real="y_real")
    with pytest.raises(ValueError, match=r"watch\(fake=...\)"):
        ada.watch(gan, fake="fake")


def test_the_augmentation_must_be_in_the_model(base):
    ada = AdaptiveAugment(name="ada")
    with pytest.raises(ValueError, match="'ada' must be inside the model"):
        ada.watch(base(AdaptiveAugment()))


def test_what_is_no_graph_is_refused():
    with pytest.raises(ValueError, match="graph of layers") as error:
        AdaptiveAugment().watch(keras.Sequential([keras.layers.Dense(1)]))
    assert "observe=True" in str(error.value)
