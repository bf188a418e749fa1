import keras
import numpy as np
import pytest
from keras import ops

from adversarial.objective import Objective, check_shapes

RNG = np.random.default_rng(0)
Y, Z, TRUE, OTHER = (
    RNG.uniform(size=(6, 1)).astype("float32") for _ in range(4)
)
WEIGHTS = np.arange(6.0, dtype="float32")
FLOAT32 = 1e-6
"""Relative; means of six float32 numbers."""


def mse(a, b, w=1.0):
    """Keras' mean: weights multiply, the number of samples divides."""
    return float(np.mean(np.reshape(w, (-1, 1)) * (a - b) ** 2))


def tensors(*arrays):
    return [ops.convert_to_tensor(a) for a in arrays]


def objective(*outputs, **kwargs):
    return Objective("p", list(outputs), **kwargs)


def logs(objective):
    return {name: float(x) for name, x in objective.results().items()}


def assert_logs(objective, expected):
    got = logs(objective)
    assert list(got) == list(expected)
    np.testing.assert_allclose(
        list(got.values()), list(expected.values()), rtol=FLOAT32
    )


def test_one_output_has_one_loss():
    one = objective("y", loss=["mse"])
    loss = one.loss_of(tensors(TRUE), tensors(Y), None)
    np.testing.assert_allclose(loss, mse(TRUE, Y), rtol=FLOAT32)


@pytest.mark.parametrize(
    ("losses", "weights", "expected"),
    [
        (["mse", "mse"], None, mse(TRUE, Y) + mse(OTHER, Z)),
        (["mse", None], None, mse(TRUE, Y)),
        ([None, "mse"], [None, 3.0], 3 * mse(OTHER, Z)),
        (["mse", "mse"], [2.0, 0.5], 2 * mse(TRUE, Y) + 0.5 * mse(OTHER, Z)),
        (["mse", "mse"], [2.0, None], 2 * mse(TRUE, Y) + mse(OTHER, Z)),
    ],
)
def test_the_losses_of_the_outputs_add_up(losses, weights, expected):
    two = objective("y", "z", loss=losses, loss_weights=weights)
    loss = two.loss_of(tensors(TRUE, OTHER), tensors(Y, Z), None)
    np.testing.assert_allclose(loss, expected, rtol=FLOAT32)


def test_a_single_loss_can_be_weighted():
    one = objective("y", loss=["mse"], loss_weights=[0.25])
    loss = one.loss_of(tensors(TRUE), tensors(Y), None)
    np.testing.assert_allclose(loss, 0.25 * mse(TRUE, Y), rtol=FLOAT32)


def test_samples_can_be_weighted_output_by_output():
    two = objective("y", "z", loss=["mse", "mse"])
    weights = [ops.convert_to_tensor(WEIGHTS), None]
    loss = two.loss_of(tensors(TRUE, OTHER), tensors(Y, Z), weights)
    expected = mse(TRUE, Y, WEIGHTS) + mse(OTHER, Z)
    np.testing.assert_allclose(loss, expected, rtol=FLOAT32)


def test_the_logs_of_one_output_carry_the_players_name():
    one = objective("y", loss=["mse"], metrics=[["mae"]])
    one.update(tensors(TRUE), tensors(Y), None, loss=ops.convert_to_tensor(0.5))
    assert_logs(one, {"p_loss": 0.5, "p_mae": np.mean(np.abs(TRUE - Y))})


def test_the_logs_of_several_outputs_carry_their_names():
    two = objective("y", "z", loss=["mse", "mse"], metrics=[[], ["mae"]])
    targets, outputs = tensors(TRUE, OTHER), tensors(Y, Z)
    two.update(targets, outputs, None, loss=ops.convert_to_tensor(0.5))
    assert_logs(
        two,
        {
            "p_loss": 0.5,
            "p_z_mae": np.mean(np.abs(OTHER - Z)),
            "p_y_loss": mse(TRUE, Y),
            "p_z_loss": mse(OTHER, Z),
        },
    )


def test_weighted_metrics_see_the_sample_weights_and_metrics_do_not():
    one = objective(
        "y",
        loss=["mse"],
        metrics=[[keras.metrics.MeanSquaredError(name="plain")]],
        weighted_metrics=[[keras.metrics.MeanSquaredError(name="weighted")]],
    )
    weights = tensors(WEIGHTS)
    one.update(tensors(TRUE), tensors(Y), weights, loss=ops.zeros(()))
    got = logs(one)
    np.testing.assert_allclose(got["p_plain"], mse(TRUE, Y), rtol=FLOAT32)
    expected = mse(TRUE, Y, WEIGHTS) / np.mean(WEIGHTS)
    np.testing.assert_allclose(got["p_weighted"], expected, rtol=FLOAT32)


def test_logs_are_means_over_the_samples_of_all_batches():
    two = objective("y", "z", loss=["mse", "mse"])
    for part, loss in ((slice(0, 4), 1.0), (slice(4, 6), 4.0)):
        targets = tensors(TRUE[part], OTHER[part])
        outputs = tensors(Y[part], Z[part])
        two.update(targets, outputs, None, loss=ops.convert_to_tensor(loss))
    assert_logs(
        two,
        {
            "p_loss": (4 * 1.0 + 2 * 4.0) / 6,
            "p_y_loss": mse(TRUE, Y),
            "p_z_loss": mse(OTHER, Z),
        },
    )


def test_a_loss_from_elsewhere_is_logged_without_targets():
    none = objective("y", "z")
    assert not none.reads_loss
    assert not none.reads_metrics
    none.prepare(None, tensors(Y, Z), None)
    none.update(None, tensors(Y, Z), None, loss=ops.convert_to_tensor(2.0))
    assert logs(none) == {"p_loss": 2.0}


def test_metrics_can_be_read_without_a_loss():
    one = objective("y", metrics=[["mae"]])
    assert one.reads_metrics
    one.prepare(tensors(TRUE), tensors(Y), None)
    one.update(tensors(TRUE), tensors(Y), None, loss=ops.convert_to_tensor(2.0))
    assert_logs(one, {"p_loss": 2.0, "p_mae": np.mean(np.abs(TRUE - Y))})


def test_preparing_makes_all_variables_and_leaves_no_trace_in_the_logs():
    two = objective("y", "z", loss=["mse", "mse"], metrics=[["mae"], []])
    two.prepare(tensors(TRUE, OTHER), tensors(Y, Z), None)
    assert two.ready
    names = ["p_loss", "p_y_mae", "p_y_loss", "p_z_loss"]
    assert logs(two) == dict.fromkeys(names, 0.0)
    made = {id(v) for metric in two.metrics for v in metric.variables}
    two.update(tensors(TRUE, OTHER), tensors(Y, Z), None, loss=ops.zeros(()))
    assert {id(v) for m in two.metrics for v in m.variables} == made


def test_a_sum_of_losses_in_a_stateless_scope_leaves_the_logs_alone():
    two = objective("y", "z", loss=["mse", "mse"])
    two.prepare(tensors(TRUE, OTHER), tensors(Y, Z), None)
    with keras.StatelessScope():
        two.loss_of(tensors(TRUE, OTHER), tensors(Y, Z), None)
    assert logs(two)["p_y_loss"] == 0.0


def test_loss_weights_without_losses_are_refused():
    with pytest.raises(ValueError, match="`loss_weights` must weigh") as error:
        objective("y", loss_weights=[2.0])
    assert "for player 'p'" in str(error.value)
    assert "leave `loss_weights` out" in str(error.value)


def checked(loss, target, output):
    check_shapes(["p_y"], [loss], [np.zeros(target)], [np.zeros(output)])


@pytest.mark.parametrize(
    ("loss", "target", "output"),
    [
        ("mse", (8, 2), (8, 1)),
        ("mse", (8, 1), (8, 2)),
        ("mse", (8, 2), (8, 3)),
        ("mse", (8,), (8, 2)),
        ("mse", (8, 1), (8, 4, 4, 1)),
        ("mse", (), (8, 1)),
        ("MeanSquaredError", (8, 2), (8, 1)),
        (keras.losses.MeanSquaredError(), (8, 2), (8, 1)),
        (keras.losses.MeanSquaredError, (8, 2), (8, 1)),
        (keras.losses.mean_squared_error, (8, 2), (8, 1)),
        ("binary_crossentropy", (8, 2), (8, 1)),
        ("sparse_categorical_crossentropy", (8, 3), (8, 3)),
        (keras.losses.SparseCategoricalCrossentropy(), (8, 2), (8, 3)),
    ],
)
def test_a_target_of_a_wrong_shape_is_refused(loss, target, output):
    with pytest.raises(
        ValueError, match="The target 'p_y' must have the shape"
    ):
        checked(loss, target, output)


@pytest.mark.parametrize(
    ("loss", "target", "output"),
    [
        ("mse", (8, 2), (8, 2)),
        ("mse", (8,), (8, 1)),
        ("mse", (8, 1), (8,)),
        ("mse", (8, 4, 4), (8, 4, 4, 1)),
        ("sparse_categorical_crossentropy", (8,), (8, 3)),
        ("sparse_categorical_crossentropy", (8, 1), (8, 3)),
        ("SparseCategoricalCrossentropy", (8, 5), (8, 5, 3)),
        (keras.losses.SparseCategoricalCrossentropy(), (8, 5, 1), (8, 5, 3)),
        ("ctc", (8, 7), (8, 20, 5)),
        (keras.losses.Circle(), (8,), (8, 5)),
        ("ce", (8,), (8, 3)),
        (lambda y, y_pred: y_pred, (8, 2), (8, 1)),
        (None, (8, 2), (8, 1)),
    ],
)
def test_a_target_that_fits_its_loss_is_taken(loss, target, output):
    checked(loss, target, output)


def test_every_loss_of_keras_is_judged_by_what_its_docs_ask_for():
    """Refused by mistake, a loss could not be used at all."""
    functions = {
        name
        for name, value in vars(keras.losses).items()
        if callable(value) and name.islower()
    } - {"get", "serialize", "deserialize"}
    sparse = {
        "sparse_categorical_crossentropy",
        "categorical_generalized_cross_entropy",
    }
    for name in functions - {"ctc", "circle"}:
        checked(name, (8,) if name in sparse else (8, 3), (8, 3))


def test_unknown_sizes_fit_anything():
    x = keras.Input((None, 3))
    check_shapes(["p_y"], ["mse"], [keras.Input((7, 3))], [x])
    with pytest.raises(ValueError, match=r"Expected: \(batch, \?, 3\)"):
        check_shapes(["p_y"], ["mse"], [keras.Input((7, 2))], [x])


@pytest.mark.parametrize(
    ("target", "received"),
    [((8, 2), "(batch, 2)"), ((8,), "(batch,)"), ((), "a scalar")],
)
def test_shapes_are_written_with_the_batch(target, received):
    with pytest.raises(ValueError) as error:
        checked("mse", target, (8, 3))
    assert "Expected: (batch, 3).\n" in str(error.value)
    assert str(error.value).endswith(f"Received: {received}.")


def test_wrong_shapes_are_refused_before_anything_is_made():
    one = objective("y", loss=["mse"])
    wrong = tensors(np.zeros((6, 2), "float32"))
    with pytest.raises(ValueError, match="The target 'p_y'"):
        one.prepare(wrong, tensors(Y), None)
    with pytest.raises(ValueError, match="The target 'p_y'"):
        one.loss_of(wrong, tensors(Y), None)
    assert not one.ready
