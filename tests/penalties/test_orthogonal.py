import keras
import numpy as np
import pytest
from engines import slopes, tensor

import adversarial
from adversarial.penalties import OrthogonalRegularizer

RNG = np.random.default_rng(6)
STEP = 1e-6
"""Of central differences in float64."""
FLOAT32 = 1e-5
"""Relative; sums of tens of float32 numbers."""


def matrix_of(kernel, axis=-1):
    kernel = np.moveaxis(np.asarray(kernel, "float64"), axis, -1)
    return kernel.reshape(-1, kernel.shape[-1])


def formula(kernel, strength, diagonal=False, axis=-1):
    """Pair by pair, in loops."""
    columns, total = matrix_of(kernel, axis).T, 0.0
    for i, a in enumerate(columns):
        for j, b in enumerate(columns):
            if i != j:
                total += (a @ b) ** 2
            elif diagonal:
                total += (a @ a - 1) ** 2
    return strength * total


CASES = [
    ((3, 4), -1),
    ((2, 3, 2, 4), -1),
    ((3, 2, 3), -1),
    ((2, 2, 3, 4), -2),
    ((5, 2), 0),
]


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize(("shape", "axis"), CASES, ids=str)
def test_values_and_gradients_are_those_of_the_formula(shape, axis, diagonal):
    kernel = RNG.normal(size=shape)
    regularizer = OrthogonalRegularizer(0.3, diagonal=diagonal, axis=axis)
    found = regularizer(tensor(kernel))
    (slope,) = slopes(regularizer, kernel)
    arguments = (0.3, diagonal, axis)
    assert float(found) == pytest.approx(formula(kernel, *arguments), rel=1e-12)
    expected = np.zeros(shape)
    for index in np.ndindex(shape):
        ends = []
        for sign in (1, -1):
            moved = kernel.copy()
            moved[index] += sign * STEP
            ends.append(formula(moved, *arguments))
        expected[index] = (ends[0] - ends[1]) / (2 * STEP)
    # Slopes of the order of 10.
    np.testing.assert_allclose(slope, expected, atol=1e-6)


def test_half_the_gradient_is_told_apart():
    """What the authors' code adds; the factor of the formula is 4."""
    kernel = RNG.normal(size=(4, 3))
    (slope,) = slopes(OrthogonalRegularizer(0.3), kernel)
    off = kernel.T @ kernel * (1 - np.eye(3))
    np.testing.assert_allclose(slope, 4 * 0.3 * kernel @ off, rtol=1e-10)
    assert np.abs(slope - 2 * 0.3 * kernel @ off).max() > 0.1


def test_rows_in_place_of_columns_are_told_apart():
    kernel = RNG.normal(size=(3, 2, 4))
    found = float(OrthogonalRegularizer(1.0)(kernel))
    assert abs(found - formula(matrix_of(kernel).T, 1.0)) > 0.1
    # Channels as rows of a reshaped kernel, which Keras' layout forbids.
    assert abs(found - formula(kernel.reshape(4, -1).T, 1.0)) > 0.1


def test_orthogonal_columns_cost_nothing_whatever_their_length():
    columns = np.linalg.qr(RNG.normal(size=(6, 3)))[0]
    scaled = columns * [1.0, 2.0, 0.5]
    assert float(OrthogonalRegularizer(1.0)(scaled)) < 1e-24
    unit = OrthogonalRegularizer(1.0, diagonal=True)
    assert float(unit(columns)) < 1e-24
    assert float(unit(scaled)) == pytest.approx(3.0**2 + 0.75**2)


def test_that_of_keras_is_another():
    kernel = np.array([[1.0, 3.0], [2.0, 0.0]], "float32")
    keras_form = keras.regularizers.OrthogonalRegularizer(1.0, mode="columns")
    cosine = 3.0 / (np.sqrt(5.0) * 3.0)
    found = float(keras_form(tensor(kernel)))
    assert found == pytest.approx(cosine, rel=1e-5)
    assert float(OrthogonalRegularizer(1.0)(kernel)) == 2 * 3.0**2
    with pytest.raises(ValueError, match="rank 2"):
        keras_form(np.ones((2, 2, 2), "float32"))


def gan(strength):
    keras.utils.set_random_seed(3)
    layers = keras.layers
    regularizer = OrthogonalRegularizer(strength) if strength else None
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(6)], name="generator"
    )
    discriminator = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Reshape((6, 1)),
            layers.Conv1D(3, 2, kernel_regularizer=regularizer),
            layers.Flatten(),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    x = keras.Input((6,))
    outputs = {
        "yreal": discriminator(x),
        "yfake": discriminator(generator(x[:, :2])),
    }
    return adversarial.AdversarialModel(
        keras.Model(x, outputs),
        player_params={"generator": generator, "discriminator": discriminator},
    )


X = RNG.normal(size=(8, 6)).astype("float32")


def kernel_of(model):
    return model.players["discriminator"].variables[0].numpy()


def test_only_the_owner_has_the_term_when_trained_and_evaluated():
    plain, bound = gan(0.0), gan(0.5)
    for model in (plain, bound):
        model.compile("simultaneous", "sgd", "non_saturating")
    term = formula(kernel_of(bound), 0.5)
    assert term > 0.01
    for method in ("test_on_batch", "train_on_batch"):
        logs = []
        for model in (plain, bound):
            model.reset_metrics()
            logs.append(getattr(model, method)(X, return_dict=True))
        a, b = logs
        assert a["generator_loss"] == pytest.approx(b["generator_loss"])
        found = b["discriminator_loss"] - a["discriminator_loss"]
        assert found == pytest.approx(term, abs=FLOAT32)


def test_the_term_is_there_at_every_point_and_in_every_derivative(
    probe_strategy,
):
    """Losses, fields and gradients at a virtual point: differences of both."""

    def look(game):
        at = game.virtual_step(game.field())[0]
        at = at.map(lambda v: v + 0.1)
        losses = game.losses(at)
        field = game.field(at)
        slope = game.gradient(
            lambda theta: game.losses(theta)["discriminator"], at
        )
        other = game.gradient(lambda theta: game.losses(theta)["generator"], at)
        return {
            "points": at["discriminator"][:1],
            "losses": [losses["generator"], losses["discriminator"]],
            "own": field["discriminator"][:1],
            "generator": field["generator"],
            "slope": slope["discriminator"][:1],
            "cross": slope["generator"],
            "other": other["discriminator"][:1],
        }

    found = []
    for strength in (0.0, 0.5):
        model = gan(strength)
        strategy = probe_strategy(look)
        rates = [keras.optimizers.SGD(0.0) for _ in range(2)]
        model.compile(strategy, rates, "non_saturating", run_eagerly=True)
        model.train_on_batch(X)
        found.append(strategy.found)
    more = {
        name: [
            b - a for a, b in zip(found[0][name], found[1][name], strict=True)
        ]
        for name in found[0]
    }
    kernel = found[1]["points"][0]
    matrix = matrix_of(kernel)
    off = matrix.T @ matrix * (1 - np.eye(3))
    slope = (4 * 0.5 * matrix @ off).reshape(kernel.shape)
    zero = {"rtol": 0, "atol": 1e-5}
    np.testing.assert_allclose(more["points"][0], 0, **zero)
    np.testing.assert_allclose(
        more["losses"], [0, formula(kernel, 0.5)], **zero
    )
    for name in ("own", "slope"):
        np.testing.assert_allclose(more[name][0], slope, **zero)
    for name in ("generator", "cross", "other"):
        for block in more[name]:
            np.testing.assert_allclose(block, 0, **zero)


@pytest.mark.parametrize("strategy", ["alternating", "extra_gradient", "sos"])
def test_it_trains_and_is_saved_with_the_model(strategy, tmp_path):
    model = gan(0.5)
    model.compile(strategy, "sgd", "non_saturating")
    model.fit(X, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    expected = model.test_on_batch(X, return_dict=True)
    found = copy.test_on_batch(X, return_dict=True)
    assert found == pytest.approx(expected, rel=FLOAT32)
    (kernel, *_) = copy.players["discriminator"].variables
    assert kernel.regularizer.strength == 0.5


def test_strong_it_makes_the_filters_orthogonal():
    model = gan(20.0)
    rates = [keras.optimizers.SGD(0.0), keras.optimizers.Adam(0.02)]
    model.compile("simultaneous", rates, "non_saturating")
    before = formula(kernel_of(model), 1.0)
    for _ in range(150):
        model.train_on_batch(X)
    assert formula(kernel_of(model), 1.0) < 1e-2 * before


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_the_strength_must_be_a_number_of_at_least_zero(wrong):
    with pytest.raises(ValueError, match="`strength` is out of range"):
        OrthogonalRegularizer(wrong)


@pytest.mark.parametrize(("shape", "axis"), [((3,), -1), ((3, 2), 2)])
def test_what_is_no_kernel_is_refused(shape, axis):
    with pytest.raises(ValueError, match="two axes or more") as error:
        OrthogonalRegularizer(axis=axis)(np.ones(shape))
    assert "pass it as `kernel_regularizer`" in str(error.value)


def test_it_is_remade_from_its_config():
    regularizer = OrthogonalRegularizer(0.3, diagonal=True, axis=-2)
    layer = keras.layers.Conv2DTranspose(2, 3, kernel_regularizer=regularizer)
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config).kernel_regularizer
    assert type(copy) is OrthogonalRegularizer
    assert copy.get_config() == regularizer.get_config()
