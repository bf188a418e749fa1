import numpy as np
import pytest

from adversarial.losses import NonSaturating, Penalty

VALUES = {"r1": np.random.default_rng(0).normal(size=6)}


def test_values_and_gradients_are_those_of_the_mean(agrees):
    agrees(Penalty("r1"), VALUES, lambda r1: {"discriminator": r1.mean()})


@pytest.mark.parametrize(
    "faulty", [lambda r1: r1.sum(), lambda r1: -r1.mean(), lambda r1: 0.0]
)
def test_a_faulty_penalty_is_told_apart(faulty, tells_apart):
    tells_apart(Penalty("r1"), VALUES, lambda r1: {"discriminator": faulty(r1)})


def test_a_sum_over_the_batch_would_depend_on_its_size(values):
    twice = {"r1": np.tile(VALUES["r1"], 2)}
    one, two = (values(Penalty("r1"), v) for v in (VALUES, twice))
    assert one["discriminator"] == pytest.approx(two["discriminator"])


def test_samples_are_weighted(values):
    weight = np.arange(6.0)
    found = values(Penalty("r1"), VALUES, sample_weight=weight)
    expected = (weight * VALUES["r1"]).mean()
    assert found["discriminator"] == pytest.approx(expected)


def test_any_shape_will_do(values):
    value = np.random.default_rng(0).normal(size=(4, 3, 2))
    found = values(Penalty("x", player="generator"), {"x": value})
    assert found == {"generator": pytest.approx(value.mean())}


def test_it_concerns_the_named_players_only():
    players = ["generator", "discriminator"]
    assert Penalty("r1").players_of(players) == ["discriminator"]
    assert Penalty("r1", players).players_of(players) == players
    outputs = {"yreal": np.zeros((6, 1)), "yfake": np.zeros((6, 1)), **VALUES}
    plain = NonSaturating()(players, outputs)
    both = (NonSaturating() + 3.0 * Penalty("r1"))(players, outputs)
    assert float(both["generator"]) == float(plain["generator"])
    added = float(both["discriminator"] - plain["discriminator"])
    assert added == pytest.approx(3 * VALUES["r1"].mean())


def test_an_output_that_is_not_there_is_refused(refused):
    message = refused(lambda: Penalty("r2")(["discriminator"], VALUES))
    assert "output in `Penalty(output=...)`" in message
    assert "did you mean 'r1'?" in message


def test_the_config_holds_all_arguments():
    config = {"output": "path_length", "player": ["generator"]}
    assert Penalty(**config).get_config() == config
    assert Penalty.from_config(config).get_config() == config
