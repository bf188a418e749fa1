import keras
import numpy as np
import pytest
from engines import JITS

from adversarial.metrics import ModeCoverage, StackedClassifier
from adversarial.metrics.stacked_classifier import classes_of

DIGITS = np.random.default_rng(0).integers(10, size=(500, 3))


def stacked(digits):
    """Images whose channels are as bright as their digits."""
    return digits[:, None, None, :] * np.ones((1, 4, 4, 1))


@keras.saving.register_keras_serializable("tests_stacked")
def brightness(images):
    return keras.ops.cast(keras.ops.mean(images, axis=(1, 2, 3)), "int32")


@keras.saving.register_keras_serializable("tests_stacked")
def scores(images):
    level = keras.ops.mean(images, axis=(1, 2))
    return -keras.ops.abs(level - keras.ops.arange(10, dtype=level.dtype))


@pytest.mark.parametrize("classifier", [brightness, scores])
def test_the_digits_of_the_channels_make_a_number(classifier):
    found = StackedClassifier(classifier, 10)(stacked(DIGITS))
    np.testing.assert_array_equal(found, DIGITS @ [100, 10, 1])


def test_stacked_digits_have_a_thousand_modes():
    metric = ModeCoverage(StackedClassifier(scores, 10), modes=1000)
    for part in np.split(stacked(DIGITS), 5):
        metric.update_fake(part)
    numbers = DIGITS @ [100, 10, 1]
    h = np.bincount(numbers, minlength=1000) / 500
    h = h[h > 0]
    assert metric.result() == pytest.approx(
        {
            "modes_covered": len(np.unique(numbers)),
            "kl_divergence": np.sum(h * np.log(h * 1000)),
        }
    )


@pytest.mark.parametrize("jit_compile", JITS)
def test_it_runs_in_compiled_functions(jit_compile):
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Rescaling(1)]
    )
    metric = ModeCoverage(
        StackedClassifier(scores, 10), modes=1000, reference="real"
    )
    model.compile(loss="mse", metrics=[metric], jit_compile=jit_compile)
    images = stacked(DIGITS[:20])
    logs = model.evaluate(images, images, verbose=0, return_dict=True)
    assert logs["modes_covered"] == len(np.unique(DIGITS[:20], axis=0))
    assert logs["kl_divergence"] == 0.0


def test_one_bad_channel_spoils_the_image():
    def some_nan(images):
        return np.where(images.mean(axis=(1, 2)) == 3, np.nan, np.eye(10)[:1])

    images = stacked(np.array([[0, 1, 2], [0, 3, 1], [3, 0, 0]]))
    found = StackedClassifier(some_nan, 10)(images)
    np.testing.assert_array_equal(found, [0, -1, -1])


def test_digits_out_of_range_spoil_the_image():
    images = stacked(np.array([[0, 1, 2], [0, 12, 0], [0, 0, -1]]))
    found = StackedClassifier(brightness, 10)(images)
    np.testing.assert_array_equal(found, [12, -1, -1])


@pytest.mark.parametrize("classifier", [brightness, "model"])
def test_it_comes_back_from_its_configuration(classifier):
    if classifier == "model":
        layers = keras.layers
        classifier = keras.Sequential(
            [keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(10)]
        )
    metric = ModeCoverage(StackedClassifier(classifier, 10), modes=1000)
    config = keras.saving.serialize_keras_object(metric)
    again = keras.saving.deserialize_keras_object(config)
    for each in (metric, again):
        each.update_fake(stacked(DIGITS[:50]).astype("float32"))
    assert again.result() == metric.result()
    assert metric.result()["modes_covered"] > 1


def test_a_classifier_with_other_scores_is_refused():
    with pytest.raises(ValueError, match=r"\(batch, 7\)(.|\n)*10"):
        StackedClassifier(scores, 7)(stacked(DIGITS))


def test_images_without_channels_are_refused():
    with pytest.raises(ValueError, match="channels last"):
        StackedClassifier(scores, 10)(np.zeros((5, 28, 28)))


def test_two_classes_at_least_are_needed():
    with pytest.raises(ValueError, match="`classes`"):
        StackedClassifier(scores, 1)


@pytest.mark.parametrize(
    "bad", [np.ones(3), np.ones((3, 1)), np.ones((3, 2, 2))]
)
def test_what_does_not_name_a_class_is_refused(bad):
    with pytest.raises(ValueError, match="to which class"):
        classes_of(bad)
