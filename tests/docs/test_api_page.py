"""The API page lists every public name once, and nothing else."""

import importlib
import inspect
import re
from pathlib import Path

import adversarial
from adversarial import compat

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
ENTRY = re.compile(
    r"^\.\. (?:autoclass|autoexception|autofunction|py:\w+):: ([\w.]+)", re.M
)


def listed():
    return ENTRY.findall(PAGE.read_text())


def public_names():
    """The shortest public path to each object, and all names of `compat`."""
    paths = {}
    for module in (adversarial, *map(sub_package, sub_packages())):
        for name in module.__all__:
            value = getattr(module, name)
            if not inspect.ismodule(value):
                path = f"{module.__name__}.{name}"
                paths.setdefault(id(value), path)
    return {
        *paths.values(),
        *(f"{compat.__name__}.{name}" for name in compat.__all__),
    }


def sub_packages():
    return [
        name
        for name in adversarial.__all__
        if inspect.ismodule(getattr(adversarial, name))
    ]


def sub_package(name):
    return importlib.import_module(f"adversarial.{name}")


def test_the_page_lists_the_public_names():
    assert sorted(set(listed())) == sorted(public_names())


def test_the_page_lists_no_name_twice():
    assert sorted(listed()) == sorted(set(listed()))


def test_every_sub_package_has_its_introduction_on_the_page():
    introduced = re.findall(r"^\.\. automodule:: (\S+)", PAGE.read_text(), re.M)
    assert introduced == [
        "adversarial",
        *(f"adversarial.{name}" for name in introduced_order()),
        "adversarial.compat",
    ]


def introduced_order():
    """The order of the page: from the rule to the parts."""
    order = [
        "optimizers",
        "momentum",
        "losses",
        "penalties",
        "layers",
        "augmentation",
        "metrics",
        "builders",
        "games",
        "callbacks",
        "diagnostics",
        "testing",
    ]
    assert sorted(order) == sorted(sub_packages())
    return order


def test_every_public_object_has_a_docstring_of_its_own():
    for path in public_names():
        module, name = path.rsplit(".", 1)
        value = getattr(importlib.import_module(module), name)
        own = vars(value) if inspect.isclass(value) else {"__doc__": True}
        assert own.get("__doc__") and value.__doc__, path
