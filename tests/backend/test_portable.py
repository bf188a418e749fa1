"""Optimizers are saved by names that every engine knows."""

import json

import keras
import pytest

from adversarial.backend.portable import portable

NAMES = (
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Nadam",
    "RMSprop",
    "SGD",
)
"""Those that Keras has a class of its own for, on PyTorch."""


@pytest.mark.parametrize("name", NAMES)
def test_an_optimizer_is_saved_by_its_public_name(name):
    made = getattr(keras.optimizers, name)(0.25, weight_decay=0.5)
    config = portable(keras.saving.serialize_keras_object(made))
    assert (config["module"], config["class_name"]) == (
        "keras.optimizers",
        name,
    )
    again = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(config))
    )
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()


def test_an_optimizer_within_another_is_found():
    inner = keras.optimizers.SGD(0.1)
    outer = keras.optimizers.LossScaleOptimizer(inner)
    config = portable(keras.saving.serialize_keras_object({"each": [outer]}))
    assert "keras.src.backend" not in json.dumps(config)
    (again,) = keras.saving.deserialize_keras_object(config)["each"]
    assert isinstance(again.inner_optimizer, keras.optimizers.SGD)


def test_names_of_another_engine_are_mended():
    config = {
        "module": "keras.src.backend.torch.optimizers.torch_sgd",
        "class_name": "SGD",
        "config": {"learning_rate": 0.25},
        "registered_name": "SGD",
    }
    found = keras.saving.deserialize_keras_object(portable(config))
    assert isinstance(found, keras.optimizers.SGD)


def test_all_else_stays_as_it_is():
    for thing in (keras.layers.Dense(2), keras.losses.MeanSquaredError(), "x"):
        config = keras.saving.serialize_keras_object(thing)
        assert portable(config) == config
    config = {"module": "keras.src.backend.torch.x", "class_name": "Other"}
    assert portable(config) == config
    assert portable([1, None, {"module": None}]) == [1, None, {"module": None}]
