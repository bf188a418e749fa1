"""From the arguments of `AdversarialModel` to its players, with all checks."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from adversarial.errors import conversation, quoted, unknown
from adversarial.player import Player, Players, assign_state, children_of

VALID_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*")


def assemble(
    base_model: keras.Model | None,
    player_models: Sequence[keras.Model] | Mapping[str, keras.Model] | None,
    player_params: Sequence[Any] | Mapping[str, Any] | None,
    player_names: Sequence[str] | None,
) -> Players:
    """Makes the players.

    Args:
        base_model: The network that all players share, or `None`.
        player_models: One network per player, as a list or a dict by name, or
            `None`.
        player_params: What each player owns, as a list or a dict by name: a
            list of variables, or a layer or model for its trainable ones.
        player_names: The names; by default the keys of the dicts, or
            `player_0`, `player_1`, ...

    Raises:
        ValueError: for arguments that contradict each other; see
            `AdversarialModel`.
        TypeError: for things that are not models or variables.
    """
    if (base_model is None) == (player_models is None):
        raise ValueError(
            conversation(
                "Exactly one of `base_model` and `player_models` must be "
                "given.",
                received="neither." if base_model is None else "both.",
                fix="pass `base_model=...` if all players play on one "
                "network, `player_models=[...]` if each has its own.",
            )
        )
    if player_params is None:
        raise ValueError(
            conversation(
                "`player_params` must say which parameters each player owns.",
                received="None.",
                fix="pass `player_params=[generator, discriminator]`, or "
                "lists of variables.",
            )
        )
    names = _names(player_models, player_params, player_names)
    params = _by_name(player_params, names, "player_params")
    if base_model is not None:
        models = dict.fromkeys(names, base_model)
    else:
        models = _by_name(player_models, names, "player_models")
    players = []
    for name in names:
        _check_network(name, models[name])
        owned = _variables(name, params[name])
        players.append(Player(name, models[name], owned))
    result = Players(players)
    check_names(result)
    _check_ownership(result)
    assign_state(result)
    return result


def check_names(players: Players) -> None:
    """Refuses players and outputs whose logs or targets would be confused.

    Outputs whose names are not known yet are not looked at.

    Raises:
        ValueError: if two of the names `{player}` and `{player}_{output}` are
            the same.
    """
    taken: dict[str, str] = {}
    for player in players.values():
        mine = {player.name: f"player '{player.name}'"}.items()
        outputs = (
            (f"{player.name}_{name}", f"output '{name}' of '{player.name}'")
            for name in player.output_names or ()
        )
        for name, meaning in (*mine, *outputs):
            if name in taken:
                raise ValueError(
                    conversation(
                        "Players and their outputs must have different names: "
                        "targets and logs are named `{player}_{output}`.",
                        received=f"'{name}' for {taken[name]} and for "
                        f"{meaning}.",
                        fix="rename the player or the output.",
                    )
                )
            taken[name] = meaning


def check_trainable(players: Players) -> None:
    """Refuses parameters that are frozen: their owner would move them.

    Raises:
        ValueError: if some are.
    """
    for player in players.values():
        frozen = [v.path for v in player.variables if not v.trainable]
        if frozen:
            raise ValueError(
                conversation(
                    f"The parameters of player '{player.name}' must be "
                    "trainable.",
                    received=f"{quoted(frozen)}, which are frozen.",
                    fix="set `layer.trainable = True`, or make the model again "
                    "without them in `player_params`.",
                )
            )


def _names(
    player_models: Any, player_params: Any, player_names: Sequence[str] | None
) -> list[str]:
    dicts = [
        x for x in (player_models, player_params) if isinstance(x, Mapping)
    ]
    if player_names is None and dicts:
        names = list(dicts[0])
    elif player_names is None:
        _check_listed(player_params, "player_params")
        names = [f"player_{i}" for i in range(len(player_params))]
    elif isinstance(player_names, list | tuple):
        names = list(player_names)
    else:
        raise TypeError(
            conversation(
                "`player_names` must be a list of names.",
                received=f"{player_names!r} of type "
                f"`{type(player_names).__name__}`.",
            )
        )
    if not names:
        raise ValueError(
            conversation("A game must have a player.", received="none.")
        )
    for name in names:
        if not isinstance(name, str) or not VALID_NAME.fullmatch(name):
            raise ValueError(
                conversation(
                    "A player's name must begin with a letter and hold only "
                    "letters, digits, '_', '-' and '.'.",
                    received=f"{name!r}.",
                )
            )
        if name == "val" or name.startswith("val_"):
            raise ValueError(
                conversation(
                    "A player's name must not begin with 'val_': so begin the "
                    "logs of `validation_data`.",
                    received=f"{name!r}.",
                )
            )
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise ValueError(
            conversation(
                "Players must have different names.",
                received=f"{quoted(repeated)} more than once.",
            )
        )
    return names


def _by_name(given: Any, names: Sequence[str], argument: str) -> dict[str, Any]:
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise unknown(f"player in `{argument}`", name, names)
        missing = [name for name in names if name not in given]
        if missing:
            raise ValueError(
                conversation(
                    f"`{argument}` must hold one entry per player.",
                    expected=f"{quoted(names)}.",
                    received=f"{quoted(given)}.",
                )
            )
        return dict(given)
    _check_listed(given, argument)
    if len(given) != len(names):
        raise ValueError(
            conversation(
                f"`{argument}` must hold one entry per player.",
                expected=f"{len(names)}, for players {quoted(names)}.",
                received=f"{len(given)}.",
            )
        )
    return dict(zip(names, given, strict=True))


def _check_listed(given: Any, argument: str) -> None:
    if not isinstance(given, list | tuple):
        raise TypeError(
            conversation(
                f"`{argument}` must be a list or a dict with one entry per "
                "player.",
                received=f"{given!r} of type `{type(given).__name__}`.",
            )
        )


def _check_network(name: str, network: Any) -> None:
    if not isinstance(network, keras.Model):
        raise TypeError(
            conversation(
                f"The network of player '{name}' must be a Keras model.",
                received=f"{network!r} of type `{type(network).__name__}`.",
            )
        )
    unbuilt = next(_unbuilt(network), None)
    if unbuilt is not None:
        raise ValueError(
            conversation(
                f"The network of player '{name}' must be built, with all "
                "layers in it.",
                received=f"'{unbuilt.name}' of type "
                f"`{type(unbuilt).__name__}`, which was never called and has "
                "no variables yet.",
                fix="begin the model with `keras.Input(shape)`, or call it "
                "once on a batch.",
            )
        )


def _unbuilt(layer: keras.Layer) -> Iterator[keras.Layer]:
    """Finds unbuilt layers at any depth; Keras' own layers know their own."""
    if not layer.built:
        yield layer
    elif isinstance(layer, keras.Model) or not type(
        layer
    ).__module__.startswith("keras."):
        for child in children_of(layer):
            yield from _unbuilt(child)


def _variables(name: str, given: Any) -> list[keras.Variable]:
    if isinstance(given, keras.Layer):
        if not given.built:
            raise ValueError(
                conversation(
                    f"The parameters of player '{name}' do not exist yet.",
                    received=f"'{given.name}', which is not built.",
                    fix="begin the model with `keras.Input(shape)`, or call "
                    "it once on a batch.",
                )
            )
        given = given.trainable_variables
    if isinstance(given, keras.Variable) or not isinstance(given, list | tuple):
        raise TypeError(
            conversation(
                f"The parameters of player '{name}' must be a list of "
                "variables, or a layer or model.",
                received=f"{given!r} of type `{type(given).__name__}`.",
            )
        )
    for variable in given:
        if not isinstance(variable, keras.Variable):
            raise TypeError(
                conversation(
                    f"The parameters of player '{name}' must be Keras "
                    "variables.",
                    received=f"{variable!r} of type "
                    f"`{type(variable).__name__}`.",
                    fix="pass `layer.trainable_weights`, or the layer.",
                )
            )
    if not given:
        raise ValueError(
            conversation(
                f"Player '{name}' must own at least one parameter.",
                received="none.",
                fix="check that the layer is not frozen (`trainable = False`).",
            )
        )
    return list({id(v): v for v in given}.values())


def _check_ownership(players: Players) -> None:
    inside = {id(v) for network in players.networks for v in network.variables}
    owner: dict[int, str] = {}
    for player in players.values():
        for variable in player.variables:
            if id(variable) in owner:
                raise ValueError(
                    conversation(
                        "A parameter must have one owner.",
                        received=f"'{variable.path}', owned by "
                        f"'{owner[id(variable)]}' and '{player.name}'.",
                        fix="leave it out of one player's `player_params`.",
                    )
                )
            owner[id(variable)] = player.name
            if id(variable) not in inside:
                raise ValueError(
                    conversation(
                        "A player's parameters must be part of a network.",
                        received=f"'{variable.path}' of player "
                        f"'{player.name}', which is in no network.",
                        fix="check that `player_params` and the networks are "
                        "made of the same layers.",
                    )
                )
    orphans = {
        v.path: None
        for network in players.networks
        for v in network.trainable_variables
        if id(v) not in owner
    }
    if orphans:
        warnings.warn(
            f"No player owns {quoted(orphans)}; they will not be trained.",
            stacklevel=4,
        )
