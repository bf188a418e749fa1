"""Joint points out of whatever keeps weights."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import keras
import numpy as np
from keras import ops

from adversarial import backend
from adversarial.errors import conversation, unknown
from adversarial.player import Player

if TYPE_CHECKING:
    from adversarial.model import AdversarialModel

Array = np.ndarray[Any, Any]
MEMBER = "model.weights.h5"
"""What a `.keras` file calls its weights."""
COMPILED = "_compiled_with"
"""Where a model keeps the arguments of `compile`; a file may lack them."""
Weights = Mapping[str, Sequence[Any]] | Sequence[Any] | str | Path | None
"""Where parameters can come from; `None` is the model as it is."""


def point_from(model: AdversarialModel, source: Weights) -> dict[str, Any]:
    """Reads the parameters of all players.

    Args:
        model: The model whose players they are for. It is as it was
            afterwards.
        source: A joint point, such as `Joint` or any dict by player of one
            array per variable (players and entries that it lacks are those of
            the model now); a list as `model.get_weights` returns it; the path
            of a `.keras` or `.weights.h5` file of this model; or `None`, the
            parameters now.

    Returns:
        A list of arrays by player.

    Raises:
        ValueError: if counts, names or shapes do not fit.
        TypeError: for things of another kind.
    """
    if source is None:
        return _read(model)
    if isinstance(source, str | os.PathLike):
        return _from_file(model, Path(source))
    if isinstance(source, Mapping):
        return _from_blocks(model, source)
    if isinstance(source, list | tuple):
        return _from_weights(model, source)
    raise TypeError(
        conversation(
            "Parameters must be given as a joint point, a list of weights or "
            "the path of a file.",
            received=f"an object of type `{type(source).__name__}`.",
            fix="pass `model.get_weights()` of that moment.",
        )
    )


def _read(model: AdversarialModel) -> dict[str, Any]:
    return {
        name: [ops.convert_to_numpy(backend.read(v)) for v in player.variables]
        for name, player in model.players.items()
    }


def _from_file(model: AdversarialModel, path: Path) -> dict[str, Any]:
    """Loads the file into the model, reads, and puts everything back.

    How the model that wrote it was compiled does not matter.
    """
    if path.suffix == ".keras":
        with TemporaryDirectory() as folder, ZipFile(path) as archive:
            return _from_file(model, Path(archive.extract(MEMBER, folder)))
    strategy = model.optimizer
    skipped = [strategy, *strategy.player_optimizers.values()]
    variables = [*model.variables, *strategy.variables]
    before = [ops.convert_to_numpy(backend.read(v)) for v in variables]
    means = model.metric_state()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", f"Skipping .*{COMPILED}")
            model.load_weights(path, objects_to_skip=skipped)
        return _read(model)
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        model.set_metric_state(means)


def _from_blocks(
    model: AdversarialModel, blocks: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    for name in blocks:
        if name not in model.players:
            raise unknown("player", name, model.players)
    point = _read(model)
    for name, block in blocks.items():
        player = model.players[name]
        _check_count(
            f"the block of player '{name}'", player.variables, list(block)
        )
        for i, value in enumerate(block):
            if value is not None:
                point[name][i] = _checked(player, player.variables[i], value)
    return point


def _from_weights(
    model: AdversarialModel, weights: Sequence[Any]
) -> dict[str, Any]:
    _check_count("a list of weights", model.weights, weights)
    by_id = {id(v): w for v, w in zip(model.weights, weights, strict=True)}
    return {
        name: [_checked(player, v, by_id[id(v)]) for v in player.variables]
        for name, player in model.players.items()
    }


def _check_count(
    what: str, variables: Sequence[Any], values: Sequence[Any]
) -> None:
    if len(variables) != len(values):
        raise ValueError(
            conversation(
                f"There must be one array per variable in {what}.",
                expected=f"{len(variables)}.",
                received=f"{len(values)}.",
            )
        )


def _checked(player: Player, variable: keras.Variable, value: Any) -> Array:
    """The value in the dtype of the variable."""
    found: Array = np.asarray(ops.convert_to_numpy(value))
    if found.shape != tuple(variable.shape):
        raise ValueError(
            conversation(
                f"The shape of a parameter of player '{player.name}' must be "
                "that of its variable.",
                expected=f"{tuple(variable.shape)} for '{variable.path}'.",
                received=f"{found.shape}.",
            )
        )
    cast: Array = ops.convert_to_numpy(ops.cast(found, variable.dtype))
    return cast
