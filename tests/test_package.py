"""What holds for the package as a whole: imports, names, files."""

import ast
import importlib
from pathlib import Path

import pytest
from engines import in_a_new_process

import adversarial
from adversarial import optimizers, registry

PACKAGE = Path(adversarial.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
SUB_PACKAGES = sorted(
    path.parent.name
    for path in PACKAGE.glob("*/__init__.py")
    if path.parent.name != "backend"
)
FRAMEWORKS = {"tensorflow", "jax", "torch"}
HEAVY = {"matplotlib", "pandas", "PIL"}
MOST_LINES = 400


def named(path):
    return path.relative_to(PACKAGE).as_posix()


def imports_of(nodes):
    """The absolute names of all modules and members that are imported."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def anywhere(path):
    return list(ast.walk(ast.parse(path.read_text())))


def at_import(path):
    """The nodes of a module that run when it is imported."""
    waiting, found = [ast.parse(path.read_text())], []
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        ):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def offenders(modules, nodes_of, forbidden):
    """The imports, by module, of forbidden packages or parts of them."""
    return [
        f"{named(module)} imports {name}"
        for module in modules
        for name in imports_of(nodes_of(module))
        if any(f"{name}.".startswith(f"{package}.") for package in forbidden)
    ]


def test_the_package_imports_where_there_is_no_matplotlib_and_no_pandas():
    # Keras imports matplotlib itself where it finds it, so that it must be
    # hidden to see that the package does without.
    hide = f"import sys; sys.modules.update(dict.fromkeys({sorted(HEAVY)}))"
    done = in_a_new_process(f"{hide}; import adversarial, adversarial.compat")
    assert done.returncode == 0, done.stderr


def test_no_module_imports_a_plotting_library_when_it_is_imported():
    assert not offenders(MODULES, at_import, HEAVY)


def test_only_the_backend_names_a_framework_or_private_keras():
    others = [m for m in MODULES if PACKAGE / "backend" not in m.parents]
    assert not offenders(others, anywhere, {*FRAMEWORKS, "keras.src"})


def test_nothing_imports_compat():
    assert not offenders(MODULES, anywhere, {"adversarial.compat"})


def test_the_import_rules_see_every_way_to_import():
    code = "import a.b as c\nfrom d import e\ndef f():\n    from g.h import i\n"
    tree = ast.parse(code)
    found = set(imports_of(ast.walk(tree)))
    assert found == {"a.b", "d", "d.e", "g.h", "g.h.i"}


@pytest.mark.parametrize(
    "name", ["adversarial", *(f"adversarial.{n}" for n in SUB_PACKAGES)]
)
def test_public_names_can_be_imported_and_are_sorted(name):
    module = importlib.import_module(name)
    for public in module.__all__:
        assert getattr(module, public) is not None
    # Capitals (LOLA), classes, the rest: the order that ruff asks for.
    assert module.__all__ == sorted(
        module.__all__, key=lambda n: (not n.isupper(), not n[0].isupper(), n)
    )


def test_every_sub_package_but_the_backend_is_public():
    assert set(SUB_PACKAGES) <= set(adversarial.__all__)


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").is_file()


def test_every_public_strategy_is_registered_under_its_name():
    bases = {"AdversarialOptimizer", "Direction"}
    public = set(optimizers.__all__) - bases
    assert registry.names("optimizers") == sorted(
        registry.snake_case(name) for name in public
    )


def test_every_module_has_its_tests_at_the_same_place():
    mirrors = [
        TESTS / m.relative_to(PACKAGE).parent / f"test_{m.name}"
        for m in MODULES
        if m.name != "__init__.py"
    ]
    missing = [str(m.relative_to(TESTS)) for m in mirrors if not m.is_file()]
    assert mirrors and not missing


def test_no_module_is_longer_than_400_lines():
    lengths = {named(m): len(m.read_text().splitlines()) for m in MODULES}
    assert not {m: n for m, n in lengths.items() if n > MOST_LINES}
