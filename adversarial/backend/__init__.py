"""The only folder that names a framework or a private part of Keras.

Private parts of Keras that are used here, each pinned by
`tests/backend/test_private_keras.py`:

- `functional_optimizer`: the backend-neutral methods of
  `keras.src.optimizers.base_optimizer.BaseOptimizer`, and
  `Optimizer._trainable_variables_indices`, `_trainable_variables`.
- `epochs`: `Trainer._initial_epoch`.
- `graph`: `Functional._nodes_by_depth`, `Node.operation`, `Node.is_input`,
  `Node.arguments`, `Node.outputs`, `keras.src.models.functional.Functional`
  and its `functional_like_constructor`.
- `captured_jax`: `StatelessScope.state_mapping`, and `get_stateless_scope`
  and `in_stateless_scope` of `keras.src.backend.common.stateless_scope`.
- `jax`: `Optimizer._trainable_variables`.
- `moments`: that Keras calls `tf.nn.moments` by this name.
- `portable`: that the classes which stand for Keras' optimizers on an engine
  lie below `keras.src.backend`, and have the names of the public ones.
- `precision`: `keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE`.
- `replicas`: `Optimizer._all_reduce_sum_gradients`.
- `noise_torch`: `keras.src.backend.torch.random.dropout`, called by this name.
- `random_state`: the name that `keras.random.SeedGenerator` gives to its
  state, and `keras.src.random.seed_generator.global_seed_generator`.
- `trainer_jax`: `Variable._value`, `Trainer._jax_state_synced`, and that a
  train function takes and returns the variables in four parts.
- `scopes`: `in_symbolic_scope` and `in_stateless_scope` of
  `keras.src.backend.common.symbolic_scope` and `stateless_scope`.
- `trainer_torch`: that Keras' trainer for PyTorch draws from what is called
  `TorchEpochIterator`, with `_epoch_iterator` and `catch_stop_iteration`, and
  calls `train_function`, `test_function`, `predict_function` with batches.
- `workers`: `Trainer._maybe_symbolic_build` and `Trainer._make_function`.
"""

from typing import TYPE_CHECKING

from adversarial.errors import conversation

try:
    import keras
except ModuleNotFoundError as error:
    if error.name not in ("tensorflow", "jax", "torch"):
        raise
    raise ImportError(
        conversation(
            f"Keras wants the backend '{error.name}', which is not here.",
            fix=f"`pip install 'adversarial[{error.name}]'`, or set the "
            "environment variable KERAS_BACKEND to another of 'tensorflow', "
            "'jax' and 'torch'.",
        )
    ) from error

_ENGINE = keras.backend.backend()
if _ENGINE not in ("tensorflow", "jax", "torch"):
    raise ImportError(
        conversation(
            "adversarial runs on Keras with TensorFlow, JAX or PyTorch.",
            expected="the backend 'tensorflow', 'jax' or 'torch'.",
            received=f"the backend '{_ENGINE}'.",
            fix="set the environment variable KERAS_BACKEND before Keras is "
            "imported.",
        )
    )

# What every engine has. A type checker reads the lists of the first.
if TYPE_CHECKING or _ENGINE == "tensorflow":
    from adversarial.backend.directional import jvp as jvp, seldom as seldom
    from adversarial.backend.moments import exact_moments as exact_moments
    from adversarial.backend.replicas import (
        agreed as agreed,
        apart as apart,
        apply as apply,
        in_replica as in_replica,
        per_replica as per_replica,
        portion as portion,
        replicas as replicas,
        replicas_of as replicas_of,
        scope as scope,
        shared as shared,
        total as total,
        weighed as weighed,
        write as write,
    )
    from adversarial.backend.summaries import (
        image_writer as image_writer,
        summary_writer as summary_writer,
    )
    from adversarial.backend.tensorflow import (
        all_finite as all_finite,
        compiled as compiled,
        compiles_steps as compiles_steps,
        concrete as concrete,
        engine_noise as engine_noise,
        faults_in_words as faults_in_words,
        fused as fused,
        fuses_updates as fuses_updates,
        gradient as gradient,
        in_precision_of as in_precision_of,
        in_step as in_step,
        live as live,
        own_gradients as own_gradients,
        peek as peek,
        read as read,
        recomputed as recomputed,
        repeat as repeat,
        specs as specs,
        specs_of as specs_of,
        switch as switch,
        values as values,
        when as when,
        with_slopes as with_slopes,
    )
    from adversarial.backend.workers import (
        GameModel as GameModel,
        distributes as distributes,
        is_chief as is_chief,
        said_by_all as said_by_all,
        several_workers as several_workers,
    )
elif _ENGINE == "jax":
    from adversarial.backend.alone import *  # noqa: F403
    from adversarial.backend.events import *  # noqa: F403
    from adversarial.backend.jax import *  # noqa: F403
    from adversarial.backend.shapes_jax import *  # noqa: F403
    from adversarial.backend.trainer_jax import GameModel as GameModel
else:
    from adversarial.backend import noise_torch as noise_torch
    from adversarial.backend.alone import *  # noqa: F403
    from adversarial.backend.events import *  # noqa: F403
    from adversarial.backend.scopes_torch import *  # noqa: F403
    from adversarial.backend.torch import *  # noqa: F403
    from adversarial.backend.trainer_torch import GameModel as GameModel
