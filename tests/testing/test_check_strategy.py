"""A good strategy passes; each proof is failed by a strategy made to fail it.

Broken strategies go through all proofs but those that compile once more, so
that it is seen that they fail nothing else.
"""

import keras
import pytest
from engines import COMPILES, ENGINE

import adversarial
from adversarial import Joint
from adversarial.optimizers import ExtraGradient, Simultaneous
from adversarial.testing import (
    StrategyCheckError,
    bilinear_rate,
    check_strategy,
    references,
)
from adversarial.testing.check_strategy import PROOFS

PAIRS = {"players", "rate", "training"}
"""Proofs that need two players; the others are made without a GAN."""
OF_TENSORFLOW = {"xla", "tracing"}
"""Proofs that are failed by what only TensorFlow has."""
COSTLY = {"xla", "precisions", "slots", "training", "saving"}
registered = keras.saving.register_keras_serializable(package=__name__)


@registered
class HeavyBall(adversarial.AdversarialOptimizer):
    """theta <- theta - h xi + beta (theta - theta before)."""

    def __init__(self, beta=0.5):
        super().__init__()
        self.beta = beta

    def build(self, game):
        self.last = self.add_slots(game, "last")

    def step(self, game):
        theta, last = game.point, Joint(self.last)
        game.apply(game.field())
        game.assign(game.variables, game.point + self.beta * last)
        game.assign(self.last, game.point - theta)

    def get_config(self):
        return {"beta": self.beta}


def heavy_ball(game, theta, state, *, beta=0.5):
    before = state.get("before", theta)
    new = theta - game.D @ game.field(theta) + beta * (theta - before)
    return new, {"before": theta}


def test_a_users_own_strategy_passes_and_the_report_reads_well():
    strategy = HeavyBall(0.3)
    report = check_strategy(
        strategy,
        lambda game, theta, state: heavy_ball(game, theta, state, beta=0.3),
        field_only=True,
    )
    assert not report.failed
    left_out = [] if COMPILES else ["xla", "tracing"]
    assert report.skipped == ["matrix", "rate", *left_out]
    text, held = str(report), 18 - len(left_out)
    assert text.startswith(f"HeavyBall(beta=0.3): {held} of {held} hold")
    assert "  formula holds: 20 steps of 4 random games equal" in text
    assert "  rate skipped: no rate on the bilinear game was given." in text
    assert not strategy.built


class Simple(adversarial.AdversarialOptimizer):
    """Simultaneous steps, to be broken."""

    def step(self, game):
        game.apply(game.field())


@registered
class Forgetful(HeavyBall):
    def get_config(self):
        return {}


@registered
class Wrong(HeavyBall):
    """Plays with a number that is not the one it says."""

    def __init__(self, beta=0.5):
        super().__init__(beta)
        self.number = 0.1 + beta

    def get_config(self):
        return {"beta": 0.5}


@registered
class Sociable(Simple):
    players = 2

    def bind(self, game, optimizers):
        self.players = None
        super().bind(game, optimizers)


@registered
class Longer(Simple):
    def step(self, game):
        game.apply(game.field() * 1.01)


@registered
class Watchful(Simple):
    """Looks at the losses, which say more than the field."""

    def step(self, game):
        losses = game.losses()
        pace = {n: 1 + 0.1 * keras.ops.tanh(l) for n, l in losses.items()}
        game.apply(game.field() * pace)


@registered
class Unfair(Simple):
    def step(self, game):
        first = game.players[0]
        game.apply(game.field() * {n: 1 + (n == first) for n in game.players})


@registered
class Normed(Simple):
    """Makes every tensor's gradient as long as one."""

    def step(self, game):
        game.apply(
            game.field().map(
                lambda g: g / keras.ops.sqrt(keras.ops.sum(g**2) + 1e-3)
            )
        )


@registered
class Averse(Simple):
    """Divides by the number of opponents."""

    def step(self, game):
        game.apply(game.field() * (2 / (len(game.players) - 1)))


@registered
class Pythonic(Simple):
    """Counts in Python."""

    count = 0

    def step(self, game):
        self.count += 1
        game.apply(game.field() / self.count)


@registered
class Uncompilable(Simple):
    def step(self, game):
        import tensorflow as tf

        def same(x):
            y = tf.py_function(lambda t: t, [x], x.dtype)
            y.set_shape(x.shape)
            return y

        game.apply(game.field().map(same))


@registered
class Leaky(Simple):
    """Lets TensorFlow run one step eagerly after the first one."""

    looks = 0

    def look(self):
        import tensorflow as tf

        self.looks += 1
        tf.config.run_functions_eagerly(self.looks == 1)


@registered
class Wasteful(Simple):
    def step(self, game):
        game.apply((game.field() + game.field()) / 2)


@registered
class Deep(Simple):
    field_evaluations = 2

    def step(self, game):
        xi = game.field()
        game.apply(xi + 0.1 * game.vjp(xi))


@registered
class Late(Simple):
    """Reports the losses after the step."""

    def step(self, game):
        super().step(game)
        after = game._evaluate(None, game.players)
        game._reported = {
            n: (after.losses[n], after.outputs[n]) for n in game.players
        }


@registered
class Hoarder(Simple):
    """Keeps what overflows in half precision, and never gets rid of it."""

    def build(self, game):
        self.mean = self.add_slots(game, "mean")

    def step(self, game):
        mean = 0.5 * Joint(self.mean) + game.field()
        game.assign(self.mean, mean)
        game.apply(mean)


@registered
class Coarse(Simple):
    def build(self, game):
        self.notes = {
            name: [
                self.add_variable(v.shape, dtype="float32", name="note")
                for v in block
            ]
            for name, block in game.variables.items()
        }

    def step(self, game):
        xi = game.field()
        game.apply(xi)
        noted = xi.map(lambda g: keras.ops.cast(g, "float32"))
        game.assign(self.notes, noted)


@registered
class Twice(Simple):
    """Takes new moving statistics twice in a step."""

    def step(self, game):
        super().step(game)
        game._moved.clear()
        game.losses()
        nothing = {n: [None] * len(b) for n, b in game.variables.items()}
        game.apply(Joint(nothing))


@registered
class Still(Simple):
    """Loses what the evaluation found for the moving statistics."""

    def step(self, game):
        xi = game.field()
        game._fresh = {name: {} for name in game.players}
        game.apply(xi)


@registered
class Careless(Simple):
    """Writes to its memory whatever the batch is."""

    def build(self, game):
        self.seen = self.add_variable((), name="seen")

    def step(self, game):
        super().step(game)
        self.seen.assign(self.seen + 1)


@registered
class Oblivious(HeavyBall):
    def save_own_variables(self, store):
        pass

    def load_own_variables(self, store):
        pass


def matrix_of_simultaneous(game):
    return references.MATRICES["simultaneous"](game)


def rate_of_simultaneous(eta):
    return bilinear_rate("simultaneous", eta)


BROKEN = [
    ("config", Forgetful, {}, r"'beta' are missing"),
    ("config", lambda: Wrong(0.3), {}, r"it changes beta from 0.3 to 0.5"),
    ("players", Sociable, {}, r"`players = 2` must refuse 1; it is compiled"),
    (
        "formula",
        Longer,
        {"reference": references.STEPS["simultaneous"]},
        r"20 steps must equal the reference's to 1e-12; they are off by "
        r"\d\.\de-0\d with 3 players and seed 0, from step 1 on",
    ),
    (
        "matrix",
        Longer,
        {"matrix": matrix_of_simultaneous},
        r"columns of the update matrix, to 1e-10; they are off by \d.\de-0\d",
    ),
    (
        "rate",
        Longer,
        {"rate": rate_of_simultaneous},
        r"steps of 0.05 must multiply the distance by 1.00124.*; they do by",
    ),
    (
        "equivalence",
        Watchful,
        {"field_only": True},
        r"must change nothing; the points change by \d.\de-0\d",
    ),
    (
        "equivalence",
        Simultaneous,
        {"field_only": False},
        r"must change what the players do; the points change by 0.0e\+00",
    ),
    ("relabelling", Unfair, {}, r"players in another order.* change by"),
    ("splitting", Normed, {}, r"in two variables must change nothing; .* by"),
    ("one_player", Averse, {}, r"raised ZeroDivisionError: division by zero"),
    (
        "one_player",
        ExtraGradient,
        {"alone_as_fit": True},
        r"trained as Keras' `fit` does, with Adam; the points differ by",
    ),
    ("eager", Pythonic, {}, r"compiled and run eagerly; .* differ by \d\.\d"),
    ("xla", Uncompilable, {}, r"cannot compile the step with XLA .*PyFunc"),
    ("tracing", Leaky, {}, r"must be traced once .* was 2 times"),
    ("evaluations", Wasteful, {}, r"is declared as 1; a step makes 2 for each"),
    ("order", Deep, {}, r"`order` is declared as 1; a step nests 2"),
    ("losses", Late, {}, r"the reported losses must be those before the step"),
    (
        "precisions",
        Hoarder,
        {},
        r"in mixed_float16 and mixed_bfloat16 must be finite; .*'hoarder",
    ),
    ("slots", Coarse, {}, r"dtype of the .*note' is float32 where .* float64"),
    ("training", Twice, {}, r"at most once per step; .*, 2, 2 times"),
    ("training", Still, {}, r"by a player's own moves; .* 0, 0 times"),
    ("nonfinite", Careless, {}, r"a batch that is NaN must .*seen' changed"),
    (
        "saving",
        Oblivious,
        {},
        r"as if never stopped; the points differ by .* 1 steps later",
    ),
]


@pytest.mark.parametrize(
    ("proof", "strategy", "claims", "words"),
    BROKEN,
    ids=[f"{proof}-{number}" for number, (proof, *_) in enumerate(BROKEN)],
)
def test_a_broken_strategy_fails_its_proof_alone(
    proof, strategy, claims, words
):
    if proof in OF_TENSORFLOW and ENGINE != "tensorflow":
        pytest.skip("Others trace all of a step with XLA, or nothing.")
    if proof == "eager" and not COMPILES:
        pytest.skip("There is no other than the eager step.")
    if proof not in PAIRS:
        claims = {"players": [1, 3], **claims}
    with pytest.raises(StrategyCheckError, match=words) as error:
        check_strategy(strategy, skip=COSTLY - {proof}, **claims)
    assert error.value.report.failed == [proof]
    assert f"\n  {proof}: " in str(error.value)
    assert error.value.report[proof].outcome == "fails"


def test_every_proof_is_failed_by_a_broken_strategy():
    assert {proof for proof, *_ in BROKEN} == set(PROOFS)


def test_a_strategy_that_raises_is_said_to():
    class Raising(Simple):
        def step(self, game):
            raise ArithmeticError("no move comes to mind\nat all")

    with pytest.raises(StrategyCheckError) as error:
        check_strategy(Raising, only=["losses"])
    assert (
        "  losses: raised ArithmeticError: no move comes to mind"
        in str(error.value).splitlines()
    )


def test_a_class_that_keras_cannot_find_is_told_to_be_registered():
    class Local(Simple):
        pass

    with pytest.raises(StrategyCheckError, match="register_keras_serializ"):
        check_strategy(Local, only=["config"])


def test_names_configs_objects_and_functions_are_checked():
    config = keras.saving.serialize_keras_object(Simultaneous())
    for strategy in ("simultaneous", config, Simultaneous(), Simultaneous):
        report = check_strategy(strategy, only=["config"])
        assert report["config"].outcome == "holds"
        assert [proof.name for proof in report.proofs] == ["config"]


def test_proofs_can_be_chosen_and_left_out():
    report = check_strategy(
        Simultaneous, only=["order", "config", "players"], skip=["players"]
    )
    assert [proof.name for proof in report.proofs] == ["config", "order"]
    with pytest.raises(ValueError, match="did you mean 'formula'"):
        check_strategy(Simultaneous, only=["formulae"])
    with pytest.raises(ValueError, match="Unknown proof: 'speed'"):
        check_strategy(Simultaneous, skip=["speed"])


def test_a_strategy_in_use_is_refused():
    model = adversarial_model()
    strategy = Simultaneous()
    model.compile(strategy, "sgd")
    with pytest.raises(ValueError, match="must be unused"):
        check_strategy(strategy)


def adversarial_model():
    x = keras.Input((1,))
    layers = [keras.layers.Dense(1), keras.layers.Dense(1)]
    network = keras.Model(x, [layer(x) for layer in layers])
    return adversarial.AdversarialModel(network, player_params=layers)


def test_the_precision_of_keras_is_as_before():
    check_strategy(Simultaneous, only=["losses"])
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_a_rule_for_two_players_is_played_by_two():
    class Pair(Simple):
        players = 2

    report = check_strategy(Pair, only=["losses", "players", "one_player"])
    words = report["players"].words
    assert words == "2 players are accepted, and no other number."
    assert report.skipped == ["one_player"]
