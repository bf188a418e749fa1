import keras

from adversarial.assembly import assemble
from adversarial.summary import player_table


def two_players():
    """Players that own 6 and 12,000 numbers, on one base model."""
    x = keras.Input((2,))
    small = keras.layers.Dense(2)
    large = keras.layers.Dense(6000, use_bias=False)
    base = keras.Model(x, [small(x), large(x)], name="base")
    params = {"generator": small, "critic": large}
    return assemble(base, None, params, None)


def test_the_table_says_who_plays_on_what_and_owns_how_much():
    players = two_players()
    players["generator"].optimizer = keras.optimizers.Adam()
    rule = "-" * len("critic     base     12,000 in 1 variable  not compiled")
    assert player_table("game", players).splitlines() == [
        'Game: "game"',
        rule,
        "Player     Network  Parameters owned      Optimizer",
        rule,
        "generator  base     6 in 2 variables      Adam",
        "critic     base     12,000 in 1 variable  not compiled",
        rule,
    ]


def test_an_optimizer_with_a_loss_scale_is_shown_with_what_is_inside():
    players = two_players()
    players["critic"].optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD()
    )
    last = player_table("game", players).splitlines()[-2]
    assert last.endswith("  LossScaleOptimizer(SGD)")


def test_no_line_ends_in_spaces_and_the_rules_are_as_long_as_the_rows():
    lines = player_table("game", two_players()).splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert len(lines[1]) == max(map(len, lines))
