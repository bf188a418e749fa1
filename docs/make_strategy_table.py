"""Writes the table of strategies into `how_to_choose.md`.

    python docs/make_strategy_table.py

The facts are those that the strategies declare; the state is measured on a
compiled model; the behaviour is that of the real package on four games of
three players and one number each. The last column is there if
`benchmarks/results/strategy_cost.json` is: a JSON object whose `cost` holds,
by name (`extra_gradient`, `extra_gradient_past`, ...), the time of a step in
units of a simultaneous step.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

import adversarial
from adversarial import games, optimizers
from adversarial.games.player_parameters import PlayerParameters

HERE = Path(__file__).parent
PAGE = HERE / "how_to_choose.md"
COSTS = HERE.parent / "benchmarks" / "results" / "strategy_cost.json"
PLAYERS = ("a", "b", "c")
RATE = 0.1
STEPS = 600
NEARER, FARTHER = 0.5, 2.0
"""What of the first distance is left where a strategy converges, diverges."""

FACTS = {
    "alternating": "1",
    "anderson": "of `inner`",
    "averaging": "of `inner`",
    "balanced": "of `inner`",
    "competitive_gradient": "1 + 1 per iteration",
    "follow_the_ridge": "2 + 2 per iteration",
    "gradient_norm": "1 + those penalised",
    "historical_averaging": "of `inner`",
    "lola": "3 + cross gradients",
    "lookahead": "of `inner`",
    "odegan_regularizer": "of `inner` + 1/n",
    "optimistic": "of `inner`",
    "phases": "of the phase",
    "policy_prediction": "2",
    "scheduled": "1/n per player in the entry",
    "sos": "3 + cross gradients",
    "stackelberg_gradient": "2 + 1 per iteration",
    "unrolled": "1 + depth",
}
"""Field evaluations where the number depends on arguments."""

FAMILIES = {
    "gradient_norm": (
        "consensus",
        "hamiltonian_descent",
        "jare",
        "odegan_regularizer",
    ),
    "opponent_shaping": ("lola", "policy_prediction", "sos"),
}
"""Pages for several strategies."""


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Args:
        name: The registered name of the strategy.
        call: What is written in the first column.
        make: Makes the strategy.
        variant: What is added to the name where there are several rows.
    """

    name: str
    call: str
    make: Callable
    variant: str = ""


def rows():
    """All strategies, in the order of the table."""
    o = optimizers
    return [
        Row("simultaneous", "Simultaneous()", o.Simultaneous),
        Row("alternating", "Alternating()", o.Alternating),
        Row(
            "scheduled",
            'Scheduled(["a", "b", "c"])',
            lambda: o.Scheduled(PLAYERS),
        ),
        Row(
            "phases",
            'Phases([(50, "simultaneous"), "lookahead"])',
            lambda: o.Phases([(50, "simultaneous"), "lookahead"]),
        ),
        Row("extra_gradient", "ExtraGradient()", o.ExtraGradient),
        Row(
            "extra_gradient",
            "ExtraGradient(reuse_past=True)",
            lambda: o.ExtraGradient(reuse_past=True),
            "_past",
        ),
        Row("optimistic", "Optimistic()", o.Optimistic),
        Row("prediction", "Prediction()", o.Prediction),
        Row("runge_kutta", "RungeKutta()", o.RungeKutta),
        Row("lookahead", "Lookahead()", o.Lookahead),
        Row("averaging", "Averaging()", o.Averaging),
        Row(
            "historical_averaging",
            "HistoricalAveraging()",
            o.HistoricalAveraging,
        ),
        Row(
            "balanced",
            'Balanced(skip={"a": 0})',
            lambda: o.Balanced(skip={"a": 0}),
        ),
        Row("anderson", "Anderson()", o.Anderson),
        Row("unrolled", 'Unrolled({"a": 5})', lambda: o.Unrolled({"a": 5})),
        Row(
            "unrolled",
            'Unrolled({"a": 5}, through=False)',
            lambda: o.Unrolled({"a": 5}, through=False),
            "_constant",
        ),
        Row("consensus", "Consensus()", o.Consensus),
        Row("jare", "JARE()", o.JARE),
        Row(
            "gradient_norm",
            'GradientNorm({"b": {"a": 1}})',
            lambda: o.GradientNorm({"b": {"a": 1.0}}),
        ),
        Row(
            "odegan_regularizer",
            'ODEGANRegularizer(0.5, "a", "b")',
            lambda: o.ODEGANRegularizer(0.5, "a", "b"),
        ),
        Row(
            "hamiltonian_descent", "HamiltonianDescent()", o.HamiltonianDescent
        ),
        Row(
            "symplectic_gradient_adjustment",
            "SymplecticGradientAdjustment()",
            o.SymplecticGradientAdjustment,
        ),
        Row(
            "symplectic_gradient_adjustment",
            'SymplecticGradientAdjustment(align="cosine")',
            lambda: o.SymplecticGradientAdjustment(align="cosine"),
            "_cosine",
        ),
        Row("policy_prediction", "PolicyPrediction()", o.PolicyPrediction),
        Row("lola", "LOLA()", o.LOLA),
        Row("sos", "SOS()", o.SOS),
        Row(
            "competitive_gradient",
            "CompetitiveGradient()",
            o.CompetitiveGradient,
        ),
        Row("lead", "LEAD(0.1)", lambda: o.LEAD(0.1)),
        Row(
            "stackelberg_gradient",
            'StackelbergGradient("a")',
            lambda: o.StackelbergGradient("a"),
        ),
        Row(
            "follow_the_ridge",
            'FollowTheRidge("a")',
            lambda: o.FollowTheRidge("a"),
        ),
    ]


def page_of(name):
    """The page of a strategy, which it may share with its family."""
    pages = [page for page, names in FAMILIES.items() if name in names]
    return pages[0] if pages else name


def of_jacobian(jacobian):
    """The matrices of three losses with this Jacobian of the field."""
    matrices = np.zeros((3, 3, 3))
    for i, row in enumerate(np.asarray(jacobian, "float64")):
        matrices[i, i] = matrices[i, :, i] = row
    return matrices


GAMES = {
    "Bilinear": of_jacobian([[0, 1, 0], [-1, 0, 0], [0, 0, 0]]),
    "Cyclic": of_jacobian([[0, 1, -1], [-1, 0, 1], [1, -1, 0]]),
    "Repelling": of_jacobian([[-0.2, 1, 0], [-1, -0.2, 0], [0, 0, 0]]),
    "Potential": np.stack([[[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]]] * 3),
}
STARTS = {
    "Bilinear": [1.0, 1.0, 0.0],
    "Cyclic": [1.0, 0.0, -1.0],
    "Repelling": [0.01, 0.01, 0.0],
    "Potential": [1.0, 0.5, -1.0],
}
"""The equilibrium is the origin, in each game."""


class FedLosses(adversarial.losses.AdversarialLoss):
    """l_i = theta^T Q_i theta / 2, where the matrices Q_i are the batch."""

    def call(self, outputs, targets=None):
        *blocks, matrices = outputs
        theta = ops.concatenate(blocks, axis=-1)
        values = ops.einsum("bi,bpij,bj->bp", theta, matrices, theta) / 2
        return [values[:, player] for player in range(len(PLAYERS))]


def model():
    """Three players of one number each, in the game that they are fed."""
    matrices = keras.Input((3, 3, 3), dtype="float64")
    layers = {
        name: PlayerParameters([(1,)], name=name, dtype="float64")
        for name in PLAYERS
    }
    outputs = [layer(matrices)[0] for layer in layers.values()]
    return adversarial.AdversarialModel(
        base_model=keras.Model(matrices, [*outputs, matrices]),
        player_params=layers,
    )


def measured(strategy):
    """What a strategy does on each game: a word by game."""
    played = model()
    played.compile(
        strategy,
        [keras.optimizers.SGD(RATE) for _ in PLAYERS],
        FedLosses(),
        jit_compile=False,
        steps_per_execution=STEPS,
    )
    variables = [*played.variables, *played.optimizer.variables]
    first = [ops.convert_to_numpy(v) for v in variables]
    found = {}
    for game, matrices in GAMES.items():
        for variable, value in zip(variables, first, strict=True):
            variable.assign(value)
        players = [p.variables[0] for p in played.players.values()]
        for variable, value in zip(players, STARTS[game], strict=True):
            variable.assign([value])
        batches = np.repeat(matrices[None], STEPS, axis=0)
        played.fit(batches, batch_size=1, shuffle=False, verbose=0)
        end = np.ravel([ops.convert_to_numpy(v) for v in players])
        left = np.linalg.norm(end) / np.linalg.norm(STARTS[game])
        found[game] = word_for(game, left)
    return found


def word_for(game, left):
    if not left < FARTHER:
        return "leaves" if game == "Repelling" else "diverges"
    if left < NEARER:
        return "caught" if game == "Repelling" else "converges"
    return "circles"


def copies(strategy):
    """How many copies of the parameters a strategy keeps."""
    game = games.random_quadratic([20, 30, 10])
    game = games.Quadratic(
        game.matrices, game.vectors, game.blocks, players=PLAYERS
    )
    compiled = game.compiled(strategy, RATE)
    size = sum(game.blocks)
    others = [
        v for o in strategy.player_optimizers.values() for v in o.variables
    ]
    others += compiled.trainable_variables
    known = set(map(id, others))
    kept = sum(
        int(np.prod(v.shape))
        for v in strategy.variables
        if id(v) not in known and len(v.shape)
    )
    assert kept % size == 0
    return kept // size


def facts(row):
    """The columns that do not need a game to be played."""
    strategy = row.make()
    evaluations = strategy.field_evaluations
    number = copies(strategy)
    return [
        f"[`{row.call}`](strategies/{page_of(row.name)}.md)",
        str(strategy.order),
        "any" if strategy.players is None else str(strategy.players),
        FACTS[row.name] if evaluations is None else f"{evaluations:g}",
        {0: "", 1: "1 copy"}.get(number, f"{number} copies"),
    ]


def costs():
    """The time of a step by name, or nothing if it was not measured."""
    return json.loads(COSTS.read_text())["cost"] if COSTS.is_file() else {}


def table(behaviours):
    """The lines of the table, given the behaviour for each row."""
    cost = costs()
    head = ["Strategy", "Order", "Players", "Field evaluations", "State"]
    head += [*GAMES, *(["Cost"] if cost else [])]
    lines = [head, ["---"] * len(head)]
    for row, words in zip(rows(), behaviours, strict=True):
        line = [*facts(row), *(words[game] for game in GAMES)]
        if cost:
            time = cost.get(row.name + row.variant)
            line.append("" if time is None else f"{time:.1f}")
        lines.append(line)
    return ["| " + " | ".join(line) + " |" for line in lines]


def between(page, name, lines):
    """A page with what is between two markers replaced."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return before + begin + "\n" + "\n".join(lines) + "\n\n" + end + after


def main():
    keras.config.set_floatx("float64")
    lines = table([measured(row.make()) for row in rows()])
    PAGE.write_text(between(PAGE.read_text(), "strategies", lines))


if __name__ == "__main__":
    main()
