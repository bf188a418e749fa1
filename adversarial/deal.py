"""What `compile` takes, dealt out to the players."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import keras

from adversarial import backend, registry
from adversarial.arguments import checked_flag, checked_number
from adversarial.errors import conversation, quoted, unknown
from adversarial.losses.adversarial_loss import AdversarialLoss, loss_of_game
from adversarial.optimizers import AdversarialOptimizer
from adversarial.player import (
    Player,
    Players,
    is_scaled,
    scaled_players,
)

SHORT = ("bce", "kld", "mae", "mape", "mse", "msle")
"""Short names that Keras takes for losses and metrics."""
METRICS = ("metrics", "weighted_metrics")
DEALT = ("loss", "loss_weights", "metrics", "weighted_metrics")
"""The arguments of `compile` that are dealt out to the players."""


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
        given = dict.fromkeys(names, given)
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise unknown("player in `player_optimizers`", name, names)
        entries = {name: given[name] for name in names if name in given}
        received = list(entries.values())
    else:
        received = list(given) if isinstance(given, list | tuple) else [given]
        entries = dict(zip(names, received, strict=False))
    if len(received) != len(names):
        each = ", ".join(f'"{name}": Adam()' for name in names)
        raise ValueError(
            conversation(
                "`player_optimizers` must hold one optimizer per player.",
                expected=f"{len(names)}, for players {quoted(names)}.",
                received=f"{len(received)} "
                f"({', '.join(map(_kind, received)) or 'none'}).",
                fix=f"pass `player_optimizers={{{each}}}`.",
            )
        )
    optimizers = {n: _optimizer(n, entry) for n, entry in entries.items()}
    _check_separate(optimizers)
    return optimizers


def _kind(entry: Any) -> str:
    return repr(entry) if isinstance(entry, str) else type(entry).__name__


def _optimizer(name: str, given: Any) -> Any:
    if isinstance(given, AdversarialOptimizer) or not isinstance(
        given, str | Mapping | keras.optimizers.Optimizer
    ):
        raise TypeError(
            conversation(
                f"The optimizer of player '{name}' must be a Keras optimizer, "
                "its name or its config.",
                received=f"{given!r} of type `{type(given).__name__}`.",
                fix="pass a strategy as `adversarial_optimizer`."
                if isinstance(given, AdversarialOptimizer)
                else None,
            )
        )
    if isinstance(given, str):
        known = sorted(
            key.lower()
            for key, value in vars(keras.optimizers).items()
            if isinstance(value, type)
            and issubclass(value, keras.optimizers.Optimizer)
            and key not in ("Optimizer", "LossScaleOptimizer")
        )
        registered = keras.saving.get_registered_object(given)
        if given.lower() not in known and registered is None:
            raise unknown(f"optimizer for player '{name}'", given, known)
    if isinstance(given, Mapping):
        given = copy.deepcopy(dict(given))  # Keras writes into it
    return keras.optimizers.get(given)


def _check_separate(optimizers: Mapping[str, Any]) -> None:
    owner: dict[int, str] = {}
    for name, optimizer in optimizers.items():
        while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer = optimizer.inner_optimizer
        kind = type(optimizer).__name__
        if id(optimizer) in owner:
            raise ValueError(
                conversation(
                    "Every player must have an optimizer of its own.",
                    received=f"one `{kind}` object for "
                    f"'{owner[id(optimizer)]}' and '{name}'.",
                    fix=f"make two, or pass `player_optimizers="
                    f'"{kind.lower()}"` for a fresh copy each.',
                )
            )
        owner[id(optimizer)] = name
        if optimizer.built:
            raise ValueError(
                conversation(
                    f"The optimizer of player '{name}' must be new.",
                    received=f"one of type `{kind}` that is already in use.",
                    fix=f"pass a new `{kind}(...)`.",
                )
            )


def deal(
    players: Players, player: Player, given: Any, argument: str
) -> list[Any] | None:
    """Returns one player's share of a `compile` argument, one per output.

    Keys are looked for among the players, then the targets, then the outputs.
    A list of metrics is one entry per output, as in Keras; where every player
    has one output, a flat list is for each of them.

    Args:
        players: All players; their output names are known.
        player: The player whose share is wanted.
        given: `None`; or one entry for every output of every player; or a
            list or dict per output of each player, or per target
            (`{player}_{output}`); or a dict by player of these.
        argument: `"loss"`, `"loss_weights"`, `"metrics"` or
            `"weighted_metrics"`.

    Returns:
        One entry per output, `None` for an output without; for metrics one
        list per output. `None` if there is nothing for this player.

    Raises:
        ValueError: for unknown names and lists of a wrong length.
        TypeError: for things that are not losses, numbers or metrics.
    """
    nested = isinstance(given, Mapping) and set(given) <= set(players)
    if nested:
        given = given.get(player.name)
    if isinstance(given, Mapping):
        given = _from_dict(players, player, given, argument, nested=nested)
    elif isinstance(given, list | tuple):
        given = _from_list(players, player, given, argument, nested=nested)
    else:
        given = [given] * len(player.targets)
    share = [_entry(entry, argument) for entry in given]
    return share if any(x is not None and x != [] for x in share) else None


def _from_dict(
    players: Players,
    player: Player,
    given: Mapping[str, Any],
    argument: str,
    *,
    nested: bool,
) -> list[Any]:
    """One entry per output from a dict by output or by target."""
    among = [player] if nested else list(players.values())
    outputs = list(
        dict.fromkeys(o for p in among for o in p.output_names or ())
    )
    targets = [target for p in among for target in p.targets]
    names = list(players)
    for name in given:
        if nested and name not in (*outputs, *targets):
            kind = f"output of '{player.name}' in `{argument}`"
            raise unknown(kind, name, outputs)
        if name not in (*names, *outputs, *targets):
            kind = f"player, output or target in `{argument}`"
            raise unknown(kind, name, [*names, *outputs, *targets])
    if set(given) <= set(targets):
        return [given.get(target) for target in player.targets]
    if not set(given) <= set(outputs):
        raise ValueError(
            conversation(
                f"The keys of `{argument}` must be of one kind.",
                expected=f"players ({quoted(names)}), or outputs "
                f"({quoted(outputs)}), or targets ({quoted(targets)}).",
                received=f"{quoted(given)}.",
            )
        )
    return [given.get(name) for name in player.output_names or ()]


def _from_list(
    players: Players,
    player: Player,
    given: list[Any] | tuple[Any, ...],
    argument: str,
    *,
    nested: bool,
) -> list[Any]:
    """One entry per output from a list per output or per target."""
    outputs, targets = player.output_names or [], players.targets
    if argument in METRICS and not given:
        return [None] * len(outputs)
    flat = not any(x is None or isinstance(x, list | tuple) for x in given)
    single = len(outputs) == 1 if nested else len(targets) == len(players)
    if argument in METRICS and flat and single:
        return [given]
    if not nested and len(given) == len(targets) != len(outputs):
        first = targets.index(player.targets[0])
        given = given[first : first + len(outputs)]
    if len(given) != len(outputs):
        whole = f", or {len(targets)} ({quoted(targets)})"
        raise ValueError(
            conversation(
                f"`{argument}` must hold one entry per output of player "
                f"'{player.name}'{'' if nested else ', or one per target'}.",
                expected=f"{len(outputs)} ({quoted(outputs)})"
                f"{'' if nested else whole}.",
                received=f"{len(given)}.",
            )
        )
    return list(given)


def _entry(given: Any, argument: str) -> Any:
    """Checks one entry; metrics are copied, since they hold state."""
    if argument in METRICS:
        several = given if isinstance(given, list | tuple) else [given]
        return [_metric(metric) for metric in several if metric is not None]
    if given is None:
        return None
    if argument == "loss_weights":
        return float(checked_number("loss_weights", given))
    whole = loss_of_game(given) or given
    cls = whole if isinstance(whole, type) else type(whole)
    if issubclass(cls, AdversarialLoss):
        raise TypeError(
            conversation(
                "An `AdversarialLoss` must be the one loss of all players.",
                received=f"the class `{cls.__name__}`, not an object of it."
                if cls is given
                else f"a `{cls.__name__}` for one player or output.",
                fix=f"pass `loss={cls.__name__}(...)`.",
            )
        )
    if not callable(given):
        _check_type(given, "loss", "a Keras loss, its name or a function")
    if isinstance(given, str) and given not in ("crossentropy", "ce"):
        _check_name(given, keras.losses, "loss")
    return given


def _metric(metric: Any) -> Any:
    if isinstance(metric, keras.metrics.Metric):
        return type(metric).from_config(metric.get_config())
    if not callable(metric):
        what = "a Keras metric, its name or a function"
        _check_type(metric, "metric", what)
    if isinstance(metric, str) and metric not in ("accuracy", "acc"):
        _check_name(metric, keras.metrics, "metric")
    return metric


def _check_type(given: Any, noun: str, wanted: str) -> None:
    if not isinstance(given, str):
        raise TypeError(
            conversation(
                f"A {noun} must be {wanted}.",
                received=f"{given!r} of type `{type(given).__name__}`.",
            )
        )


def _check_name(name: str, module: Any, noun: str) -> None:
    try:
        module.get(name)
    except ValueError as error:
        known = {
            key
            for key, value in vars(module).items()
            if callable(value) and key.islower()
        }
        known = known.difference(("get", "serialize", "deserialize"))
        ours = registry.names("losses") if noun == "loss" else []
        raise unknown(noun, name, sorted(known.union(SHORT, ours))) from error


def deal_flag(players: Players, given: Any, argument: str) -> dict[str, bool]:
    """Returns a truth per player; players that a dict leaves out get `True`.

    Raises:
        ValueError: for unknown players.
        TypeError: for what is not True or False.
    """
    if not isinstance(given, Mapping):
        given = dict.fromkeys(players, checked_flag(argument, given))
    for name in given:
        if name not in players:
            raise unknown(f"player in `{argument}`", name, players)
    flags = {**dict.fromkeys(players, True), **given}
    return {n: checked_flag(f"{argument}['{n}']", x) for n, x in flags.items()}


def deal_kwargs(
    players: Players, loss: Any, player_compile_kwargs: Any
) -> dict[str, Any]:
    """Turns keras-adversarial's arguments per player into those by argument.

    Args:
        players: The players.
        loss: The loss of all players, where their own arguments name none.
        player_compile_kwargs: Per player, as a list or dict, a dict of
            arguments named in `DEALT`; or `None`.

    Raises:
        ValueError: for other arguments, unknown players and a wrong count.
    """
    if player_compile_kwargs is None:
        return {"loss": loss}
    given = player_compile_kwargs
    if not isinstance(given, Mapping):
        if len(given) != len(players):
            raise ValueError(
                conversation(
                    "`player_compile_kwargs` must hold one entry per player.",
                    expected=f"{len(players)}, for players {quoted(players)}.",
                    received=f"{len(given)}.",
                )
            )
        given = dict(zip(players, given, strict=True))
    dealt: dict[str, Any] = {"loss": loss}
    if any("loss" in (own or {}) for own in given.values()):
        named = isinstance(loss, Mapping) and set(loss) <= set(players)
        dealt["loss"] = dict(loss if named else dict.fromkeys(players, loss))
    for name, own in given.items():
        if name not in players:
            raise unknown("player in `player_compile_kwargs`", name, players)
        for argument, value in (own or {}).items():
            if argument not in DEALT:
                kind = "argument in `player_compile_kwargs`"
                raise unknown(kind, argument, DEALT)
            dealt.setdefault(argument, {})[name] = value
    return dealt


def equip(
    players: Players,
    optimizers: Mapping[str, Any],
    update_state: Mapping[str, bool],
    *,
    scaled: bool,
    fuse: bool,
) -> None:
    """Gives every player its optimizer, built on what it owns.

    Args:
        players: The players.
        optimizers: One Keras optimizer per player.
        update_state: Whether a player's moves update its state, by player.
        scaled: Whether players that compute in float16 get a loss scale.
        fuse: Whether XLA may compile the updates by themselves.
    """
    fuse = fuse and len(players) > 1 and backend.fuses_updates()
    half = scaled_players(players, optimizers, scaled)
    for name, optimizer in optimizers.items():
        player = players[name]
        if name in half and not is_scaled(optimizer):
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        player.optimizer = optimizer
        player.update_state = update_state.get(name, True)
        player.fuse_updates = fuse and _is_built_in(optimizer)
        optimizer.build(list(player.variables))


def _is_built_in(optimizer: Any) -> bool:
    return vars(keras.optimizers).get(type(optimizer).__name__) is type(
        optimizer
    ) and not is_scaled(optimizer)
