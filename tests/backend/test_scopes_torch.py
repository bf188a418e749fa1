import keras
import torch

from adversarial import backend
from adversarial.backend import scopes_torch


def test_noise_of_the_engine_is_fixed_inside_and_as_if_nothing_was():
    torch.manual_seed(1)
    expected = [torch.rand(2), torch.rand(2)]
    torch.manual_seed(1)
    first = torch.rand(2)
    inside = []
    for _ in range(2):
        with backend.engine_noise(5):
            inside.append(torch.rand(3))
    assert torch.equal(*inside)
    assert torch.equal(first, expected[0])
    assert torch.equal(torch.rand(2), expected[1])


def test_plain_numbers_are_as_precise_as_what_is_with_them():
    half = torch.tensor([1.0], dtype=torch.float64)
    with backend.in_precision_of([half]):
        found = keras.ops.multiply(half, 0.1)
    assert float(found) == 0.1
    assert keras.config.floatx() == "float32"
    assert float(keras.ops.multiply(half, 0.1)) != 0.1
    with backend.in_precision_of([torch.ones(1)]):
        assert keras.config.floatx() == "float32"


def test_a_step_is_known_as_one_unless_it_is_debugged():
    assert not backend.in_step()
    for debugged in (True, False):
        with scopes_torch.step(debugged=debugged):
            assert backend.in_step() is not debugged
            assert not torch.is_grad_enabled()
    assert not backend.in_step()
