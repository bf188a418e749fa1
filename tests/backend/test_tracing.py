import keras
import numpy as np
import pytest
from engines import ENGINE, compiled, tensor, without

from adversarial import games
from adversarial.backend.tracing import (
    errors_of_no_values,
    jit_of_traced_steps,
)
from adversarial.optimizers import Simultaneous


@keras.saving.register_keras_serializable(package=__name__)
class Counting(Simultaneous):
    """Counts in Python."""

    count = 0

    def step(self, game):
        self.count += 1
        super().step(game)


def test_steps_are_traced_once():
    strategy = Counting()
    model = games.Bilinear().compiled(
        strategy, 0.1, jit_compile=jit_of_traced_steps()
    )
    for _ in range(3):
        model.train_on_batch(np.ones((1, 1)))
    assert strategy.count == (3 if ENGINE == "torch" else 1)


@without("torch", "Nothing is traced, and all has values.")
@pytest.mark.parametrize("ask", [np.asarray, lambda x: np.sin(x)])
def test_asking_what_is_traced_for_values_is_an_error_that_is_known(ask):
    def run(x):
        return keras.ops.convert_to_tensor(ask(x))

    with pytest.raises(errors_of_no_values()):
        compiled(run)(tensor([1.0, 2.0]))
