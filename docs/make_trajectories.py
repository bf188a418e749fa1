"""Draws how every strategy plays min_x max_y x y, with the real package.

    python docs/make_trajectories.py [--out docs/pictures/trajectories]

One small picture per strategy, all with the same start, step and axes, and
`overview.png` with all of them. `StackelbergGradient` and `FollowTheRidge` need
a follower whose loss is curved, which that game does not have; they play
`RidgeG1` and `RidgeG3`.
"""

import argparse
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import matplotlib
import numpy as np
from PIL import Image

from adversarial import games, optimizers
from adversarial.momentum import MomentumSGD
from adversarial.testing import bilinear_rate

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.collections import LineCollection

HERE = Path(__file__).parent
RATE = 0.2
STEPS = 60
START = (1.0, 1.0)
SIDE = 2.1
RIDGE_RATE = 0.05
RIDGE_STEPS = 1000
INK, GREY, PALE, RED = "#20262e", "#8a919b", "#dfe3e8", "#d1495b"
MAP = matplotlib.colors.LinearSegmentedColormap.from_list(
    "path", ["#f0b429", "#d9653b", "#a23b72", "#3b3b98"]
)


@dataclass
class Play:
    """How a picture is played and what is written over it.

    Args:
        name: Of the file.
        title: The call.
        strategy: Makes the strategy.
        note: Its spectral radius, per step.
        optimizer: Makes a player's Keras optimizer.
        radius: What a step multiplies the distance by, if it always does.
    """

    name: str
    title: str
    strategy: Callable
    note: str
    optimizer: Callable = lambda: keras.optimizers.SGD(RATE)
    radius: float | None = None


def rated(name, title, strategy, *, optimizer=None, rate=None, **arguments):
    """A play whose radius is known in closed form."""
    found = bilinear_rate(rate or name, RATE, **arguments)
    more = {"optimizer": optimizer} if optimizer else {}
    return Play(
        name,
        title,
        strategy,
        written(found.radius),
        radius=found.radius if found.normal and not optimizer else None,
        **more,
    )


def written(radius):
    """The note of a spectral radius, with as many digits as it needs."""
    near = abs(1 - radius) < 1e-4
    close = f"1 - {1 - radius:.7f}" if near else f"{radius:.4f}"
    return f"spectral radius {close if abs(1 - radius) > 1e-12 else 1}"


def plays():
    """What is drawn, in the order of the overview."""
    o = optimizers
    sync = bilinear_rate("lookahead", RATE, period=5).radius ** (1 / 5)
    far, near = (bilinear_rate("sos", RATE, p=p).radius for p in (1, 0))
    penalty = {"y": {"x": 1.0}}
    return [
        rated("simultaneous", "Simultaneous()", o.Simultaneous),
        rated("alternating", "Alternating()", o.Alternating),
        rated(
            "scheduled",
            'Scheduled(["x", "y"])',
            lambda: o.Scheduled(["x", "y"]),
            rate="alternating",
        ),
        rated("extra_gradient", "ExtraGradient()", o.ExtraGradient),
        rated(
            "extra_gradient_bold",
            "ExtraGradient(3.0)",
            lambda: o.ExtraGradient(3.0),
            rate="extra_gradient",
            lookahead=3.0,
        ),
        rated(
            "extra_gradient_past",
            "ExtraGradient(reuse_past=True)",
            lambda: o.ExtraGradient(reuse_past=True),
            rate="extra_gradient",
            reuse_past=True,
        ),
        rated("optimistic", "Optimistic()", o.Optimistic),
        rated("prediction", "Prediction()", o.Prediction),
        rated("runge_kutta", 'RungeKutta("rk4")', o.RungeKutta),
        Play(
            "lookahead",
            "Lookahead(period=5)",
            o.Lookahead,
            written(sync),
        ),
        Play(
            "averaging",
            'Averaging(kind="uniform")',
            lambda: o.Averaging(kind="uniform"),
            "spectral radius 1, mean like 1/t",
        ),
        Play(
            "historical_averaging",
            "HistoricalAveraging()",
            o.HistoricalAveraging,
            "in the end like t^-0.96",
        ),
        Play("anderson", "Anderson()", o.Anderson, "ends after 3 steps"),
        rated(
            "unrolled",
            "Unrolled(3)",
            lambda: o.Unrolled(3),
            depth=3,
        ),
        rated(
            "unrolled_one_sided",
            'Unrolled({"x": 3})',
            lambda: o.Unrolled({"x": 3}),
            rate="unrolled",
            depth={0: 3},
        ),
        rated(
            "unrolled_constant",
            "Unrolled(3, through=False)",
            lambda: o.Unrolled(3, through=False),
            rate="unrolled",
            depth=3,
            through=False,
        ),
        rated("consensus", "Consensus(1.0)", o.Consensus),
        rated("jare", "JARE(1.0)", o.JARE),
        rated(
            "gradient_norm",
            'GradientNorm({"y": {"x": 1}})',
            lambda: o.GradientNorm(penalty),
            weights=[[0.0, 0.0], [1.0, 0.0]],
        ),
        rated(
            "odegan_regularizer",
            "ODEGANRegularizer(0.25)",
            lambda: o.ODEGANRegularizer(0.25, of="x", payer="y"),
            strength=0.25,
        ),
        rated(
            "hamiltonian_descent", "HamiltonianDescent()", o.HamiltonianDescent
        ),
        rated(
            "symplectic_gradient_adjustment",
            "SymplecticGradientAdjustment()",
            o.SymplecticGradientAdjustment,
        ),
        rated("policy_prediction", "PolicyPrediction()", o.PolicyPrediction),
        rated("lola", "LOLA()", o.LOLA),
        Play("sos", "SOS()", o.SOS, f"{written(far)}, then {near:.4f}"),
        rated(
            "competitive_gradient",
            "CompetitiveGradient()",
            o.CompetitiveGradient,
        ),
        rated("lead", "LEAD(0.5)", lambda: o.LEAD(0.5), strength=0.5),
        rated(
            "momentum_negative",
            "MomentumSGD(h, -0.5)",
            o.Alternating,
            rate="momentum_sgd",
            momentum=-0.5,
            optimizer=lambda: MomentumSGD(RATE, -0.5),
        ),
        rated(
            "momentum_complex",
            "MomentumSGD(h, 0.7, pi/2)",
            o.Simultaneous,
            rate="momentum_sgd",
            momentum=0.7,
            angle=math.pi / 2,
            inner="simultaneous",
            optimizer=lambda: MomentumSGD(RATE, 0.7, math.pi / 2),
        ),
    ]


RIDGES = {
    "stackelberg_gradient": (
        "StackelbergGradient",
        lambda: optimizers.StackelbergGradient("x", damping=0.0),
    ),
    "follow_the_ridge": (
        "FollowTheRidge",
        lambda: optimizers.FollowTheRidge("x", damping=0.0),
    ),
}


def compiled(game, strategy, optimizer):
    return game.compiled(
        strategy, [optimizer() for _ in game.players], dtype="float64"
    )


def bilinear_path(play):
    """The points, and for an average the points of the players as well."""
    game = games.Bilinear(start=START)
    model = compiled(game, play.strategy(), play.optimizer)
    if not isinstance(model.optimizer, optimizers.Averaging):
        points = game.play(model, STEPS)
        lengths = np.linalg.norm(points, axis=1)
        if play.radius:
            assert np.allclose(lengths[1:], play.radius * lengths[:-1])
        return points, None
    players, means = [game.point(model)], [game.point(model)]
    for _ in range(STEPS):
        players.append(game.play(model, 1)[-1])
        with model.optimizer.averaged():
            means.append(game.point(model))
    return np.stack(means), np.stack(players)


def line(axes, points, *, width=1.4, dots=5.0):
    """A path whose colour tells the time."""
    times = np.linspace(0, 1, len(points))
    pieces = np.stack([points[:-1], points[1:]], axis=1)
    axes.add_collection(
        LineCollection(pieces, colors=MAP(times[1:]), linewidths=width)
    )
    axes.scatter(
        *points[1:].T, s=dots, c=MAP(times[1:]), linewidths=0, zorder=3
    )
    axes.scatter(
        *points[0], s=26, c="white", edgecolors=INK, linewidths=1.1, zorder=4
    )
    axes.scatter(0, 0, s=34, marker="+", c=RED, linewidths=1.4, zorder=5)


def frame(axes, title, note, side=SIDE):
    axes.set(xlim=(-side, side), ylim=(-side, side), aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color=PALE)
    size = 7.2 if len(title) < 27 else 6.4
    axes.set_title(title, fontsize=size, color=INK, pad=11, weight="bold")
    axes.text(
        0.5,
        1.025,
        note,
        transform=axes.transAxes,
        ha="center",
        fontsize=6.4,
        color=GREY,
    )


def draw_bilinear(axes, play, points, players, plain):
    """The path over that of simultaneous steps, in grey."""
    for radius in (0.7, 1.4, 2.1):
        axes.add_patch(
            plt.Circle((0, 0), radius, fill=False, color=PALE, linewidth=0.5)
        )
    below = plain if players is None else players
    if play.name != "simultaneous":
        axes.plot(*below.T, color="#b6bcc5", linewidth=0.7)
    line(axes, points)
    frame(axes, play.title, play.note)


def draw_ridge(axes, name, game, note):
    """Contours of f, the path, and simultaneous steps in grey."""
    title, strategy = RIDGES[name]
    side = 9.0
    grid = np.linspace(-side, side, 121)
    values = [[game.values(np.array([x, y]))[0] for x in grid] for y in grid]
    axes.contour(
        grid,
        grid,
        np.cbrt(values),
        14,
        colors=PALE,
        linewidths=0.5,
        linestyles="solid",
    )

    def sgd():
        return keras.optimizers.SGD(RIDGE_RATE)

    def path(strategy):
        return game.play(compiled(game, strategy, sgd), RIDGE_STEPS)

    axes.plot(*path("simultaneous").T, color="#b6bcc5", linewidth=0.8)
    line(axes, path(strategy()), dots=2.0)
    frame(axes, f"{title}, {type(game).__name__}", note, side)


def ridge_games():
    return [
        (games.RidgeG1(), written(1 - 2 * RIDGE_RATE)),
        (games.RidgeG3(), "to a minimax point"),
    ]


def save(figure, path, dpi=140, colours=64):
    """Writes few colours: the pictures lie in the repository."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, facecolor="white")
    plt.close(figure)
    image = Image.open(buffer).convert("RGB")
    image = image.quantize(colours, dither=Image.Dither.NONE)
    image.save(path, optimize=True)


def cells(rows, columns, size=1.75):
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(size * columns, (size + 0.27) * rows),
        squeeze=False,
    )
    figure.subplots_adjust(
        left=0.03, right=0.97, bottom=0.02, top=1 - 0.33 / (2.02 * rows)
    )
    return figure, axes.ravel()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=HERE / "pictures" / "trajectories"
    )
    out = parser.parse_args(argv).out
    out.mkdir(parents=True, exist_ok=True)
    keras.config.set_floatx("float64")
    plt.rcParams["font.family"] = "DejaVu Sans"

    found = [(play, *bilinear_path(play)) for play in plays()]
    plain = found[0][1]
    for play, points, players in found:
        figure, (axes,) = cells(1, 1, 2.4)
        draw_bilinear(axes, play, points, players, plain)
        save(figure, out / f"{play.name}.png")
    for name in RIDGES:
        figure, pair = cells(1, 2, 2.4)
        for axes, (game, note) in zip(pair, ridge_games(), strict=True):
            draw_ridge(axes, name, game, note)
        save(figure, out / f"{name}.png", colours=128)

    columns = 8
    number = len(found) + len(RIDGES)
    figure, every = cells(math.ceil(number / columns), columns)
    for axes, (play, points, players) in zip(every, found, strict=False):
        draw_bilinear(axes, play, points, players, plain)
    rest = every[len(found) :]
    for axes, name in zip(rest, RIDGES, strict=False):
        draw_ridge(axes, name, *ridge_games()[0])
    for axes in rest[len(RIDGES) :]:
        axes.axis("off")
    save(figure, out / "overview.png", dpi=105)


if __name__ == "__main__":
    main()
