import keras
import numpy as np
import pytest
from engines import compiled, without

from adversarial.metrics import FrechetDistance, extractor

X = np.random.default_rng(0).normal(size=(40, 3))


@pytest.fixture
def model():
    return keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, activation="tanh")]
    )


def measured(metric):
    metric.update_state(X, X + 0.5)
    return metric.result()


def remade(metric):
    config = keras.saving.serialize_keras_object(metric)
    return keras.saving.deserialize_keras_object(config)


def test_features_are_what_the_model_returns(model):
    y = [model.predict(x, verbose=0) for x in (X, X + 0.5)]
    direct = FrechetDistance()
    direct.update_state(*y)
    assert measured(FrechetDistance(model)) == pytest.approx(
        direct.result(), rel=1e-5
    )


def test_a_model_is_saved_with_its_weights(model):
    metric = FrechetDistance(model)
    keras.utils.set_random_seed(17)  # Fresh weights would be others.
    assert measured(remade(metric)) == measured(metric)


def test_a_path_is_loaded_and_saved_as_a_path(model, tmp_path):
    path = tmp_path / "extractor.keras"
    model.save(path)
    metric = FrechetDistance(path)
    assert metric.get_config()["extractor"] == str(path)
    expected = measured(FrechetDistance(model))
    assert measured(metric) == measured(remade(metric)) == expected


def test_a_file_that_runs_code_is_not_loaded(tmp_path):
    path = tmp_path / "extractor.keras"
    keras.Sequential(
        [keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)]
    ).save(path)
    with pytest.raises(ValueError, match=r"unsafe|safe_mode"):
        FrechetDistance(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`\.keras` file"):
        FrechetDistance(tmp_path / "model.weights.h5")


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="of type `int`"):
        FrechetDistance(3)


def test_a_registered_function_comes_back(registered):
    metric = FrechetDistance(registered)
    again = remade(metric)
    assert again.extractor is registered
    assert measured(again) == measured(metric)


def test_a_function_that_is_not_registered_works_but_cannot_be_saved():
    metric = FrechetDistance(lambda x: 2 * x)
    assert measured(metric) == pytest.approx(4 * measured(FrechetDistance()))
    with pytest.raises(ValueError, match="register_keras_serializable"):
        metric.get_config()


def test_a_layer_with_weights_must_be_in_a_model_to_be_saved(model):
    with pytest.raises(ValueError, match=r"keras\.Sequential"):
        FrechetDistance(model.layers[0]).get_config()
    metric = FrechetDistance(keras.layers.Flatten())
    assert measured(remade(metric)) == measured(metric)


@without("torch", "nothing is compiled")
def test_a_function_of_numpy_says_why_it_cannot_be_compiled(model):
    metric = FrechetDistance(lambda x: np.tanh(np.asarray(x)))
    assert measured(metric) > 0
    metric.reset_state()
    model.compile(loss="mse", metrics=[metric])
    with pytest.raises(ValueError, match=r"keras\.ops"):
        model.evaluate(X, X[:, :2], verbose=0)


def test_an_error_of_the_extractor_itself_is_not_explained_away():
    def missing(x):
        raise NotImplementedError("mine")

    with pytest.raises(NotImplementedError, match="mine"):
        FrechetDistance(missing).update_fake(X)


def test_half_precision_features_are_kept_in_float64():
    half = FrechetDistance(lambda x: keras.ops.cast(x, "float16"))
    full = FrechetDistance()
    rounded = X.astype("float16").astype("float64")
    half.update_state(X, X)
    full.update_state(rounded, X)
    np.testing.assert_allclose(
        half._real.read()[1], full._real.read()[1], rtol=1e-12
    )


@without("torch", "all values are there")
def test_concrete_sees_values_only_where_there_are_any():
    assert extractor.concrete(keras.ops.ones(3)).tolist() == [1, 1, 1]
    seen = []
    traced = compiled(lambda x: seen.append(extractor.concrete(x)))
    traced(keras.ops.ones(2))
    assert seen == [None]
