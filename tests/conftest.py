"""Functions that tests share: experiment scripts as modules, and runs from the command line."""

import importlib.util
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for studies and the scripts that they import
SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))
STUDY_SCRIPTS = sorted(  # self-contained scripts in studies/
    f"studies/{path.name}" for path in (ROOT / "studies").glob("*.py") if "\ndef parse_options(" in path.read_text()
)
RENDERERS = sorted(
    str(path.relative_to(ROOT)) for folder in ("visualize", "make_gifs") for path in (ROOT / folder).glob("*.py")
)


def load(path, source=None):
    """A script as a fresh module. source: a changed text of the script, or None."""
    name = "lab_" + str(path).replace("/", "_").removesuffix(".py")
    spec = importlib.util.spec_from_loader(name, loader=None)
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(ROOT / path)
    sys.modules[name] = module  # dataclasses look up their module
    exec(compile(source or (ROOT / path).read_text(), str(ROOT / path), "exec"), module.__dict__)
    return module


def options_of(lab, *arguments):
    """The options of a script for these arguments."""
    return lab.parse_options([str(argument) for argument in arguments])[0]


@pytest.fixture
def call():
    """Run a script of the repository in a separate process: call(path, *arguments) -> CompletedProcess."""

    def run(path, *arguments, **options):
        command = [sys.executable, str(ROOT / path), *map(str, arguments)]
        environment = os.environ | {"MPLBACKEND": "Agg"}
        return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, **options)

    return run


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """quick(script): a folder in which run/ has a quick run of seeds 4, 0, 9 of the script. It runs only once."""

    @cache
    def made(script):
        folder = tmp_path_factory.mktemp("quick")
        command = [sys.executable, ROOT / script, "--quick", "--seeds", "4,0,9", "--out", "run"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert f"python3 visualize/{script} --run run" in done.stdout.splitlines()[-1]
        return folder

    return made
