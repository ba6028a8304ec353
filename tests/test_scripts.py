"""Properties of all experiment scripts: one vocabulary, one order of functions, no side effects of an import."""

import re
import subprocess
import sys
from itertools import pairwise

import pytest
from conftest import ROOT, SCRIPTS, load

COMMON = ["seeds", "recipe", "steps", "batch", "hidden", "lr", "eval_every", "eval_n", "snapshot_every", "dtype", "out"]
COMMON += ["record", "force", "resume", "quick", "gradcheck"]
SECTIONS = [
    "data",
    "parameters",
    "forward",
    "backward",
    "Adam",
    "gradient check",
    "evaluate and train",
    "files",
]
SECTIONS += ["CLI"]
OTHER = {  # the network of 1997 has rows in place of recipes, and batches of one sequence
    "lstm_1997.py": {
        "recipe": "task",
        "batch": "cost",
        "hidden": "update",
        "Adam": "gradient descent",
        "evaluate": "judge",
    }
}


def spellings(script):
    """{destination: option strings} of a script's command line."""
    return {action.dest: action.option_strings for action in load(script).build_parser()._actions}


@pytest.mark.parametrize("script", SCRIPTS)
def test_one_vocabulary(script):
    mine, common = spellings(script), [OTHER.get(script, {}).get(name, name) for name in COMMON]
    assert set(common) <= set(mine)
    assert mine["seeds"] == ["--seeds", "--seed", "--trials"]
    for other in SCRIPTS:
        theirs = spellings(other)
        assert {name: mine[name] for name in mine.keys() & theirs} == {
            name: theirs[name] for name in mine.keys() & theirs
        }
    shown = load(script).build_parser().format_help()
    assert all(f"--{name.replace('_', '-')}" in shown for name in common)


@pytest.mark.parametrize("script", SCRIPTS)
def test_one_order(script):
    source = (ROOT / script).read_text()
    sections, functions = (
        [OTHER.get(script, {}).get(name, name) for name in names]
        for names in (
            SECTIONS,
            ["make_batch", "forward", "backward", "gradient_check", "evaluate", "train", "run", "main"],
        )
    )
    assert re.findall(r"^# -{20,} (.+)$", source, flags=re.MULTILINE) == sections
    places = [source.index(f"\ndef {name}(") for name in functions]
    assert all(a < b for a, b in pairwise(places))
    assert "# /// script" in source.split("import argparse")[0], "metadata for uv"


@pytest.mark.parametrize("folder", ["", "visualize", "make_gifs"])
def test_importing_does_nothing(folder, tmp_path):
    names = sorted(path.stem for path in (ROOT / folder).glob("*.py"))
    assert len(names) >= 5
    code = f"import sys; sys.path.insert(0, {str(ROOT / folder)!r}); import {', '.join(names)}"
    done = subprocess.run([sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", SCRIPTS)
def test_scripts_need_only_numpy(path):
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {(ROOT / path).stem}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    packages = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"numpy", (ROOT / path).stem}
    assert not {name for name in packages if name in ("matplotlib", "imageio", "PIL", "scipy", "torch", "jax")}
