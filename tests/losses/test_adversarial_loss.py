import re

import keras
import numpy as np
import pytest
from keras import ops

from adversarial import AdversarialModel, losses
from adversarial.losses.adversarial_loss import loss_of_game

PLAYERS = ["x", "y"]
RNG = np.random.default_rng(0)
A, B = (RNG.normal(size=(4, 1)).astype("float32") for _ in range(2))
IMAGES = RNG.normal(size=(4, 2, 3)).astype("float32")
W = np.array([0.0, 1.0, 2.0, 5.0], "float32")
FLOAT32 = 1e-6
"""Relative; means of a few float32 numbers."""


class Returns(losses.AdversarialLoss):
    """Returns what it was made with."""

    def __init__(self, value):
        self.value = value

    def call(self, outputs, targets=None):
        return self.value


@keras.saving.register_keras_serializable(package="test_adversarial_loss")
class Bilinear(losses.AdversarialLoss):
    """min_x max_y s xy."""

    def __init__(self, strength=1.0):
        self.strength = strength

    def call(self, outputs, targets=None):
        product = self.strength * outputs["x"] * outputs["y"]
        return {"x": product, "y": -product}

    def get_config(self):
        return {"strength": self.strength}


def read(value, sample_weight=None):
    found = Returns(value)(PLAYERS, None, None, sample_weight)
    return {name: float(loss) for name, loss in found.items()}


def refused(error, match, value, sample_weight=None):
    with pytest.raises(error, match=re.escape(match)) as caught:
        read(value, sample_weight)
    return str(caught.value)


@pytest.mark.parametrize(
    "value", [{"x": 1.0, "y": 2.0}, {"y": 2.0, "x": 1.0}, [1.0, 2.0], (1, 2)]
)
def test_losses_are_returned_by_name_or_in_the_players_order(value):
    found = read(value)
    assert list(found) == PLAYERS
    assert found == {"x": 1.0, "y": 2.0}


def test_the_mean_is_taken_of_losses_per_sample():
    found = read([A, IMAGES])
    np.testing.assert_allclose(found["x"], A.mean(), rtol=FLOAT32)
    np.testing.assert_allclose(found["y"], IMAGES.mean(), rtol=FLOAT32)


def test_sample_weights_multiply_losses_per_sample():
    found = read([A[:, 0], IMAGES], W)
    np.testing.assert_allclose(found["x"], (W * A[:, 0]).mean(), rtol=FLOAT32)
    expected = (W[:, None, None] * IMAGES).mean()
    np.testing.assert_allclose(found["y"], expected, rtol=FLOAT32)


def test_sample_weights_can_have_the_shape_of_the_loss():
    found = read([A, A], W[:, None])
    np.testing.assert_allclose(found["x"], (W * A[:, 0]).mean(), rtol=FLOAT32)


@pytest.mark.parametrize("loss", [1.0, A.mean()])
def test_a_loss_without_samples_cannot_be_weighted(loss):
    message = refused(
        ValueError, "`sample_weight` needs a loss per sample", [A, loss], W
    )
    assert "shape () for player 'y' from `Returns`" in message


@pytest.mark.parametrize(
    ("loss", "weight"),
    [(A[:, 0], W[:, None]), (A[:3], W), (A[:1], W), (IMAGES, W[:, None])],
)
def test_weights_that_would_broadcast_are_refused(loss, weight):
    message = refused(
        ValueError,
        "`sample_weight` needs a loss per sample",
        [loss, loss],
        weight,
    )
    assert f"begins with that of the weights, {weight.shape}" in message


def test_weights_per_target_are_refused():
    message = refused(
        ValueError, "`sample_weight` must be one array", [A, A], {"x_y": W}
    )
    assert "`Returns` is one loss for all targets" in message


@pytest.mark.parametrize(
    ("value", "received"),
    [
        ({"x": 1.0}, "Received: 'x'."),
        ({"x": 1.0, "z": 1.0}, "Received: 'x', 'z'."),
        ({"x": 1.0, "y": 1.0, "z": 1.0}, "Received: 'x', 'y', 'z'."),
        ([1.0], "Received: a list of 1."),
        ([1.0, 2.0, 3.0], "Received: a list of 3."),
        ({"x": 1.0, "y": None}, "Received: None for 'y'."),
        ([None, 1.0], "Received: None for 'x'."),
    ],
)
def test_a_missing_or_unknown_player_is_refused(value, received):
    message = refused(
        ValueError, "`Returns.call` must return one loss per player", value
    )
    assert "Expected: 'x', 'y'." in message
    assert received in message


@pytest.mark.parametrize("value", [None, 1.0, A])
def test_what_is_no_dict_or_list_is_refused(value):
    message = refused(
        TypeError, "`Returns.call` must return a dict or a list", value
    )
    assert f"`{type(value).__name__}`" in message


def test_a_loss_is_remade_from_its_config():
    remade = Bilinear.from_config(Bilinear(3.0).get_config())
    assert remade.strength == 3.0
    data = keras.saving.serialize_keras_object(Bilinear(2.0))
    assert keras.saving.deserialize_keras_object(data).strength == 2.0


def test_a_subclass_without_call_cannot_be_made():
    class Nothing(losses.AdversarialLoss):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Nothing()


class Recorder(losses.AdversarialLoss):
    """Remembers what it is called with."""

    def call(self, outputs, targets=None):
        self.outputs, self.targets = outputs, targets
        flat = keras.tree.flatten(outputs)
        return [flat[0] - flat[-1], flat[0] + flat[-1]]


def dense(name):
    return keras.layers.Dense(1, name=name, use_bias=False)


def compiled(loss, **networks):
    model = AdversarialModel(**networks)
    model.compile("simultaneous", "sgd", loss=loss, run_eagerly=True)
    return model


def base_of(pack):
    x = keras.Input((1,))
    layers = {name: dense(name) for name in PLAYERS}
    outputs = pack({name: layer(x) for name, layer in layers.items()})
    return {"base_model": keras.Model(x, outputs), "player_params": layers}


@pytest.mark.parametrize(
    "pack",
    [
        lambda ys: ys,
        lambda ys: list(ys.values()),
        lambda ys: ops.concatenate(list(ys.values())),
    ],
    ids=["dict", "list", "tensor"],
)
def test_the_loss_sees_what_the_base_model_returned(pack):
    loss = Recorder()
    compiled(loss, **base_of(pack)).train_on_batch(A)
    keras.tree.assert_same_structure(loss.outputs, pack({"x": A, "y": A}))
    assert loss.targets is None


def test_the_loss_sees_the_outputs_of_every_network_by_player():
    x = keras.Input((1,))
    models = {name: keras.Model(x, dense(name)(x)) for name in PLAYERS}

    class Both(Recorder):
        def call(self, outputs, targets=None):
            super().call(outputs, targets)
            return {name: outputs[name] ** 2 for name in PLAYERS}

    loss = Both()
    model = compiled(loss, player_models=models, player_params=models)
    model.train_on_batch(A, B)
    assert list(loss.outputs) == PLAYERS
    np.testing.assert_array_equal(loss.targets, B)


def test_a_model_is_saved_with_a_registered_loss(tmp_path):
    model = compiled(Bilinear(0.5), **base_of(lambda ys: ys))
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert loaded._compiled_with["loss"].strength == 0.5
    assert loaded.train_on_batch(A) == model.train_on_batch(A)
    assert loaded.evaluate(A, verbose=0) == model.evaluate(A, verbose=0)


class ByName(Recorder):
    """Remembers the outputs of one base model, by name."""

    by_name = True


@pytest.mark.parametrize(
    "pack",
    [lambda ys: ys, lambda ys: list(ys.values())],
    ids=["dict", "list"],
)
def test_a_loss_can_see_outputs_by_name(pack):
    loss = ByName()
    compiled(loss, **base_of(pack)).train_on_batch(A)
    assert {name: y.shape for name, y in loss.outputs.items()} == {
        "x": (4, 1),
        "y": (4, 1),
    }


def test_names_are_given_by_the_model_to_each_output():
    x = keras.Input((1,))
    layers = {name: dense(name) for name in PLAYERS}
    outputs = [layers["y"](x), layers["x"](x)]
    loss = ByName()
    model = compiled(
        loss, base_model=keras.Model(x, outputs), player_params=layers
    )
    kernel = np.asarray(layers["y"].kernel)
    model.test_on_batch(A)  # What is differentiated has no values on JAX.
    np.testing.assert_allclose(loss.outputs["y"], A @ kernel, rtol=FLOAT32)


def test_with_a_network_per_player_names_are_by_player():
    x = keras.Input((1,))
    models = {name: keras.Model(x, {"out": dense(name)(x)}) for name in PLAYERS}

    class Squares(ByName):
        def call(self, outputs, targets=None):
            self.outputs = outputs
            return {name: outputs[name]["out"] ** 2 for name in PLAYERS}

    loss = Squares()
    compiled(loss, player_models=models, player_params=models).train_on_batch(A)
    assert {name: list(part) for name, part in loss.outputs.items()} == {
        "x": ["out"],
        "y": ["out"],
    }


def test_a_loss_for_some_of_the_players_is_not_enough():
    class Half(Returns):
        def players_of(self, players):
            return ["x"]

    with pytest.raises(ValueError, match="Every player must have a loss") as e:
        Half({"x": 1.0})(PLAYERS, None)
    assert "`Half`, which has none for 'y'" in str(e.value)
    assert "`NonSaturating() + Half(...)`" in str(e.value)
    assert float(Half({"x": 1.0})(["x"], None)["x"]) == 1.0


def test_losses_are_found_by_name_config_or_as_they_are():
    assert isinstance(losses.get("non_saturating"), losses.NonSaturating)
    loss = losses.LeastSquares(b=0.9)
    assert losses.get(loss) is loss
    config = keras.saving.serialize_keras_object(loss)
    assert losses.get(config).b == 0.9


def test_unknown_names_and_other_things_are_refused():
    with pytest.raises(ValueError, match="did you mean 'non_saturating'"):
        losses.get("nonsaturating")
    with pytest.raises(ValueError, match="needs arguments") as caught:
        losses.get("energy_based")
    assert "EnergyBased(margin=...)" in str(caught.value)
    with pytest.raises(TypeError, match="AdversarialLoss"):
        losses.get(keras.losses.MeanSquaredError())
    with pytest.raises(TypeError, match=r"write `Hinge\(...\)`"):
        losses.get(losses.Hinge)


@pytest.mark.parametrize(
    "given", [None, "mse", "hinge", "crossentropy", "nonsense", ["hinge"], {}]
)
def test_what_is_no_loss_of_a_game_is_left_to_keras(given):
    assert loss_of_game(given) is None


def test_the_loss_of_a_game_is_found_by_name_or_as_it_is():
    assert isinstance(loss_of_game("wasserstein"), losses.Wasserstein)
    loss = Returns(None)
    assert loss_of_game(loss) is loss
