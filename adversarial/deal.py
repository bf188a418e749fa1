"""What `compile` takes, dealt out to the players."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from adversarial.errors import conversation, quoted, unknown
from adversarial.player import Player, Players


def deal_optimizers(players: Players, given: Any) -> dict[str, Any]:
    """Returns one Keras optimizer per player.

    Args:
        players: The players.
        given: One string or config for all (a fresh copy each), or one
            optimizer, string or config per player as a list or dict.

    Raises:
        ValueError: if the count or the names do not fit, if two players share
            an optimizer, or if one is in use elsewhere.
        TypeError: for things that are not optimizers.
    """
    names = list(players)
    if isinstance(given, str) or (
        isinstance(given, Mapping) and "class_name" in given
    ):
        given = {name: given for name in names}
    elif isinstance(given, keras.optimizers.Optimizer) and len(names) == 1:
        given = [given]
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise unknown("player in `player_optimizers`", name, names)
        fits = len(given) == len(names)
        entries = {name: given[name] for name in names if name in given}
    elif isinstance(given, list | tuple):
        fits = len(given) == len(names)
        entries = dict(zip(names, given, strict=False))
    else:
        fits, entries = False, {}
    if not fits:
        several = given.values() if isinstance(given, Mapping) else given
        several = (
            several if isinstance(given, Mapping | list | tuple) else [given]
        )
        kinds = ", ".join(_kind(entry) for entry in several)
        raise ValueError(
            conversation(
                "`player_optimizers` must hold one optimizer per player.",
                expected=f"{len(names)}, for players {quoted(names)}.",
                received=f"{len(list(several))} ({kinds}).",
                fix="pass `player_optimizers={"
                + ", ".join(f'"{name}": Adam()' for name in names)
                + "}`.",
            )
        )
    optimizers = {n: _optimizer(n, entry) for n, entry in entries.items()}
    _check_separate(players, optimizers)
    return optimizers


def _kind(entry: Any) -> str:
    return repr(entry) if isinstance(entry, str) else type(entry).__name__


def _optimizer(name: str, given: Any) -> Any:
    if isinstance(given, str):
        known = sorted(
            key.lower()
            for key, value in vars(keras.optimizers).items()
            if isinstance(value, type)
            and issubclass(value, keras.optimizers.Optimizer)
        )
        if given.lower() not in known:
            raise unknown(f"optimizer for player '{name}'", given, known)
    if not isinstance(given, str | Mapping | keras.optimizers.Optimizer):
        raise TypeError(
            conversation(
                f"The optimizer of player '{name}' must be a Keras optimizer, "
                "its name or its config.",
                received=f"{given!r} of type `{type(given).__name__}`.",
            )
        )
    return keras.optimizers.get(given)


def _check_separate(players: Players, optimizers: Mapping[str, Any]) -> None:
    owner: dict[int, str] = {}
    for name, optimizer in optimizers.items():
        if id(optimizer) in owner:
            raise ValueError(
                conversation(
                    "Every player needs an optimizer of its own.",
                    received=f"one `{type(optimizer).__name__}` object for "
                    f"'{owner[id(optimizer)]}' and '{name}'.",
                    fix=f"make two, or pass `player_optimizers="
                    f'"{type(optimizer).__name__.lower()}"` for a fresh copy '
                    "each.",
                )
            )
        owner[id(optimizer)] = name
        if optimizer.built:
            raise ValueError(
                conversation(
                    f"The optimizer of player '{name}' must be new.",
                    received=f"a `{type(optimizer).__name__}` that is already "
                    "in use.",
                    fix=f"pass a new `{type(optimizer).__name__}(...)`.",
                )
            )


def deal(
    players: Players, player: Player, given: Any, argument: str
) -> list[Any] | None:
    """Returns one player's share of a `compile` argument, one per output.

    Args:
        players: All players.
        player: The player whose share is wanted; its output names are known.
        given: `None`; or one entry for every output of every player; or a
            list or dict per player, per output, or per target
            (`{player}_{output}`).
        argument: `"loss"`, `"loss_weights"`, `"metrics"` or
            `"weighted_metrics"`.

    Raises:
        ValueError: for unknown names and lists of a wrong length.
    """
    outputs = player.output_names or []
    if isinstance(given, Mapping):
        if set(given) <= set(players):
            given = given.get(player.name)
        elif set(given) <= set(players.targets):
            given = {
                name: given[target]
                for name, target in zip(outputs, player.targets, strict=True)
                if target in given
            }
    if given is None:
        return None
    if isinstance(given, Mapping):
        known = {o for p in players.values() for o in p.output_names or ()}
        for name in given:
            if name not in known:
                every = [*players, *sorted(known), *players.targets]
                kind = f"player, output or target in `{argument}`"
                raise unknown(kind, name, every)
        return [_entry(given.get(name), argument) for name in outputs]
    if isinstance(given, list | tuple):
        total = len(players.targets)
        if len(given) == total != len(outputs):
            first = players.targets.index(player.targets[0])
            given = given[first : first + len(outputs)]
        if len(given) == len(outputs) and not _applies_to_all(
            given, argument, outputs
        ):
            return [_entry(entry, argument) for entry in given]
        if not argument.endswith("metrics"):
            raise ValueError(
                conversation(
                    f"`{argument}` must hold one entry per output of a "
                    "player, or one per target.",
                    expected=f"{len(outputs)} ({quoted(outputs)}) or {total} "
                    f"({quoted(players.targets)}).",
                    received=f"{len(given)}.",
                )
            )
    return [_entry(given, argument) for _ in outputs]


def _applies_to_all(given: Any, argument: str, outputs: Any) -> bool:
    """Whether a flat list of metrics is meant for the one output."""
    return (
        argument.endswith("metrics")
        and len(outputs) == 1
        and not any(isinstance(entry, list | tuple) for entry in given)
    )


def _entry(given: Any, argument: str) -> Any:
    if argument == "loss" and isinstance(given, str):
        _check_name(given, keras.losses, "loss")
    if argument.endswith("metrics"):
        several = given if isinstance(given, list | tuple) else [given]
        return [_metric(metric) for metric in several if metric is not None]
    return given


def _metric(metric: Any) -> Any:
    if isinstance(metric, str) and metric not in ("accuracy", "acc"):
        _check_name(metric, keras.metrics, "metric")
    if isinstance(metric, keras.metrics.Metric):
        config = keras.saving.serialize_keras_object(metric)
        return keras.saving.deserialize_keras_object(config)
    return metric


def _check_name(name: str, module: Any, noun: str) -> None:
    if name in ("crossentropy", "ce"):
        return
    try:
        module.get(name)
    except ValueError as error:
        known = sorted(
            key
            for key, value in vars(module).items()
            if not key.startswith("_") and callable(value) and key.islower()
        )
        raise unknown(noun, name, known) from error
