"""A Keras optimizer that can be stepped on tensors and differentiated through.

Private parts of Keras: on TensorFlow, `Optimizer.stateless_apply` raises and
the methods below are replaced by ones that need real variables. The twin puts
the backend-neutral ones of
`keras.src.optimizers.base_optimizer.BaseOptimizer` back. It also rebuilds
`_trainable_variables_indices`, whose keys differ between the two.
"""

import warnings
from typing import Any

import keras
from keras.src.optimizers.base_optimizer import BaseOptimizer

from adversarial import backend
from adversarial.backend.roots import smooth_roots
from adversarial.errors import conversation

Tensor = Any

NEUTRAL_METHODS = (
    "assign",
    "assign_add",
    "assign_sub",
    "stateless_apply",
    "_apply_weight_decay",
    "_backend_update_step",
    "_clip_by_norm",
    "_overwrite_model_variables_with_average_value",
    "_var_key",
)
_Neutral = type(
    "_Neutral",
    (),
    {name: vars(BaseOptimizer)[name] for name in NEUTRAL_METHODS},
)


class _NeutralFirst(type):
    """Puts `_Neutral` right behind the optimizer's own classes.

    An optimizer that overrides one of the methods keeps its override, and
    what that calls through `super()` is the neutral method.
    """

    def mro(cls) -> list[type]:
        order = [
            c
            for c in super().mro()
            # What steps on PyTorch in place stands before overrides of Keras.
            if c is not _Neutral and c.__name__ != "TorchParallelOptimizer"
        ]
        place = order.index(keras.optimizers.Optimizer) + 1
        return [*order[:place], _Neutral, *order[place:]]


class FunctionalOptimizer:
    """Steps a copy of a Keras optimizer, state included, on tensors.

    The optimizer itself never changes. A `LossScaleOptimizer` is looked
    through: gradients here are true gradients.

    Where a gradient is zero or underflows, as behind a dead ReLU, the slope of
    Adam's square root is taken to be zero.

    Args:
        optimizer: A built Keras optimizer.

    Raises:
        ValueError: if the optimizer branches on its state, as gradient
            accumulation and `ema_overwrite_frequency` do.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer) -> None:
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer = optimizer.inner_optimizer
        for option in (
            "gradient_accumulation_steps",
            "ema_overwrite_frequency",
        ):
            if getattr(optimizer, option, None):
                raise ValueError(
                    conversation(
                        f"An optimizer with `{option}` cannot make a virtual "
                        "step.",
                        received=f"{type(optimizer).__name__}({option}="
                        f"{getattr(optimizer, option)}).",
                        fix=f"leave `{option}` out.",
                    )
                )
        self.optimizer = optimizer
        self._twin = _twin(optimizer)

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of the optimizer, in the order of its state."""
        return list(self.optimizer.variables)

    def step(
        self,
        state: list[Tensor],
        gradients: list[Tensor | None],
        values: list[Tensor],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Makes one step.

        Args:
            state: A tensor per variable of the optimizer.
            gradients: A tensor or `None` per parameter.
            values: A tensor per parameter.

        Returns:
            The new values and the new state.
        """
        scale = self.optimizer.loss_scale_factor or 1.0
        present = [None if g is None else g * scale for g in gradients]
        double = backend.in_precision_of(values)
        with smooth_roots(), double, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Gradients do not exist")
            new_values, new_state = self._twin.stateless_apply(
                state,
                present,
                values,
            )
        return list(new_values), list(new_state)


def _twin(optimizer: keras.optimizers.Optimizer) -> Any:
    cls = type(optimizer)
    functional: Any = _NeutralFirst(cls.__name__, (cls, _Neutral), {})
    twin = object.__new__(functional)
    vars(twin).update(vars(optimizer))
    vars(twin)["_trainable_variables_indices"] = {
        id(v): i for i, v in enumerate(optimizer._trainable_variables)
    }
    return twin
