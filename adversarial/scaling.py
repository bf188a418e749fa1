"""What cannot be when a batch is cut: among replicas, or in time.

In time, a Keras optimizer of `gradient_accumulation_steps=k` takes the
gradients of k batches for one step. Their mean is the gradient of a batch k
times as large if, while they are collected, nobody moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from adversarial import backend
from adversarial.errors import conversation, quoted
from adversarial.optimizers import AdversarialOptimizer

Moves = Sequence[Sequence[str]]


def check_cuts(
    strategy: AdversarialOptimizer,
    optimizers: Mapping[str, Any],
    given: Mapping[str, Any],
    distribution: Any,
    scaled: Sequence[str],
) -> None:
    """Checks what `compile` is given where batches are cut.

    Args:
        strategy: How the players move.
        optimizers: The Keras optimizer of each player, by name.
        given: The arguments of `compile`.
        distribution: The strategy of `tf.distribute` that deals the batches.
        scaled: The players whose optimizers look for a loss scale.

    Raises:
        ValueError: if it cannot be.
    """
    check_executions(
        given["steps_per_execution"],
        backend.replicas_of(distribution),
        eager=given["run_eagerly"],
    )
    check_accumulation(
        strategy,
        optimizers,
        distributed=backend.distributes(distribution),
        scaled=scaled,
    )


def check_executions(steps: int, replicas: int, *, eager: bool) -> None:
    """Checks that several replicas execute one step at a time.

    Args:
        steps: The `steps_per_execution` of `compile`.
        replicas: The number of replicas.
        eager: Whether steps are not compiled: then Keras can.

    Raises:
        ValueError: if they do not.
    """
    if replicas > 1 and steps != 1 and not eager:
        raise ValueError(
            conversation(
                "Several replicas execute one step at a time: TensorFlow "
                "cannot run the loop that Keras makes of more, for any model.",
                expected=f"`steps_per_execution=1` with {replicas} replicas.",
                received=f"{steps!r}.",
                fix="leave `steps_per_execution` out.",
            )
        )


def check_accumulation(
    strategy: AdversarialOptimizer,
    optimizers: Mapping[str, Any],
    *,
    distributed: bool,
    scaled: Sequence[str],
) -> None:
    """Checks that accumulated gradients are those of one larger batch.

    Args:
        strategy: How the players move.
        optimizers: The Keras optimizer of each player, by name.
        distributed: Whether `tf.distribute` deals the batches.
        scaled: The players whose optimizers look for a loss scale.

    Raises:
        ValueError: if an optimizer accumulates where that is not so.
    """
    steps = {name: accumulated(o) for name, o in optimizers.items()}
    several = [name for name, count in steps.items() if count > 1]
    if not several:
        return
    averaging = [n for n in several if optimizers[n].use_ema]
    wrong, fix = "", "leave `gradient_accumulation_steps` out."
    if distributed:
        wrong = "replicas of `tf.distribute`, which cannot meet now and then"
        fix = "use more replicas, or smaller batches, instead."
    elif scaled:
        wrong = f"a loss scale for {quoted(scaled)}, whose bad batches are lost"
        fix = "use the policy 'mixed_bfloat16'."
    elif averaging:
        wrong = f"`use_ema` for {quoted(averaging)}, which counts every batch"
        fix = "leave `use_ema` out; `AveragedWeights` can do without."
    else:
        moves = strategy.plain_moves(list(optimizers))
        if moves is None:
            wrong = f"`{type(strategy).__name__}`"
            fix = _with_schedule(steps)
        elif not sound(moves, steps):
            counts = ", ".join(f"{n} for '{name}'" for name, n in steps.items())
            wrong = f"{counts}, with `{type(strategy).__name__}`"
            fix = _with_schedule(steps)
    if wrong:
        raise ValueError(
            conversation(
                "Optimizers can accumulate gradients if nobody moves meanwhile "
                "and the strategy gives them nothing but gradients.",
                expected="`Simultaneous` with as many steps for all players, "
                "or a `Scheduled` of it in which each player gets as many "
                "batches in a row.",
                received=f"{wrong}.",
                fix=fix,
            )
        )


def accumulated(optimizer: Any) -> int:
    """The number of batches for which a Keras optimizer makes one step."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return int(getattr(optimizer, "gradient_accumulation_steps", None) or 1)


def sound(moves: Moves, steps: Mapping[str, int]) -> bool:
    """Says whether nobody moves while another still accumulates.

    Args:
        moves: Who gets a gradient on which batch, repeated for ever.
        steps: How many gradients each player collects for a move.
    """
    counts = dict.fromkeys(steps, 0)
    seen: set[tuple[int, ...]] = set()
    while tuple(counts.values()) not in seen:
        seen.add(tuple(counts.values()))
        for players in moves:
            for name in players:
                counts[name] = (counts[name] + 1) % steps[name]
            moved = any(counts[name] == 0 for name in players)
            if moved and any(counts.values()):
                return False
    return True


def _with_schedule(steps: Mapping[str, int]) -> str:
    turns = " + ".join(f'["{name}"] * {n}' for name, n in steps.items())
    return (
        f"let the players move in turn, by `Scheduled({turns})`; or use "
        "'simultaneous', with the same `gradient_accumulation_steps` for all."
    )
