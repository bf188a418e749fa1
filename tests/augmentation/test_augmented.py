import keras
import numpy as np
import pytest

from adversarial.augmentation import DiffAugment, augmented
from adversarial.augmentation.augmented import new_inputs

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (4, 6, 5, 3)).astype("float32")
LABELS = np.array([0, 2, 1, 0], "int32")


@keras.saving.register_keras_serializable(package=__name__)
class Negative(keras.layers.Layer):
    def call(self, inputs):
        return -inputs


def conditional(structure=list):
    image = keras.Input((6, 5, 3), name="image")
    label = keras.Input((), dtype="int32", name="label")
    mean = keras.layers.GlobalAveragePooling2D()(image)
    code = keras.layers.Embedding(3, 3)(label)
    score = keras.layers.Dense(1)(mean + code)
    inputs = structure([image, label])
    return keras.Model(inputs, score, name="judge")


def test_the_discriminator_sees_what_the_augmentation_makes(networks):
    _, discriminator = networks()
    critic = augmented(discriminator, Negative())
    np.testing.assert_array_equal(critic(IMAGES), discriminator(-IMAGES))
    assert critic.name == "augmented_discriminator"
    assert critic.layers[-1] is discriminator
    assert critic.output_shape == discriminator.output_shape


def test_training_mode_reaches_the_augmentation(networks):
    _, discriminator = networks()
    critic = augmented(discriminator, DiffAugment(seed=1))
    np.testing.assert_array_equal(critic(IMAGES), discriminator(IMAGES))
    seen = DiffAugment(seed=1)(IMAGES, training=True)
    found = critic(IMAGES, training=True)
    np.testing.assert_array_equal(found, discriminator(seen))


def test_several_augmentations_are_a_model(networks):
    _, discriminator = networks()
    twice = keras.Sequential([Negative(), Negative()])
    critic = augmented(discriminator, twice)
    np.testing.assert_array_equal(critic(IMAGES), discriminator(IMAGES))


@pytest.mark.parametrize(
    "structure",
    [list, lambda pair: {"image": pair[0], "label": pair[1]}],
    ids=["list", "dict"],
)
def test_labels_pass_as_they_are(structure):
    judge = conditional(structure=structure)
    critic = augmented(judge, Negative())
    found = critic(structure([IMAGES, LABELS]))
    expected = judge(structure([-IMAGES, LABELS]))
    np.testing.assert_array_equal(found, expected)
    assert [x.name for x in critic.inputs] == [x.name for x in judge.inputs]
    assert type(critic.input) is type(judge.input)


def test_outputs_keep_their_structure():
    x = keras.Input((6, 5, 3))
    outputs = {"a": keras.layers.Flatten()(x), "b": x}
    critic = augmented(keras.Model(x, outputs), Negative())
    assert set(critic.output) == {"a", "b"}
    assert critic(IMAGES)["b"].shape == IMAGES.shape


def test_one_of_two_inputs_of_images_is_named():
    pair = [keras.Input((6, 5, 3), name=name) for name in ("given", "made")]
    judge = keras.Model(pair, pair[0] * 2 + pair[1], name="judge")
    with pytest.raises(ValueError, match="one input of images") as error:
        augmented(judge, Negative())
    assert "'given' of rank 4, 'made' of rank 4" in str(error.value)
    assert 'images="given"' in str(error.value)
    critic = augmented(judge, Negative(), images="made")
    np.testing.assert_allclose(critic([IMAGES, IMAGES]), IMAGES, atol=1e-6)
    with pytest.raises(ValueError, match="did you mean 'made'"):
        augmented(judge, Negative(), images="mode")


def test_what_has_no_images_is_refused():
    dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="Expected: one input of rank 4"):
        augmented(dense, Negative())


def test_what_is_no_graph_is_refused():
    for wrong in (keras.Sequential([keras.layers.Dense(1)]), None):
        with pytest.raises(ValueError, match="built graph of layers"):
            augmented(wrong, Negative())


def test_what_is_no_layer_is_refused(networks):
    _, discriminator = networks()
    with pytest.raises(TypeError, match=r"Fix: write `Negative\(\)`"):
        augmented(discriminator, Negative)
    with pytest.raises(TypeError, match="must be a layer"):
        augmented(discriminator, lambda x: x)


def test_new_inputs_are_alike():
    judge = conditional(
        structure=lambda pair: {"image": pair[0], "label": pair[1]}
    )
    found = new_inputs(judge)
    assert set(found) == {"image", "label"}
    assert (found["label"].dtype, found["label"].name) == ("int32", "label")
    assert found["image"].shape == (None, 6, 5, 3)
    assert found["image"] is not judge.input["image"]
