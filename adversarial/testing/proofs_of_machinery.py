"""Proofs that a strategy works wherever Keras runs it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from adversarial import backend
from adversarial.errors import quoted
from adversarial.testing.linear_game import Array, LinearGame
from adversarial.testing.linear_model import (
    LinearModel,
    numbers,
    precision,
)
from adversarial.testing.proofs_of_rules import off
from adversarial.testing.report import (
    NotApplicable,
    Refuted,
    first_line,
    listed,
)
from adversarial.testing.small_models import SmallModel
from adversarial.testing.subject import MIXED, Subject, memory_of

STEPS = 5
LOGGED = 1e-6
"""Means of losses are kept in single precision."""

NET_STEPS = 10
"""Enough for a loss scale to shrink and for every player to move."""

OVERFLOW = 1e200
"""Its square is infinite."""


def _needs_compiled_steps() -> None:
    if not backend.compiles_steps():
        engine = keras.backend.backend()
        raise NotApplicable(f"the engine '{engine}' compiles no steps.")


def eager(subject: Subject) -> str:
    """The compiled step equals the eager one."""
    found = subject.first_points(subject.graph)
    error = off(found, subject.eager_points)
    if not error <= subject.claims.tolerance:
        raise Refuted(
            "a step must be the same compiled and run eagerly; the points "
            f"differ by {error:.1e}. Does it decide in Python what should be "
            "decided with `keras.ops.where`, or keep state in Python?"
        )
    return f"compiled and eager steps agree ({error:.0e})."


def xla(subject: Subject) -> str:
    """The step compiled by XLA equals the eager one."""
    _needs_compiled_steps()
    try:
        found = subject.first_points(subject.xla)
    except Exception as reason:
        raise Refuted(
            "The engine cannot compile the step with XLA "
            f"(`jit_compile=True`): {first_line(reason)}"
        ) from reason
    model = subject.model(subject.few, run_eagerly=True)
    error = off(found, subject.first_points(model))
    if not error <= subject.claims.tolerance:
        raise Refuted(
            "a step must be the same compiled by XLA and run eagerly; the "
            f"points differ by {error:.1e}."
        )
    return f"steps compiled by XLA and eager ones agree ({error:.0e})."


def tracing(subject: Subject) -> str:
    """The step is traced once."""
    _needs_compiled_steps()
    model = subject.graph
    for seed in range(2):
        n = subject.many
        model.play(subject.game(n, seed), subject.start(n, seed), STEPS)
    if model.traces != 1:
        raise Refuted(
            "a step must be traced once for all batches of one signature; it "
            f"was {model.traces} times."
        )
    return "the step is traced once."


def losses(subject: Subject) -> str:
    """The reported losses are those before the step."""
    n, model = subject.many, subject.graph
    game = subject.game(n)
    model.play(game, subject.start(n), 1)
    for _ in range(STEPS):
        expected = game.losses(model.theta)
        found = model.step(game)
        if off(found, expected) > LOGGED:
            raise Refuted(
                f"the reported losses must be those before the step, "
                f"{expected}; they are {found}."
            )
    return "the reported losses are those before the step."


def precisions(subject: Subject) -> str:
    """Runs in all precisions are finite."""
    double = subject.first_points(subject.graph)
    if not np.isfinite(double).all():
        raise Refuted("a run in float64 must be finite; it is not.")
    with precision("float32"):
        _check_run(subject.single, NET_STEPS, "in float32")
        _check_run(subject.mixed, NET_STEPS, f"in {' and '.join(MIXED)}")
    return f"runs in float64, float32, {', '.join(MIXED)} are finite."


def slots(subject: Subject) -> str:
    """What the strategy remembers is as precise as the parameters."""
    models: dict[str, LinearModel | SmallModel]
    models = {"float64": subject.graph, "float32": subject.mixed}
    coarse = [
        f"'{v.path}' is {v.dtype} where parameters are {dtype}"
        for dtype, model in models.items()
        for v in memory_of(model.strategy)
        if v.shape and "float" in v.dtype and v.dtype != dtype
    ]
    if coarse:
        raise Refuted(
            "slots must have the dtype of the parameters, as `add_slots` "
            f"gives them; {', '.join(coarse)}."
        )
    return "slots have the dtype of the parameters."


def training(subject: Subject) -> str:
    """A GAN trains, and the players' state is updated once per step."""
    gan = subject.gan
    names = quoted(gan.model.players)
    with precision("float32"):
        _check_run(gan, NET_STEPS, "of a GAN")
        for _ in range(NET_STEPS):
            before = gan.updates
            gan.step()
            kept = np.subtract(gan.updates, before)
            if not np.isin(kept, (0.0, 1.0)).all():
                raise Refuted(
                    "moving statistics must be updated at most once per step; "
                    f"those of {names} were, {listed(kept)} times."
                )
    if min(gan.updates) < 1:
        raise Refuted(
            "moving statistics must be updated by a player's own moves; those "
            f"of {names} were, {listed(gan.updates)} times in "
            f"{2 * NET_STEPS} steps."
        )
    return "a GAN trains; moving statistics are updated once per step."


def nonfinite(subject: Subject) -> str:
    """A batch that is not finite changes nothing."""
    n, model = subject.many, subject.graph
    game = subject.game(n)
    for name, value in (("NaN", np.nan), ("overflowing", OVERFLOW)):
        model.play(game, subject.start(n), STEPS)
        bad = np.full_like(numbers(game), value)
        _check_unmoved(model, partial(model.step, bad), name, value)
        _check_goes_on(model, partial(model.step, game), name)
    _check_no_trace(subject, model, game)
    if 2 in subject.counts:
        with precision("float32"):
            gan = subject.gan
            gan.step()
            bad = partial(gan.step, good=False)
            _check_unmoved(gan, bad, "NaN", np.nan)
            _check_goes_on(gan, gan.step, "NaN")
    return "batches that are not finite change nothing."


def saving(subject: Subject) -> str:
    """Saved, loaded and continued is as never stopped, bit for bit."""
    n, model = subject.many, subject.graph
    game = subject.game(n)
    model.play(game, subject.start(n), STEPS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.model.save(path)
        loaded = LinearModel(keras.saving.load_model(path))
    pairs = [(model.theta, loaded.theta, "right after loading")]
    for k in range(STEPS):
        model.step(game)
        loaded.step(game)
        pairs.append((model.theta, loaded.theta, f"{k + 1} steps later"))
    for going_on, again, when in pairs:
        if not np.array_equal(going_on, again):
            raise Refuted(
                "a model that was saved and loaded must go on as if never "
                f"stopped; the points differ by {off(again, going_on):.1e} "
                f"{when}. Is all state in variables made in `build`?"
            )
    return "saved, loaded and continued is as never stopped, bit for bit."


def _check_run(trained: SmallModel, steps: int, what: str) -> None:
    before = trained.model.get_weights()
    for _ in range(steps):
        trained.step()
    bad = [path for path, x in _state(trained).items() if not _finite(x)]
    if bad:
        raise Refuted(
            f"a run {what} must be finite; after {steps} steps "
            f"{_paths(bad)} are not."
        )
    after = trained.model.get_weights()
    if all(np.array_equal(a, b) for a, b in zip(before, after, strict=True)):
        raise Refuted(f"a run {what} must move; in {steps} steps nobody does.")


def _state(played: LinearModel | SmallModel) -> dict[str, Array]:
    """All that a bad step must leave alone, by path."""
    players = played.model.players.values()
    moved = [v for p in players for v in (*p.variables, *p.state)]
    optimizers = played.strategy.player_optimizers.values()
    inside = [v for o in optimizers for v in o.variables]
    every = [*moved, *memory_of(played.strategy), *inside]
    return {f"{k}:{v.path}": np.array(v) for k, v in enumerate(every)}


def _check_unmoved(
    played: LinearModel | SmallModel, step: Any, name: str, value: float
) -> None:
    before = _state(played)
    step()
    after = _state(played)
    changed = [
        path
        for path, old in before.items()
        if not np.array_equal(old, after[path])
        # A step along the signs of what overflows may be made.
        and not (np.isfinite(value) and _finite(after[path]))
    ]
    if changed:
        raise Refuted(
            f"a batch that is {name} must change neither weights nor slots; "
            f"{_paths(changed)} changed. Are slots written with `game.assign`?"
        )


def _check_goes_on(
    played: LinearModel | SmallModel, step: Any, name: str
) -> None:
    before = _state(played)
    for _ in range(STEPS):
        step()
    after = _state(played)
    finite = all(map(_finite, after.values()))
    if not finite or all(np.array_equal(before[k], after[k]) for k in before):
        raise Refuted(
            f"after a batch that is {name} training must go on; "
            f"{'nothing moves' if finite else 'not all is finite'}."
        )


def _check_no_trace(
    subject: Subject, model: LinearModel, game: LinearGame
) -> None:
    """Compares a run that begins with a bad batch with one without it."""
    start = subject.start(subject.many)
    model.play(game, start, STEPS)
    expected = _state(model)
    model.play(game, start, 0)
    model.step(np.full_like(numbers(game), np.nan))
    for _ in range(STEPS):
        model.step(game)
    found = _state(model)
    other = [k for k, x in expected.items() if not np.array_equal(x, found[k])]
    if other:
        raise Refuted(
            "a first batch that is NaN must leave no trace; "
            f"{STEPS} steps later {_paths(other)} are others. Are steps "
            "counted by `iterations`, or by a variable written with "
            "`game.assign`?"
        )


def _finite(x: Array) -> bool:
    return bool(np.isfinite(x.astype("float64")).all())


def _paths(keys: Iterable[str]) -> str:
    """Some of the paths of variables."""
    return quoted([key.partition(":")[2] for key in keys][:3])
