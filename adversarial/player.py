"""One player: a name, the parameters it owns, and the network it plays on."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from adversarial import backend
from adversarial.backend.random_state import is_random_state
from adversarial.errors import conversation, quoted
from adversarial.objective import Objective

Tensor = Any


class Player:
    """One player of a game.

    Attributes:
        name: The player's name.
        network: The Keras model whose outputs the player's loss reads. Players
            on a shared base model have the same network.
        variables: The variables that this player owns and moves.
        state: The non-trainable variables that belong to it, such as the
            moving statistics of its batch normalisation layers.
        output_names: Names of the network's outputs, in flat order; `None`
            until the network was called, if it is not a functional model.
        output_structure: The structure of the network's outputs.
        optimizer: Its Keras optimizer; `None` before `compile`.
        objective: Reads its losses and metrics; missing before `compile`.
        update_state: Whether its own moves update `state`.
        fuse_updates: Whether XLA compiles its optimizer's steps by themselves.
    """

    def __init__(
        self,
        name: str,
        network: keras.Model,
        variables: Sequence[keras.Variable],
    ) -> None:
        self.name = name
        self.network = network
        self.variables = tuple(variables)
        self.state: tuple[keras.Variable, ...] = ()
        self.output_names = output_names(network)
        self.output_structure: Any = None
        self.optimizer: Any = None
        self.objective: Objective
        self.update_state = True
        self.fuse_updates = False
        self._warned = False

    def __repr__(self) -> str:
        return (
            f"<Player {self.name!r}: {len(self.variables)} variables, "
            f"network {self.network.name!r}>"
        )

    @property
    def targets(self) -> list[str]:
        """The full names, `{player}_{output}`, of its targets."""
        return [f"{self.name}_{name}" for name in self.output_names or ()]

    def call(self, x: Any, *, training: bool) -> list[Any]:
        """Calls the network and returns its outputs as a flat list."""
        outputs = self.network(
            _inputs_for(self.network, x),
            **({"training": training} if _takes_training(self.network) else {}),
        )
        if self.output_names is None:
            self.output_names = _names_of(outputs)
        self.output_structure = keras.tree.map_structure(lambda _: 0, outputs)
        return list(keras.tree.flatten(outputs))

    @property
    def skips_bad_gradients(self) -> bool:
        """Whether its optimizer looks for a loss scale that overflows not."""
        return is_scaled(self.optimizer)

    def loss_scale(self) -> Tensor | None:
        """The factor by which the optimizer wants the loss scaled, if any."""
        if self.skips_bad_gradients:
            return backend.read(self.optimizer.dynamic_scale)
        return getattr(self.optimizer, "loss_scale_factor", None)

    def move(self, gradients: Sequence[Tensor | None]) -> None:
        """Makes the real step of the optimizer with true gradients."""
        scale = self.loss_scale()
        present = [
            (g if scale is None else g * _like(g, scale), v)
            for g, v in zip(gradients, self.variables, strict=True)
            if g is not None
        ]
        if not present:
            return
        scaled = [g for g, _ in present]
        variables = [v for _, v in present]

        def update(*tensors: Tensor) -> None:
            backend.apply(self.optimizer, list(tensors), variables)

        if self.fuse_updates:
            backend.fused(update)(*scaled)
        else:
            update(*scaled)

    def check_gradients(self, gradients: Sequence[Tensor | None]) -> None:
        """Complains if the loss does not depend on the parameters.

        Raises:
            ValueError: if it depends on none of them.
        """
        lost = [
            v.path
            for g, v in zip(gradients, self.variables, strict=True)
            if g is None
        ]
        if len(lost) == len(self.variables):
            raise ValueError(
                conversation(
                    f"The loss of player '{self.name}' does not depend on any "
                    "of its parameters.",
                    expected="a path from the loss to at least one of "
                    f"{quoted(lost[:3])}{', ...' if lost[3:] else ''}.",
                    received=f"no gradient for all {len(lost)}.",
                    fix="check `player_params`, and that the network's "
                    "outputs use these layers.",
                )
            )
        if lost and not self._warned:
            self._warned = True
            warnings.warn(
                f"The loss of player '{self.name}' does not depend on "
                f"{quoted(lost)}; they will not move.",
                stacklevel=2,
            )


class Players(Mapping[str, Player]):
    """The players of a game by name, in order."""

    def __init__(self, players: Sequence[Player]) -> None:
        self._players = {player.name: player for player in players}

    def __getitem__(self, name: str) -> Player:
        return self._players[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._players)

    def __len__(self) -> int:
        return len(self._players)

    @property
    def networks(self) -> list[keras.Model]:
        """The distinct networks, in player order."""
        return list({id(p.network): p.network for p in self.values()}.values())

    @property
    def targets(self) -> list[str]:
        """The names of all targets, in player order."""
        return [name for player in self.values() for name in player.targets]

    def call(self, x: Any, *, training: bool) -> list[Any]:
        """Calls each network once.

        Returns:
            The outputs of all players as a flat list, in the order of targets.
        """
        found: dict[int, list[Any]] = {}
        for player in self.values():
            if id(player.network) not in found:
                found[id(player.network)] = player.call(x, training=training)
        return [y for p in self.values() for y in found[id(p.network)]]

    @property
    def target_count(self) -> int | None:
        """The number of targets; `None` if the outputs are not known yet."""
        known = all(p.output_names is not None for p in self.values())
        return len(self.targets) if known else None


def assign_state(players: Players) -> None:
    """Gives each non-trainable variable to the player whose layer it is in.

    A layer belongs to the player that owns all its trainable variables. A
    layer that has none, such as a batch normalisation without scale and
    center, belongs where the nearest layer or model around it belongs, the
    first one if it is in several. What still belongs to nobody, and the state
    of random numbers, is not assigned.
    """
    owner_of = {id(v): p.name for p in players.values() for v in p.variables}
    state: dict[str, list[keras.Variable]] = {name: [] for name in players}
    taken: set[int] = set()
    seen: set[int] = set()

    def visit(layer: keras.Layer) -> None:
        if id(layer) in seen:
            return
        seen.add(id(layer))
        for child in children_of(layer):
            visit(child)
        owners = {owner_of.get(id(v)) for v in layer.trainable_variables}
        owners |= {
            owner_of[id(v)] for v in layer.variables if id(v) in owner_of
        }
        owner = next(iter(owners)) if len(owners) == 1 else None
        if owner is None:
            return
        for v in layer.variables:
            rest = id(v) not in owner_of and id(v) not in taken
            if rest and not v.trainable and not is_random_state(v):
                taken.add(id(v))
                state[owner].append(v)

    for network in players.networks:
        visit(network)
    for name, player in players.items():
        player.state = tuple(state[name])


def children_of(layer: keras.Layer) -> list[keras.Layer]:
    """Returns the layers directly inside a layer or model."""
    if isinstance(layer, keras.Model):
        return list(layer.layers)
    children = []
    for attribute in vars(layer).values():
        if isinstance(attribute, dict):
            attribute = list(attribute.values())
        several = isinstance(attribute, list | tuple)
        for x in attribute if several else [attribute]:
            if isinstance(x, keras.Layer):
                children.append(x)
    return children


def scaled_players(
    players: Players, optimizers: Mapping[str, Any], scaled: bool
) -> list[str]:
    """Returns the players whose optimizers look for a loss scale.

    Args:
        players: The players.
        optimizers: One Keras optimizer per player.
        scaled: Whether players that compute in float16 get a loss scale.
    """
    return [
        name
        for name, optimizer in optimizers.items()
        if is_scaled(optimizer)
        or (scaled and computes_in_float16(players[name].network))
    ]


def computes_in_float16(layer: keras.Layer) -> bool:
    """Says whether a layer, or one in it, computes in float16."""
    return layer.compute_dtype == "float16" or any(
        map(computes_in_float16, children_of(layer))
    )


def is_scaled(optimizer: Any) -> bool:
    """Says whether an optimizer looks for a loss scale."""
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def output_names(network: keras.Model) -> list[str] | None:
    """Returns the names of a network's outputs, if they are known."""
    if isinstance(network, keras.Sequential):
        return ["output"] if len(getattr(network, "outputs", ())) == 1 else None
    outputs = getattr(network, "output", None)
    if outputs is None or isinstance(outputs, dict):
        return None if outputs is None else _names_of(outputs)
    names = list(getattr(network, "output_names", None) or _names_of(outputs))
    return [_numbered(names, i) for i in range(len(names))]


def _numbered(names: Sequence[str], i: int) -> str:
    """A layer called twice gives two outputs of one name: number them."""
    before = names[:i].count(names[i])
    return f"{names[i]}_{before}" if before else names[i]


def _like(x: Tensor, scale: Any) -> Tensor:
    """The scale in the precision of `x`: a Python number is not rounded."""
    return ops.convert_to_tensor(scale, dtype=x.dtype)


def _names_of(outputs: Any) -> list[str]:
    if not keras.tree.is_nested(outputs):
        return ["output"]
    return [
        "_".join(k if isinstance(k, str) else f"output_{k}" for k in path)
        for path, _ in keras.tree.flatten_with_path(outputs)
    ]


def _inputs_for(network: keras.Model, x: Any) -> Any:
    """Picks the inputs that a functional network names out of a dict."""
    wanted = getattr(network, "input", None) if network.built else None
    if not isinstance(x, dict) or not isinstance(wanted, dict):
        return x
    return {name: x[name] for name in wanted} if set(wanted) <= set(x) else x


def _takes_training(network: keras.Model) -> bool:
    parameters = inspect.signature(network.call).parameters
    return "training" in parameters
