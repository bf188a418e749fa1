import keras
import pytest

from adversarial import registry
from adversarial.registry import snake_case


class Tool:
    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@registry.register("tools")
class RoundHammer(Tool):
    pass


@registry.register("tools")
class Saw(Tool):
    def __init__(self, teeth, length, handle=None):
        self.teeth = teeth


def get(identifier):
    return registry.get("tools", identifier, Tool, "tool")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Simultaneous", "simultaneous"),
        ("ExtraGradient", "extra_gradient"),
        ("LOLA", "lola"),
        ("SOS", "sos"),
        ("FollowTheRidge", "follow_the_ridge"),
        ("GANLoss", "gan_loss"),
        ("Layer2Norm", "layer2_norm"),
        ("lower", "lower"),
    ],
)
def test_string_names_are_class_names_in_snake_case(name, expected):
    assert snake_case(name) == expected


def test_a_registered_class_is_found_by_its_name():
    assert registry.names("tools") == ["round_hammer", "saw"]
    assert isinstance(get("round_hammer"), RoundHammer)
    assert get("round_hammer") is not get("round_hammer")


def test_a_registered_class_is_known_to_keras_saving():
    name = keras.saving.get_registered_name(RoundHammer)
    assert name == f"{registry.PACKAGE}>RoundHammer"


def test_an_object_is_returned_as_it_is():
    tool = Saw(5, 30)
    assert get(tool) is tool


def test_a_config_becomes_an_object():
    config = keras.saving.serialize_keras_object(RoundHammer())
    assert isinstance(get(config), RoundHammer)


def test_an_unknown_name_gets_the_nearest_spelling():
    with pytest.raises(ValueError, match="Unknown tool: 'hammer'") as error:
        get("hammer")
    assert "'round_hammer', 'saw'" in str(error.value)
    assert "did you mean 'round_hammer'?" in str(error.value)


def test_an_unknown_kind_has_no_names():
    assert registry.names("spoons") == []
    with pytest.raises(ValueError, match="one of none"):
        registry.get("spoons", "tea", Tool, "spoon")


def test_the_name_of_a_class_that_needs_arguments_is_not_enough():
    with pytest.raises(ValueError, match="'saw' needs arguments") as error:
        get("saw")
    assert "'teeth', 'length'" in str(error.value)
    assert "pass `Saw(teeth=..., length=...)`" in str(error.value)


@pytest.mark.parametrize("wrong", [None, 3, object()])
def test_what_is_no_tool_is_refused(wrong):
    with pytest.raises(
        TypeError, match="must be a name or an instance of `Tool`"
    ):
        get(wrong)


def test_a_class_in_place_of_an_object_is_refused_with_advice():
    with pytest.raises(TypeError, match=r"Fix: write `RoundHammer\(\.\.\.\)`"):
        get(RoundHammer)
