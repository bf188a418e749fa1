"""How `fit` steps a game on PyTorch."""

import inspect

import keras
import numpy as np
import pytest
import torch
from keras.src.backend.torch import trainer

import adversarial
from adversarial.backend import trainer_torch

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3)).astype("float32")


def gan(strategy="simultaneous", **kwargs):
    keras.utils.set_random_seed(3)
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, "tanh"), layers.Dense(3)]
    )
    critic = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)]
    )
    model = adversarial.AdversarialModel(
        adversarial.builders.build_gan(generator, critic),
        player_params={"generator": generator, "discriminator": critic},
    )
    model.compile(strategy, "adam", "non_saturating", **kwargs)
    return model


def fitted(model, **kwargs):
    history = model.fit(X, batch_size=4, shuffle=False, verbose=0, **kwargs)
    return [v.numpy() for v in model.variables], history.history


@pytest.mark.parametrize("count", [2, 3, 5, 7])
def test_several_steps_per_execution_are_the_same_steps(count):
    one, logs = fitted(gan(), epochs=2)
    several, same = fitted(gan(steps_per_execution=count), epochs=2)
    for a, b in zip(one, several, strict=True):
        np.testing.assert_array_equal(a, b)
    assert same == logs


def test_callbacks_hear_of_each_execution():
    ends = []
    heard = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ends.append(batch)
    )
    fitted(gan(steps_per_execution=2), callbacks=[heard])
    assert ends == [1, 3, 5]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_predictions_and_evaluations_are_of_all_rows(count):
    model, one = gan(steps_per_execution=count), gan()
    found = model.predict(X, batch_size=3, verbose=0)
    assert [len(y) for y in keras.tree.flatten(found)] == [20] * 4
    # The critic's scores of the data, which have no noise of their own.
    for a, b in zip(
        keras.tree.flatten(found),
        keras.tree.flatten(one.predict(X, batch_size=3, verbose=0)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    logs = [
        m.evaluate(X, batch_size=3, verbose=0, return_dict=True)
        for m in (gan(steps_per_execution=count), gan())
    ]
    assert logs[0] == pytest.approx(logs[1], rel=1e-6)


def test_data_may_end_within_an_execution_without_a_warning():
    # Warnings are errors here; Keras would warn in the second execution.
    fitted(gan(steps_per_execution=3), epochs=2)


def test_a_compiled_step_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="derivatives of derivatives") as error:
        gan(jit_compile=True)
    assert '`jit_compile="auto"` or `False`' in str(error.value)
    assert "Received: jit_compile=True." in str(error.value)
    for allowed in ("auto", False):
        assert gan(jit_compile=allowed).jit_compile is False


def test_a_model_that_another_engine_compiled_is_loaded():
    model = gan()
    config = {**model.get_compile_config(), "jit_compile": True}
    with pytest.warns(UserWarning, match="saved with `jit_compile=True`"):
        model.compile_from_config(config)
    fitted(model)


@pytest.mark.parametrize("grad", [True, False])
def test_steps_train_in_any_mode_and_leave_it_as_it_was(grad):
    expected, _ = fitted(gan())
    with torch.set_grad_enabled(grad):
        model = gan()
        found, _ = fitted(model)
        assert torch.is_grad_enabled() is grad
        model.evaluate(X, verbose=0)
        model.predict(X, verbose=0)
        assert torch.is_grad_enabled() is grad
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("grad", [True, False])
def test_an_error_in_a_step_leaves_the_mode_and_the_variables(grad):
    class Fails(adversarial.AdversarialOptimizer):
        def step(self, game):
            game.field()
            raise KeyError("mine")

    model = gan(Fails())
    needs = [v.value.requires_grad for v in model.variables]
    with torch.set_grad_enabled(grad):
        with pytest.raises(KeyError, match="mine"):
            model.train_on_batch(X)
        assert torch.is_grad_enabled() is grad
    assert [v.value.requires_grad for v in model.variables] == needs
    assert not adversarial.backend.in_step()


def test_a_step_leaves_no_graph_and_no_gradient_behind():
    model = gan("extra_gradient")
    logs = model.train_function or model.make_train_function()
    found = logs([(torch.from_numpy(X),)])
    assert not any(t.requires_grad for t in keras.tree.flatten(found))
    every = [*model.variables, *model.optimizer.variables]
    assert all(v.value.grad is None and v.value.is_leaf for v in every)
    for metric in model.metrics:
        for v in metric.variables:
            assert not v.value.requires_grad


def test_a_variable_is_the_same_parameter_after_steps():
    model = gan("lookahead")
    before = [v.value for v in model.trainable_variables]
    fitted(model)
    for v, old in zip(model.trainable_variables, before, strict=True):
        assert v.value is old
        assert old.requires_grad


def test_what_is_private_in_keras_is_as_it_is_used():
    assert trainer.TorchEpochIterator is trainer_torch.Batches
    for call in ("fit", "evaluate", "predict"):
        source = inspect.getsource(getattr(trainer.TorchTrainer, call))
        assert "TorchEpochIterator(" in source
    base = trainer_torch.Batches.__mro__[1]
    assert hasattr(base, "catch_stop_iteration")
    assert "_epoch_iterator" in inspect.getsource(base.__mro__[1].__iter__)
    source = inspect.getsource(trainer.TorchTrainer.train_on_batch)
    assert "self.train_function([data])" in source
