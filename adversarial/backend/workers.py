"""Several machines that play one game, each on its part of the batch.

`tf.distribute.MultiWorkerMirroredStrategy` runs one program on each. What
Keras' `fit` does there with a batch it has only drawn to look at, and with the
logs of a step, fails for any model; `GameModel` mends both.

Private parts of Keras: `Trainer._maybe_symbolic_build` draws a batch to build
the model, and takes the mean of it over the workers, which TensorFlow cannot
do of a structure. `Trainer._make_function` makes the function of an iterator
from a step, whose logs it reduces along their first axis, which scalars do not
have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from adversarial.backend import trainer_of_data


def several_workers(distribution: Any = None) -> bool:
    """Says whether replicas of other machines take part.

    Args:
        distribution: The strategy of `tf.distribute`; the present one if it
            is `None`.
    """
    distribution = distribution or tf.distribute.get_strategy()
    replicas = distribution.num_replicas_in_sync
    # The strategy of a single replica has no devices to count.
    several = replicas > 1 and replicas > len(
        distribution.extended.worker_devices
    )
    return bool(several)


def distributes(distribution: Any) -> bool:
    """Says whether this deals batches to replicas, to a single one, too.

    Args:
        distribution: The strategy of `tf.distribute`.
    """
    with distribution.scope():
        return bool(tf.distribute.has_strategy())


def is_chief(distribution: Any) -> bool:
    """Says whether this process is the one of all workers that writes files.

    Args:
        distribution: The strategy of `tf.distribute`.
    """
    if not several_workers(distribution):
        return True
    cluster = distribution.cluster_resolver
    if "chief" in cluster.cluster_spec().jobs:
        return bool(cluster.task_type == "chief")
    return bool(cluster.task_type == "worker" and cluster.task_id == 0)


def said_by_all(distribution: Any, numbers: Sequence[int]) -> list[list[int]]:
    """Waits for all workers, and tells each what all of them say.

    Args:
        distribution: The strategy of `tf.distribute`.
        numbers: Whole numbers, as many in every worker, and not none.

    Returns:
        The numbers of each replica.
    """
    if not several_workers(distribution):
        return [list(numbers)]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def gather() -> Any:
        own = distribution.run(lambda: tf.constant([numbers], tf.int64))
        return distribution.gather(own, axis=0)

    return gather().numpy().tolist()  # type: ignore[no-any-return]


class GameModel(trainer_of_data.GameModel):
    """A Keras model that is built already, and that several workers train.

    Elsewhere it is a Keras model and no more.
    """

    def _maybe_symbolic_build(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        if not several_workers(self.distribute_strategy):
            super()._maybe_symbolic_build(iterator, data_batch)

    def _make_function(
        self, step_function: Callable[[Any], dict[str, Any]]
    ) -> Callable[[Any], dict[str, Any]]:
        make = super()._make_function
        if not several_workers(self.distribute_strategy):
            return make(step_function)  # type: ignore[no-any-return]

        def step(data: Any) -> dict[str, Any]:
            logs = step_function(data)
            return {k: tf.reshape(x, (1,)) for k, x in logs.items()}

        function = make(step)

        def reduced(iterator: Any) -> dict[str, Any]:
            return {k: tf.reshape(x, ()) for k, x in function(iterator).items()}

        return reduced
