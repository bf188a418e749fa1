"""Proofs that a strategy is what it declares."""

from __future__ import annotations

import json
from inspect import Parameter, signature
from itertools import takewhile
from typing import Any

import keras

from adversarial.errors import quoted
from adversarial.optimizers import AdversarialOptimizer
from adversarial.testing.report import (
    NotApplicable,
    Refuted,
    first_line,
    listed,
)
from adversarial.testing.subject import Subject


def config(subject: Subject) -> str:
    """The configuration makes the strategy again, with all arguments."""
    given = subject.strategy
    lost = set(_arguments(type(given))) - set(given.get_config())
    if lost:
        raise Refuted(
            "`get_config` must return every argument; "
            f"{quoted(sorted(lost))} are missing."
        )
    try:
        text = json.dumps(keras.saving.serialize_keras_object(given))
        again = keras.saving.deserialize_keras_object(json.loads(text))
    except Exception as error:
        raise Refuted(
            "the configuration must make the strategy again; it raises "
            f"{first_line(error)} Is the class registered with "
            "`keras.saving.register_keras_serializable`, and all of "
            "`get_config` plain numbers, strings, lists and dicts?"
        ) from error
    changed = [
        f"{name} from {before!r} to {after!r}"
        for name, before, after in _changes(given, again)
    ]
    if type(again) is not type(given) or changed:
        raise Refuted(
            "the configuration must make the strategy again; it changes "
            f"{', '.join(changed) or type(again).__name__}."
        )
    return "the configuration makes the strategy again."


def players(subject: Subject) -> str:
    """The declared number of players is accepted, and no other."""
    for n in subject.counts:
        subject.model(n)
    declared = subject.strategy.players
    if declared is None:
        return f"{listed(subject.counts)} players are accepted."
    for n in (declared - 1, declared + 1):
        if n > 0:
            try:
                subject.model(n)
            except ValueError:
                continue
            raise Refuted(
                f"a strategy that declares `players = {declared}` must "
                f"refuse {n}; it is compiled."
            )
    return f"{declared} players are accepted, and no other number."


def evaluations(subject: Subject) -> str:
    """The declared number of field evaluations is the counted one."""
    declared = subject.strategy.field_evaluations
    if declared is None:
        raise NotApplicable("`field_evaluations` is declared as None.")
    steps = len(subject.eager_points) - 1
    found = subject.meter.evaluations / steps
    if abs(found - declared) > 1e-6:
        raise Refuted(
            f"`field_evaluations` is declared as {declared:g}; a step makes "
            f"{found:g} for each player."
        )
    return f"{found:g} field evaluations per step, as declared."


def order(subject: Subject) -> str:
    """The declared order of derivatives is the one that is taken."""
    subject.eager_points  # noqa: B018  # It is what is measured.
    declared, found = subject.strategy.order, subject.meter.order
    if declared != found:
        raise Refuted(
            f"`order` is declared as {declared}; a step nests {found} "
            "derivatives."
        )
    return f"derivatives of order {found}, as declared."


def _arguments(cls: type) -> list[str]:
    if not any("__init__" in vars(c) for c in _below(cls)):
        return []
    kinds = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    parameters = signature(cls).parameters.values()
    return [p.name for p in parameters if p.kind not in kinds]


def _below(cls: type) -> list[type]:
    """The classes on the way to the base class of strategies."""
    return list(takewhile(lambda c: c is not AdversarialOptimizer, cls.mro()))


def _changes(
    before: AdversarialOptimizer, after: AdversarialOptimizer
) -> list[tuple[str, Any, Any]]:
    """Plain attributes and settings that differ."""
    pairs = [
        (before.get_config(), after.get_config()),
        (vars(before), vars(after)),
    ]
    found = {}
    for old, new in pairs:
        for name, value in old.items():
            plain = isinstance(value, int | float | str | list | tuple | dict)
            if (
                (plain or value is None)
                and not name.startswith("_")
                and _plain(value) != _plain(new.get(name))
            ):
                found[name] = (name, value, new.get(name))
    return [found[name] for name in found if name != "name"]


def _plain(value: Any) -> Any:
    """With lists for tuples, as JSON has it, and strategies by their config."""
    if isinstance(value, AdversarialOptimizer):
        return {"is": type(value).__name__, **_plain(value.get_config())}
    if isinstance(value, list | tuple):
        return [_plain(x) for x in value]
    if isinstance(value, dict):
        return {key: _plain(x) for key, x in value.items()}
    return value
