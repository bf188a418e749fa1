import numpy as np
import pytest
from engines import COMPILES

from adversarial.optimizers import Lookahead, Simultaneous
from adversarial.testing.linear_model import precision
from adversarial.testing.report import NotApplicable
from adversarial.testing.subject import Claims, Subject, memory_of


class Pair(Simultaneous):
    players = 2


def subject(make=Simultaneous, **claims):
    return Subject(make(), make, Claims(**claims))


@pytest.fixture(autouse=True)
def double():
    with precision("float64"):
        yield


@pytest.mark.parametrize(
    ("make", "claims", "counts", "many", "few"),
    [
        (Simultaneous, {}, [1, 2, 3], 3, 2),
        (Simultaneous, {"players": [4, 2]}, [2, 4], 4, 2),
        (Simultaneous, {"players": [1]}, [1], 1, 1),
        (Pair, {}, [2], 2, 2),
    ],
)
def test_it_is_played_by_as_many_as_it_declares_or_is_claimed(
    make, claims, counts, many, few
):
    found = subject(make, **claims)
    assert (found.counts, found.many, found.few) == (counts, many, few)


def test_blocks_and_names_go_on_for_ever():
    found = subject(names=["x", "y"])
    assert found.blocks(5) == [2, 3, 1, 2, 3]
    assert found.names(4) == ["x", "y", "p2", "p3"]
    assert found.names(1) == ["x"]


def test_games_are_zero_sum_if_they_are_to_be():
    game = subject(zero_sum=True).game(3)
    np.testing.assert_allclose(game.matrices.sum(0), 0, atol=1e-15)
    assert np.abs(subject().game(3).matrices.sum(0)).max() > 0.1
    assert np.abs(subject(zero_sum=True).game(1).matrices).max() > 0.1


def test_models_in_another_order_keep_the_names():
    model = subject().model(3, [2, 0, 1], run_eagerly=True)
    sizes = {n: p.variables[0].shape[0] for n, p in model.model.players.items()}
    assert list(sizes.items()) == [("p2", 1), ("p0", 2), ("p1", 3)]


def test_the_pair_is_compiled_by_xla_only_if_that_is_checked():
    for checked in (True, False):
        found = Subject(
            Simultaneous(), Simultaneous, Claims(), checks_xla=checked
        )
        assert (found.pair.model.jit_compile) is (checked and COMPILES)
        if COMPILES:
            assert (found.pair is found.xla) is checked


def test_without_two_players_there_is_no_gan_but_single_precision():
    found = subject(players=[3])
    with pytest.raises(NotApplicable, match="two players"):
        found.gan  # noqa: B018
    with precision("float32"):
        assert list(found.single.model.players) == ["p0", "p1", "p2"]


def test_the_memory_is_what_a_strategy_and_its_inner_ones_remember():
    found = subject(lambda: Lookahead(Lookahead("simultaneous", 2), 4))
    strategy = found.model(2, run_eagerly=True).strategy
    slots = [*strategy.slow.values(), *strategy.inner.slow.values()]
    expected = {id(v) for block in slots for v in block}
    found = {id(v): v.name for v in memory_of(strategy)}
    assert expected <= set(found)
    others = [name for key, name in found.items() if key not in expected]
    # That of a strategy itself, which Keras makes and nobody uses.
    assert set(others) == {"learning_rate"}
