import keras
import numpy as np
import pytest

from adversarial.metrics import ClassifierScore, inception_extractor

IMAGES = np.random.default_rng(0).uniform(0, 255, size=(2, 32, 40, 3))


@pytest.fixture
def small(monkeypatch):
    """A network in place of Inception, which takes seconds to build."""
    asked = []

    def network(**kwargs):
        asked.append(kwargs)
        images = keras.Input(kwargs["input_shape"])
        pooled = keras.layers.GlobalAveragePooling2D()(images)
        return keras.Model(images, pooled)

    monkeypatch.setattr(keras.applications, "InceptionV3", network)
    return asked


def test_the_network_itself_returns_2048_features_and_loads_a_file(tmp_path):
    network = inception_extractor(None)
    assert network.output_shape == (None, 2048)
    path = tmp_path / "inception.weights.h5"
    network.get_layer("inception_v3").save_weights(path)
    keras.utils.set_random_seed(5)
    again = inception_extractor(path)
    for mine, loaded in zip(network.weights, again.weights, strict=True):
        np.testing.assert_array_equal(loaded, mine)


@pytest.mark.parametrize("low, high", [(0, 255), (-1, 1), (0, 1)])
def test_values_are_scaled_to_what_the_network_was_trained_on(small, low, high):
    extractor = inception_extractor(None, value_range=(low, high))
    images = np.stack(
        [np.full((8, 8, 3), value) for value in (low, high)]
    ).astype("float32")
    found = extractor.predict(images, verbose=0)
    np.testing.assert_allclose(found, [[-1] * 3, [1] * 3], atol=1e-6)


def test_nothing_is_downloaded_unless_asked(small):
    inception_extractor(None)
    inception_extractor("imagenet")
    assert [kwargs["weights"] for kwargs in small] == [None, "imagenet"]
    with pytest.raises(TypeError, match="weights"):
        inception_extractor()


def test_the_output_chooses_the_top(small):
    inception_extractor(None)
    inception_extractor(None, output="probabilities")
    assert [k["include_top"] for k in small] == [False, True]
    assert [k["pooling"] for k in small] == ["avg", None]


def test_images_are_smoothed_before_they_are_made_smaller(small):
    # A checkerboard of single pixels is grey, and stays so.
    board = np.indices((598, 598)).sum(axis=0) % 2 * 255.0
    images = np.repeat(board[None, ..., None], 3, axis=-1).astype("float32")
    network = inception_extractor(None)
    resized = keras.Model(network.input, network.layers[-2].output).predict(
        images, verbose=0
    )
    assert resized.shape == (1, 299, 299, 3)
    np.testing.assert_allclose(resized[0, 5:-5, 5:-5], 0, atol=1e-2)


def test_a_missing_file_and_an_unknown_output_are_refused(tmp_path):
    with pytest.raises(ValueError, match="that is there"):
        inception_extractor(tmp_path / "none.weights.h5")
    with pytest.raises(ValueError, match="did you mean 'features'"):
        inception_extractor(None, output="feature")
    with pytest.raises(ValueError, match="value_range"):
        inception_extractor(None, value_range=(1, 1))


def test_the_docstring_says_that_the_numbers_differ():
    text = " ".join(inception_extractor.__doc__.split())
    assert "not those of published" in text


def test_it_is_an_extractor_of_a_metric(small):
    metric = ClassifierScore(
        inception_extractor(None), from_logits=True, splits=1
    )
    metric.update_fake(IMAGES.astype("float32"))
    assert metric.result()["classifier_score"] >= 1.0
