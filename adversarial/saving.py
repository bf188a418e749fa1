"""What Keras' saving does not keep: shared layers, and random state."""

from __future__ import annotations

from typing import Any

import keras

from adversarial.backend.graph import record, replay
from adversarial.backend.random_state import is_random_state
from adversarial.errors import conversation
from adversarial.player import Players

Config = dict[str, Any]


def players_config(players: Players) -> Config:
    """Writes the networks, each layer once, and who owns what."""
    variables = all_variables(players.networks)
    numbers = {id(v): i for i, v in enumerate(variables)}
    networks = {id(n): i for i, n in enumerate(players.networks)}
    return {
        "networks": record(players.networks),
        "variables": [list(v.shape) for v in variables],
        "players": [
            {
                "name": p.name,
                "network": networks[id(p.network)],
                "variables": [numbers[id(v)] for v in p.variables],
            }
            for p in players.values()
        ],
    }


def players_arguments(config: Config) -> Config:
    """Remakes the arguments of `AdversarialModel` from a configuration.

    Raises:
        ValueError: if the networks came back with other variables.
    """
    networks = replay(config["networks"])
    variables = all_variables(networks)
    found = [list(v.shape) for v in variables]
    if found != [list(shape) for shape in config["variables"]]:
        raise ValueError(
            conversation(
                "The networks must be remade as they were saved.",
                expected=f"{len(config['variables'])} variables.",
                received=f"{len(found)} variables, or other shapes.",
                fix="in `get_config` of your own layers and models, describe "
                "everything that makes variables.",
            )
        )
    saved = config["players"]
    one = len(networks) == 1
    return {
        "base_model": networks[0] if one else None,
        "player_models": (
            None if one else [networks[entry["network"]] for entry in saved]
        ),
        "player_params": [
            [variables[i] for i in entry["variables"]] for entry in saved
        ],
        "player_names": [entry["name"] for entry in saved],
    }


def all_variables(networks: list[keras.Model]) -> list[keras.Variable]:
    """Returns the distinct variables of networks, in order."""
    return list({id(v): v for n in networks for v in n.variables}.values())


def save_random_state(networks: list[keras.Model], store: Any) -> None:
    """Writes the state of the networks' random numbers."""
    for number, variable in enumerate(_random_state(networks)):
        store[str(number)] = variable.numpy()


def load_random_state(networks: list[keras.Model], store: Any) -> None:
    """Reads what `save_random_state` wrote.

    Raises:
        ValueError: if the networks have another number of random states.
    """
    found = _random_state(networks)
    if len(store.keys()) != len(found):
        raise ValueError(
            conversation(
                "The saved random state must be one of these networks.",
                expected=f"{len(found)} states.",
                received=f"{len(store.keys())}.",
            )
        )
    for number, variable in enumerate(found):
        variable.assign(store[str(number)])


def _random_state(networks: list[keras.Model]) -> list[keras.Variable]:
    return [v for v in all_variables(networks) if is_random_state(v)]
