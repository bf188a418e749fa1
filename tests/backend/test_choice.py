"""One engine is imported, and all have the same primitives."""

import ast
import itertools
import os
from pathlib import Path

import engines
import pytest
from engines import in_a_new_process

import adversarial

PACKAGE = Path(adversarial.__file__).parent
FOLDER = PACKAGE / "backend"
ENGINES = ("tensorflow", "jax", "torch")
OTHERS = [engine for engine in ENGINES if engine != engines.ENGINE]
DISPATCH = ast.parse((FOLDER / "__init__.py").read_text())
REPORT = """
import os, sys
frame = sys._getframe(1)
while "importlib" in frame.f_code.co_filename:
    frame = frame.f_back
with open(os.environ["SEEN"], "a") as seen:
    print(frame.f_globals["__name__"], __name__, file=seen)
raise ModuleNotFoundError("It is not here.", name=__name__)
"""
TRAIN = """
import numpy as np, adversarial
from adversarial import builders, callbacks, compat, games, metrics
model = adversarial.games.Bilinear().compiled("lookahead", 0.1)
model.fit(np.ones((4, 1)), verbose=0)
"""
HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "jax", "torch"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
"""


def said(code, **environment):
    """The last error of a program, in one line."""
    done = in_a_new_process(code, **environment)
    assert done.returncode == 1
    last = done.stderr[done.stderr.rindex("\nImportError: ") :]
    return " ".join(last.split())


def test_a_game_imports_no_other_engine(tmp_path):
    """In the place of the others are packages that say who imports them.

    Keras and TensorFlow try some themselves, and do without.
    """
    for other in OTHERS:
        (tmp_path / other).mkdir()
        (tmp_path / other / "__init__.py").write_text(REPORT)
    seen = tmp_path / "seen.txt"
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    given = {
        "PYTHONPATH": paths,
        "SEEN": str(seen),
        "KERAS_BACKEND": engines.ENGINE,
    }
    done = in_a_new_process(TRAIN, **given)
    assert done.returncode == 0, done.stderr
    in_a_new_process(f"import {OTHERS[0]}", **given)
    *early, (importer, imported) = map(str.split, seen.read_text().splitlines())
    assert (importer, imported) == ("__main__", OTHERS[0])
    assert not [who for who, _ in early if who.startswith("adversarial")]


@pytest.mark.parametrize("engine", ENGINES)
def test_without_its_engine_the_first_import_says_what_to_install(engine):
    found = said(f"{HIDE}\nimport adversarial", KERAS_BACKEND=engine)
    assert f"`pip install 'adversarial[{engine}]'`" in found
    assert "KERAS_BACKEND" in found


def test_a_fresh_keras_without_an_engine_asks_for_tensorflow(tmp_path):
    found = said(
        f"import os\ndel os.environ['KERAS_BACKEND']\n{HIDE}\n"
        "import adversarial",
        KERAS_BACKEND="",
        KERAS_HOME=str(tmp_path),
    )
    assert "`pip install 'adversarial[tensorflow]'`" in found


def test_an_engine_that_cannot_train_is_refused_in_words():
    found = said(
        "import keras\nkeras.backend.backend = lambda: 'openvino'\n"
        "import adversarial"
    )
    assert "TensorFlow, JAX or PyTorch" in found
    assert "Received: the backend 'openvino'." in found


def branches():
    """What the dispatch imports, by the engine: modules and names."""
    (choice,) = (
        node
        for node in DISPATCH.body
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node)
    )
    return {
        "tensorflow": choice.body,
        "jax": choice.orelse[0].body,
        "torch": choice.orelse[0].orelse,
    }


def definitions(module):
    """The functions and classes of a module of the backend, by name."""
    tree = ast.parse((FOLDER / f"{module}.py").read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.ImportFrom) and node.module.startswith(
            "adversarial.backend."
        ):
            inner = definitions(node.module.rsplit(".", 1)[1])
            for alias in node.names:
                if alias.name in inner:
                    found[alias.asname or alias.name] = inner[alias.name]
    return found


def exported(module):
    """The names that `import *` takes from a module."""
    for node in ast.parse((FOLDER / f"{module}.py").read_text()).body:
        if isinstance(node, ast.Assign) and "__all__" in ast.unparse(node):
            return ast.literal_eval(node.value)
    raise AssertionError(module)


def primitives(engine):
    """All that an engine gives to the package, by name."""
    found = {}
    for node in branches()[engine]:
        module = node.module.rsplit(".", 1)[1]
        if module == "backend":  # Imported for what it does.
            continue
        known = definitions(module)
        for alias in node.names:
            names = exported(module) if alias.name == "*" else [alias.name]
            found.update({name: known[name] for name in names})
    return found


def how_to_call(node):
    """The parameters of a function, without annotations."""
    given = node.args
    for each in itertools.chain(
        given.posonlyargs, given.args, given.kwonlyargs
    ):
        each.annotation = None
    for each in (given.vararg, given.kwarg):
        if each is not None:
            each.annotation = None
    return ast.unparse(given)


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_every_engine_has_the_same_primitives(engine):
    reference, found = primitives("tensorflow"), primitives(engine)
    assert sorted(found) == sorted(reference)
    functions = [
        name
        for name, node in reference.items()
        if isinstance(node, ast.FunctionDef)
    ]
    assert len(functions) > 40
    assert {name: how_to_call(found[name]) for name in functions} == {
        name: how_to_call(reference[name]) for name in functions
    }


def test_the_primitives_are_all_that_the_package_takes_from_the_backend():
    """A name that only one engine had would be missed by the others."""
    known = {*primitives("tensorflow")}
    modules = {path.stem for path in FOLDER.glob("*.py")}
    taken = set()
    for path in PACKAGE.rglob("*.py"):
        if FOLDER in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.ImportFrom)
                and node.module == "adversarial.backend"
            ):
                taken |= {alias.name for alias in node.names}
            elif (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "backend"
            ):
                taken.add(node.attr)
    assert len(taken) > 20
    assert taken <= known | modules
