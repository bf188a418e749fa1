import json

import keras
import numpy as np
import pytest

from adversarial.saving import (
    all_variables,
    load_random_state,
    players_arguments,
    players_config,
    save_random_state,
)


def test_the_configuration_is_json_and_makes_the_same_players(small_gan):
    model = small_gan()
    config = json.loads(json.dumps(players_config(model.players)))
    arguments = players_arguments(config)
    assert arguments["player_models"] is None
    assert arguments["player_names"] == ["generator", "discriminator"]
    for player, owned in zip(
        model.players.values(), arguments["player_params"], strict=True
    ):
        assert [v.shape for v in player.variables] == [v.shape for v in owned]
        inside = {id(v) for v in arguments["base_model"].variables}
        assert all(id(v) in inside for v in owned)


def test_networks_that_come_back_different_are_refused(small_gan):
    config = players_config(small_gan().players)
    config["variables"][1] = [7, 7]
    with pytest.raises(ValueError, match="remade as they were saved"):
        players_arguments(config)


def test_random_state_goes_through_a_store(small_gan):
    networks = small_gan().networks
    seeds = [v for v in all_variables(networks) if "seed" in v.path]
    assert len(seeds) == 2
    store = {}
    save_random_state(networks, store)
    before = [np.array(v) for v in seeds]
    for v in seeds:
        v.assign(keras.ops.zeros_like(v))
    load_random_state(networks, store)
    for v, old in zip(seeds, before, strict=True):
        np.testing.assert_array_equal(v, old)
    with pytest.raises(ValueError, match="random state"):
        load_random_state(networks, {"0": before[0]})
