import keras
import numpy as np
from engines import ENGINE

from adversarial import games
from adversarial.backend.tracing import jit_of_traced_steps
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
