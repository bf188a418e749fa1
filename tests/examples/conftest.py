"""Runs the example that a test module is named after."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import adversarial

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def path(request):
    """The example's file."""
    return EXAMPLES / f"{request.path.stem.removeprefix('test_')}.py"


@pytest.fixture(scope="module")
def script(path):
    """The example, imported."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def smoke(path, tmp_path_factory):
    """A whole small run in a process of its own: its folder and its words."""
    out = tmp_path_factory.mktemp(path.stem) / "new" / "folder"
    package = str(Path(adversarial.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, str(path), "--smoke", f"--out={out}"],
        env=os.environ | {"PYTHONPATH": package},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return out, run.stdout
