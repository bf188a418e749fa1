"""Saving and loading, with what Keras leaves out.

That is: layers that players share, the state of random numbers, and the means
of metrics. Files are written in one go, and loading is all or nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from adversarial.backend import GameModel, is_chief
from adversarial.backend.graph import record, replay
from adversarial.backend.portable import portable
from adversarial.backend.random_state import (
    global_random_state,
    is_random_state,
)
from adversarial.divergence import DivergenceMonitor
from adversarial.errors import conversation
from adversarial.exporting import (
    check_format,
    input_signature as signature_of,
)
from adversarial.files import (
    ARCHIVE,
    check_archive,
    damaged,
    is_local,
    replaced,
)
from adversarial.fit_arguments import compile_arguments_here
from adversarial.player import Players
from adversarial.scoreboard import Scoreboard

Config = dict[str, Any]
GLOBAL = "global"
METRIC = "metric_"
"""Keys in a file; the random states of the networks are mere numbers."""


class SavedModel(GameModel):
    """A Keras model of players that saves and loads all that there is."""

    players: Players
    networks: list[keras.Model]
    _compiled_with: dict[str, Any]
    _scores: Scoreboard | None
    _monitor: DivergenceMonitor | None

    def save(
        self,
        filepath: Any,
        overwrite: bool = True,
        zipped: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Saves the model as `keras.Model.save` does, in one go.

        The file has everything that training needs to go on to the same bit:
        networks, what the model was compiled with, optimizers, state of the
        strategy, of layers, of random numbers and of metrics. A `.keras` file
        on this machine is replaced when the new one is complete, so that an
        error or a kill leaves the old one. (With `overwrite=False`, what you
        are asked about is overwritten in place.)

        Of several workers all must save, and the chief writes the file.

        Args:
            filepath: The path of a `.keras` file.
            overwrite: Whether to replace a file without asking.
            zipped: As in Keras.
            **kwargs: As in Keras.
        """
        write = super().save
        kept = is_local(filepath) and not overwrite and os.path.exists(filepath)
        whole = is_local(filepath) and os.fspath(filepath).endswith(ARCHIVE)
        if not whole or kept or zipped is False:
            write(filepath, overwrite=overwrite, zipped=zipped, **kwargs)
            return
        chief = is_chief(self.distribution)
        with replaced(filepath, chief=chief) as unfinished:
            write(unfinished, zipped=zipped, **kwargs)

    def save_weights(
        self,
        filepath: Any,
        overwrite: bool = True,
        max_shard_size: float | None = None,
    ) -> None:
        """Saves as `keras.Model.save_weights` does, one file in one go.

        What is saved is all but the architecture: for a compiled model also
        its optimizers, strategy and metrics.

        Args:
            filepath: The path of a `.weights.h5` file.
            overwrite: Whether to replace a file without asking.
            max_shard_size: As in Keras; several files are not written in one
                go.
        """
        write = super().save_weights
        kept = is_local(filepath) and not overwrite and os.path.exists(filepath)
        if kept or max_shard_size is not None or not is_local(filepath):
            write(filepath, overwrite, max_shard_size)
            return
        chief = is_chief(self.distribution)
        with replaced(filepath, chief=chief) as unfinished:
            write(unfinished)

    def load_weights(
        self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any
    ) -> None:
        """Loads what `save` or `save_weights` has written, all or nothing.

        Args:
            filepath: A `.weights.h5` or `.keras` file.
            skip_mismatch: Whether to leave alone what does not fit.
            **kwargs: As in `keras.Model.load_weights`.

        Raises:
            OSError: if the file is damaged or not there; nothing is changed.
            ValueError: if it does not fit the model; nothing is changed.
        """
        if is_local(filepath) and os.fspath(filepath).endswith(ARCHIVE):
            check_archive(filepath)
        before = [(v, v.numpy()) for v in self.whole_state()]
        try:
            super().load_weights(filepath, skip_mismatch, **kwargs)
            if self._monitor is not None:
                self._monitor.forget()
        except BaseException as reason:
            for variable, value in before:
                variable.assign(value)
            if type(reason) is OSError:
                raise damaged(filepath, str(reason)) from reason
            reason.add_note(f"This was '{filepath}'; nothing was changed.")
            raise

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: Any = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Exports `predict` as `keras.Model.export` does, to run without Keras.

        What is exported are all outputs of all players. To sample, export the
        generator: `generator.export(...)`.

        Args:
            filepath: The path of a folder, or of a file: see Keras.
            format: As in Keras, such as `"tf_saved_model"` or `"onnx"`.
            verbose: As in Keras.
            input_signature: A list of the `keras.InputSpec` of all inputs;
                `None` asks the networks.
            **kwargs: As in Keras.

        Raises:
            ValueError: if the shapes of the inputs are not known, or if an
                ONNX file or a program of PyTorch would have to draw latents.
        """
        check_format(self.players, format)
        if input_signature is None:
            input_signature = signature_of(self.players)
        super().export(filepath, format, verbose, input_signature, **kwargs)

    def whole_state(self) -> list[keras.Variable]:
        """Returns every variable that a step of training can change."""
        optimizer = getattr(self, "optimizer", None)
        metrics = self._scores.metrics if self._scores is not None else []
        every = [
            *all_variables(self.networks),
            *(optimizer.variables if optimizer is not None else []),
            *(v for metric in metrics for v in metric.variables),
            global_random_state(),
        ]
        return list({id(v): v for v in every}.values())

    def moved_state(self) -> list[keras.Variable]:
        """Returns what the players' steps move: no random state, no means."""
        every = [*all_variables(self.networks), *self.optimizer.variables]
        return [v for v in every if not is_random_state(v)]

    def get_config(self) -> dict[str, Any]:
        """Returns the networks, each layer once, and who owns what."""
        return {"name": self.name, **players_config(self.players)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SavedModel:
        """Remakes the model; layers that players share stay shared."""
        return cls(name=config["name"], **players_arguments(config))

    def save_own_variables(self, store: Any) -> None:
        """Saves the state of random numbers and metrics.

        Keras leaves out both, and saves the rest.
        """
        save_random_state(self.networks, store)
        for number, value in enumerate(self.metric_state()):
            store[f"{METRIC}{number}"] = value

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved.

        Means of metrics are left alone if the model has other metrics.
        """
        load_random_state(self.networks, store)
        count = sum(key.startswith(METRIC) for key in store.keys())
        self.set_metric_state(
            [np.array(store[f"{METRIC}{i}"]) for i in range(count)]
        )

    def metric_state(self) -> list[Any]:
        """Returns the values of the metrics' variables."""
        return self._scores.state() if self._scores is not None else []

    def set_metric_state(self, values: list[Any]) -> None:
        """Puts such values back, at once or when the metrics are built."""
        if self._scores is not None:
            self._scores.restore(values)

    def reset_metrics(self) -> None:
        """Forgets all batches, those of a loaded file included."""
        super().reset_metrics()
        if self._scores is not None:
            self._scores.restore([])

    def get_compile_config(self) -> dict[str, Any]:
        """Returns the arguments of `compile`, for saving."""
        if not self.compiled:
            return {}
        config: dict[str, Any] = portable(
            keras.saving.serialize_keras_object(dict(self._compiled_with))
        )
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as it was compiled when it was saved."""
        given = keras.saving.deserialize_keras_object(config)
        self.compile(**compile_arguments_here(given))


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    *,
    compile: bool = True,
    safe_mode: bool = True,
) -> keras.Model:
    """Checks a `.keras` file, and loads it as `keras.saving.load_model` does.

    When you want it: always, for local files. Keras' own function loads the
    same; of a damaged file it says that it was not found, or what its readers
    stumble over.

    Args:
        filepath: The path of the file.
        custom_objects: Classes and functions by name, beside the registered.
        compile: Whether to compile the model as it was when it was saved.
        safe_mode: Whether to refuse Python code in the file: `Lambda` layers.

    Raises:
        FileNotFoundError: if there is no such file.
        OSError: if it is damaged.
        ValueError: for Python code in it; for classes that are not known.

    Example:

    >>> import adversarial, os, tempfile
    >>> model = adversarial.games.Bilinear().model()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "game.keras")
    ...     model.save(path)
    ...     again = adversarial.load_model(path)
    >>> list(again.players)
    ['x', 'y']
    """
    check_archive(filepath)
    custom = None if custom_objects is None else dict(custom_objects)
    return keras.saving.load_model(
        filepath, custom_objects=custom, compile=compile, safe_mode=safe_mode
    )


def players_config(players: Players) -> Config:
    """Writes the networks, each layer once, and who owns what."""
    variables = all_variables(players.networks)
    numbers = {id(v): i for i, v in enumerate(variables)}
    networks = {id(n): i for i, n in enumerate(players.networks)}
    return {
        "networks": record(players.networks),
        "variables": [list(v.shape) for v in variables],
        "players": [
            {
                "name": p.name,
                "network": networks[id(p.network)],
                "variables": [numbers[id(v)] for v in p.variables],
            }
            for p in players.values()
        ],
    }


def players_arguments(config: Config) -> Config:
    """Remakes the arguments of `AdversarialModel` from a configuration.

    Raises:
        ValueError: if the networks came back with other variables.
    """
    networks = replay(config["networks"])
    variables = all_variables(networks)
    found = [list(v.shape) for v in variables]
    if found != [list(shape) for shape in config["variables"]]:
        raise ValueError(
            conversation(
                "The networks must be remade as they were saved.",
                expected=f"{len(config['variables'])} variables.",
                received=f"{len(found)} variables, or other shapes.",
                fix="in `get_config` of your own layers and models, describe "
                "everything that makes variables.",
            )
        )
    saved = config["players"]
    one = len(networks) == 1
    return {
        "base_model": networks[0] if one else None,
        "player_models": (
            None if one else [networks[entry["network"]] for entry in saved]
        ),
        "player_params": [
            [variables[i] for i in entry["variables"]] for entry in saved
        ],
        "player_names": [entry["name"] for entry in saved],
    }


def all_variables(networks: list[keras.Model]) -> list[keras.Variable]:
    """Returns the distinct variables of networks, in order."""
    return list({id(v): v for n in networks for v in n.variables}.values())


def save_random_state(networks: list[keras.Model], store: Any) -> None:
    """Writes the state of the networks' random numbers, and the global one."""
    for number, variable in enumerate(_random_state(networks)):
        store[str(number)] = variable.numpy()
    store[GLOBAL] = global_random_state().numpy()


def load_random_state(networks: list[keras.Model], store: Any) -> None:
    """Reads what `save_random_state` wrote.

    Raises:
        ValueError: if the networks have another number of random states.
    """
    found = _random_state(networks)
    saved = [key for key in store.keys() if key.isdigit()]
    if len(saved) != len(found):
        raise ValueError(
            conversation(
                "The saved random state must be one of these networks.",
                expected=f"{len(found)} states.",
                received=f"{len(saved)}.",
            )
        )
    for number, variable in enumerate(found):
        variable.assign(store[str(number)])
    global_random_state().assign(store[GLOBAL])


def _random_state(networks: list[keras.Model]) -> list[keras.Variable]:
    return [v for v in all_variables(networks) if is_random_state(v)]
