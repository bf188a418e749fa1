"""The names under which public classes are saved and found."""

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

import keras

from adversarial.errors import conversation, quoted, unknown

PACKAGE = "adversarial"
_Class = TypeVar("_Class", bound=type)
_BY_KIND: dict[str, dict[str, type]] = {}


def register(kind: str) -> Callable[[_Class], _Class]:
    """Registers a class with Keras and under its snake_case string name.

    Args:
        kind: The folder of the class, such as `"optimizers"`.

    Returns:
        The decorator.
    """

    def decorate(cls: _Class) -> _Class:
        keras.saving.register_keras_serializable(package=PACKAGE)(cls)
        _BY_KIND.setdefault(kind, {})[snake_case(cls.__name__)] = cls
        return cls

    return decorate


def snake_case(name: str) -> str:
    """Turns `ExtraGradient` into `extra_gradient`, `LOLA` into `lola`."""
    return re.sub(
        r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name
    ).lower()


def names(kind: str) -> list[str]:
    """Returns the sorted string names that are registered for a kind."""
    return sorted(_BY_KIND.get(kind, {}))


def get(kind: str, identifier: Any, base: type, noun: str) -> Any:
    """Returns the object for a string, a config or an object.

    Args:
        kind: The folder of the class.
        identifier: A snake_case name, a Keras serialisation config, or an
            instance of `base`.
        base: The class that the result must be an instance of.
        noun: What to call it in errors.

    Raises:
        ValueError: for an unknown name, or the name of a class that needs
            arguments.
        TypeError: for anything that is not a `base`.
    """
    if isinstance(identifier, str):
        if identifier not in _BY_KIND.get(kind, {}):
            raise unknown(noun, identifier, names(kind))
        return _made_without_arguments(_BY_KIND[kind][identifier], noun)
    if isinstance(identifier, dict):
        identifier = keras.saving.deserialize_keras_object(identifier)
    if not isinstance(identifier, base):
        raise TypeError(
            conversation(
                f"The {noun} must be a name or an instance of "
                f"`{base.__name__}`.",
                expected=f"one of {quoted(names(kind))}, or an object.",
                received=f"{identifier!r} of type "
                f"`{type(identifier).__name__}`.",
                fix=f"write `{identifier.__name__}(...)`."
                if isinstance(identifier, type) and issubclass(identifier, base)
                else None,
            )
        )
    return identifier


def _made_without_arguments(cls: type, noun: str) -> Any:
    needed = [
        parameter.name
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    if needed:
        raise ValueError(
            conversation(
                f"The {noun} '{snake_case(cls.__name__)}' needs arguments.",
                expected=f"an object made with {quoted(needed)}.",
                received="only the name.",
                fix=f"pass `{cls.__name__}({'=..., '.join(needed)}=...)`.",
            )
        )
    return cls()
