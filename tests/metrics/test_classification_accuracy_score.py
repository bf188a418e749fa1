import keras
import numpy as np
import pytest
from engines import learning

from adversarial.metrics import classification_accuracy_score

RNG = np.random.default_rng(0)
CENTRES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])


@pytest.fixture(autouse=True)
def values_only():
    """Keras itself trains here."""
    with learning():
        yield


def data(n=60, seed=0, centres=CENTRES):
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    return centres[y] + rng.normal(size=(n, 2)), y


class NearestMean:
    """A classifier whose accuracy can be counted by hand."""

    def fit(self, x, y, shrink=1.0):
        self.means = np.array([x[y == c].mean(axis=0) for c in range(3)])
        self.means = self.means * shrink

    def predict(self, x):
        return np.argmin(
            np.sum((x[:, None] - self.means) ** 2, axis=-1), axis=1
        )

    def score(self, x, y):
        return np.mean(self.predict(x) == y)


def keras_classifier():
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, kernel_initializer="zeros")]
    )
    model.compile(
        keras.optimizers.SGD(0.5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def test_it_is_the_accuracy_of_who_saw_generated_samples_only():
    fake, real = data(seed=1), data(seed=2)
    judge = NearestMean()
    judge.fit(*fake)
    expected = np.mean(judge.predict(real[0]) == real[1])
    found = classification_accuracy_score(NearestMean, fake, real)
    assert found == expected
    assert type(found) is float


def test_mixed_up_classes_are_found():
    (x, y), real = data(seed=1), data(seed=2)
    good = classification_accuracy_score(NearestMean, (x, y), real)
    mixed = classification_accuracy_score(NearestMean, (x, (y + 1) % 3), real)
    assert good > 0.9
    assert mixed < 0.1


def test_a_function_generates_a_sample_for_each_label():
    asked = []

    def generate(labels):
        asked.append(labels)
        return CENTRES[labels] + np.random.default_rng(3).normal(
            size=(len(labels), 2)
        )

    labels = data(seed=4)[1]
    found = classification_accuracy_score(
        NearestMean, generate, data(), labels=labels
    )
    assert found > 0.9
    np.testing.assert_array_equal(asked, [labels])


def test_estimators_of_scikit_learn_work_as_class_and_as_object():
    linear = pytest.importorskip("sklearn.linear_model")
    fake, real = data(seed=1), data(seed=2)
    judge = linear.LogisticRegression().fit(*fake)
    expected = judge.score(*real)
    for given in (linear.LogisticRegression, linear.LogisticRegression()):
        assert classification_accuracy_score(given, fake, real) == expected


def test_keras_models_are_trained_and_counted():
    fake, real = data(seed=1), data(seed=2)
    kept = []

    def fresh():
        kept.append(keras_classifier())
        return kept[0]

    found = classification_accuracy_score(
        fresh, fake, real, fit={"epochs": 20, "batch_size": 16}
    )
    predicted = kept[0].predict(real[0], verbose=0).argmax(axis=1)
    assert found == np.mean(predicted == real[1])
    assert found > 0.9


def test_arguments_reach_fit():
    with pytest.raises(TypeError, match="epochs"):
        classification_accuracy_score(
            NearestMean, data(), data(), fit={"epochs": 3}
        )
    found = classification_accuracy_score(
        NearestMean, data(), data(), fit={"shrink": -1.0}
    )
    assert found < 0.5


def test_a_trained_keras_model_is_refused():
    model = keras_classifier()
    model.fit(*data(), verbose=0)
    with pytest.raises(ValueError, match="has been trained"):
        classification_accuracy_score(model, data(), data())


def test_a_keras_model_must_be_compiled():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="is not compiled"):
        classification_accuracy_score(model, data(), data())


def test_keras_scores_must_have_classes():
    def one_output():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile(loss="mse")
        return model

    with pytest.raises(ValueError, match=r"\(60, 1\)"):
        classification_accuracy_score(one_output, data(), data())


def test_a_regressor_is_refused():
    class Regressor(NearestMean):
        def score(self, x, y):
            return -0.3

    with pytest.raises(ValueError, match="not a regressor"):
        classification_accuracy_score(Regressor, data(), data())


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(TypeError, match="without `fit`"):
        classification_accuracy_score(lambda: 3, data(), data())


def test_labels_are_for_functions_and_functions_need_them():
    with pytest.raises(ValueError, match="without `labels`"):
        classification_accuracy_score(NearestMean, lambda y: y, data())
    with pytest.raises(ValueError, match="have their own"):
        classification_accuracy_score(
            NearestMean, data(), data(), labels=[0, 1]
        )


@pytest.mark.parametrize("which", ["generated", "real"])
def test_samples_and_labels_must_be_as_many(which):
    x, y = data()
    odd = {"generated": data(), "real": data(), which: (x, y[:5])}
    with pytest.raises(ValueError, match=f"each {which} sample"):
        classification_accuracy_score(
            NearestMean, odd["generated"], odd["real"]
        )
