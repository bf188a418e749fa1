"""Each private part of Keras that the package touches, pinned.

When one of these fails after an upgrade of Keras, the module named in the
test's docstring has to be looked at.
"""

import inspect

import keras
import numpy as np
import pytest
from engines import ENGINE, only
from keras.src.backend.common import dtypes, stateless_scope
from keras.src.models import functional
from keras.src.optimizers.base_optimizer import BaseOptimizer
from keras.src.random import seed_generator

from adversarial.backend.epochs import begin_at
from adversarial.backend.functional_optimizer import NEUTRAL_METHODS
from adversarial.backend.random_state import STATE_NAME


@pytest.mark.parametrize("name", NEUTRAL_METHODS)
def test_the_base_optimizer_has_the_neutral_methods(name):
    """backend/functional_optimizer.py."""
    assert inspect.isfunction(vars(BaseOptimizer)[name])
    assert issubclass(keras.optimizers.Optimizer, BaseOptimizer)


TENSORFLOW = only("tensorflow", "The module is of TensorFlow.")
JAX = only("jax", "The module is of JAX.")


@TENSORFLOW
def test_stateless_apply_still_raises_on_tensorflow():
    """backend/functional_optimizer.py: if not, the twin is not needed."""
    optimizer = keras.optimizers.SGD(0.1)
    variable = keras.Variable(1.0)
    optimizer.build([variable])
    state = [v.value for v in optimizer.variables]
    with pytest.raises(ValueError, match="stateless_apply is not supported"):
        optimizer.stateless_apply(state, [variable.value], [variable.value])


def test_optimizers_keep_their_variables_and_indices():
    """backend/functional_optimizer.py."""
    optimizer = keras.optimizers.SGD(0.1)
    variable = keras.Variable(1.0)
    optimizer.build([variable])
    assert optimizer._trainable_variables == [variable]
    assert list(optimizer._trainable_variables_indices.values()) == [0]


@TENSORFLOW
def test_optimizers_sum_their_gradients_by_one_method():
    """backend/replicas.py: it takes and returns pairs, and is called once."""
    summing = keras.optimizers.Optimizer._all_reduce_sum_gradients
    assert list(inspect.signature(summing).parameters)[1:] == ["grads_and_vars"]
    seen = []
    optimizer = keras.optimizers.SGD(1.0)
    vars(optimizer)["_all_reduce_sum_gradients"] = lambda pairs: (
        seen.append(list(pairs)) or seen[-1]
    )
    variable = keras.Variable(1.0)
    optimizer.apply([2.0], [variable])
    assert len(seen) == 1 and float(variable) == -1


def test_functional_models_keep_nodes_by_depth():
    """backend/graph.py."""
    x = keras.Input((2,))
    layer = keras.layers.Dense(1)
    model = keras.Model(x, layer(x))
    assert isinstance(model, functional.Functional)
    assert functional.functional_like_constructor(type(model))
    nodes = model._nodes_by_depth
    assert sorted(nodes) == [0, 1]
    (node,), (source,) = nodes[0], nodes[1]
    assert node.operation is layer and not node.is_input and source.is_input
    assert node.arguments.args == (x,) and node.arguments.kwargs == {}
    assert [y.shape for y in node.outputs] == [(None, 1)]


def test_seed_generators_name_their_state():
    """backend/random_state.py."""
    assert keras.random.SeedGenerator(1).state.name == STATE_NAME
    state = seed_generator.global_seed_generator().state
    before = state.numpy()
    keras.random.normal((1,))
    assert (state.numpy() != before).any()


def test_fit_begins_where_a_callback_says():
    """backend/epochs.py."""
    seen = []

    class Later(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            begin_at(self.model, 3)

        def on_epoch_begin(self, epoch, logs=None):
            seen.append(epoch)

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = keras.ops.ones((1, 1))
    model.fit(x, x, epochs=5, verbose=0, callbacks=[Later()])
    assert seen == [3, 4]
    assert model._initial_epoch == 3


@TENSORFLOW
def test_trainers_make_their_functions_of_the_step_by_one_method(monkeypatch):
    """backend/workers.py: that of evaluation, too."""
    made = []
    make = keras.Model._make_function
    assert list(inspect.signature(make).parameters) == ["self", "step_function"]
    monkeypatch.setattr(
        keras.Model, "_make_function", lambda self, step: made.append(step)
    )
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.make_train_function()
    model.make_test_function()
    assert made == [model.train_step, model.test_step]


@TENSORFLOW
def test_trainers_build_with_a_batch_by_one_method():
    """backend/workers.py."""
    build = inspect.signature(keras.Model._maybe_symbolic_build)
    assert list(build.parameters) == ["self", "iterator", "data_batch"]


@pytest.mark.skipif(ENGINE == "tensorflow", reason="It has no need of it.")
def test_promoted_types_are_looked_up_in_one_table(monkeypatch):
    """backend/precision.py."""
    asked = []

    class Table(dict):
        def get(self, dtype, default=None):
            asked.append(dtype)
            return "float16"

    monkeypatch.setattr(dtypes, "BIT64_TO_BIT32_DTYPE", Table())
    assert keras.backend.result_type("float64", "float32") == "float16"
    assert asked == ["float64"]


@JAX
def test_scopes_map_the_identity_of_variables_to_values():
    """backend/captured_jax.py, and backend/scopes.py for the first half."""
    v = keras.Variable(1.0)
    assert not stateless_scope.in_stateless_scope()
    with keras.StatelessScope([(v, v.value)]) as scope:
        assert stateless_scope.in_stateless_scope()
        assert stateless_scope.get_stateless_scope() is scope
        assert list(scope.state_mapping) == [id(v)]
        v.assign(2.0)
        assert float(scope.state_mapping[id(v)]) == 2.0
        scope.state_mapping[id(v)] = keras.ops.ones(())
        assert float(v.value) == 1.0


class Watched(keras.Model):
    """Notes which variables are empty while a step of Keras runs."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, use_bias=False)
        self.seen = []

    def call(self, x):
        return self.dense(x)

    def make_train_function(self, force=False):
        super().make_train_function(force)
        step = self.train_function

        def noted(state, iterator):
            (v,) = self.trainable_variables
            self.seen.append((v._value is None, self._jax_state_synced))
            logs, state = step(state, iterator)
            # As if the variables had their values: now they are zero.
            for part, group in zip(state, self.parts(), strict=True):
                for x, w in zip(part, group, strict=True):
                    w._value = x
            v._value = 0.0 * v._value
            self._jax_state_synced = True
            return logs, state

        self.train_function = noted

    def parts(self):
        return (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )


@JAX
def test_fit_takes_the_state_from_variables_that_have_it():
    """backend/trainer_jax.py: a state of four parts, emptied in a step."""
    model = Watched()
    model.compile(keras.optimizers.SGD(0.5), "mse", run_eagerly=True)
    model(np.ones((1, 1)))
    model.fit(np.ones((3, 1)), np.ones((3, 1)), batch_size=1, verbose=0)
    assert model.seen == [(True, False)] * 3
    (kernel,) = model.get_weights()
    assert kernel[0, 0] == 0.0  # Not what the step returned, 1.0.


def test_engines_name_their_optimizers_as_they_are_known_to_all():
    """backend/portable.py: by the public name, at a place of their own."""
    made = keras.optimizers.SGD(0.5)
    config = keras.saving.serialize_keras_object(made)
    assert config["class_name"] == "SGD"
    own = config["module"].startswith("keras.src.backend.torch.")
    assert own == (keras.backend.backend() == "torch")
