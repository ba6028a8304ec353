"""Scripts contain copies of the code that does not depend on their experiment. The copies must be identical."""

import ast
from collections import defaultdict

import pytest
from conftest import RENDERERS, ROOT, SCRIPTS, STUDY_SCRIPTS

MOST_LINES = 100  # the largest number of lines of all shared blocks in one script
HELPERS = "stream", "views", "by_step", "seeds_first", "product", "positive", "words"  # small, not marked, identical


def shared_blocks(source):
    """{name: text} of the top-level definitions directly below a line "# shared block"."""
    lines, blocks = source.splitlines(), {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if lines[first - 2] == "# shared block":
                blocks[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return blocks


def helpers(source):
    """{name: text} of the small functions that most scripts need, if the script has them."""
    return {node.name: ast.unparse(node) for node in ast.parse(source).body if getattr(node, "name", "") in HELPERS}


def differing(sources):
    """Names of shared blocks that have different texts in two of the sources."""
    texts = defaultdict(set)
    for source in sources:
        for name, text in shared_blocks(source).items():
            texts[name].add(text)
    return sorted(name for name, versions in texts.items() if len(versions) > 1)


@pytest.mark.parametrize("paths", [SCRIPTS + STUDY_SCRIPTS, RENDERERS], ids=["scripts", "renderers"])
def test_copies_are_identical(paths):
    assert differing((ROOT / path).read_text() for path in paths) == []


def test_helpers_are_identical():
    found = [helpers((ROOT / path).read_text()) for path in SCRIPTS + STUDY_SCRIPTS]
    for name in HELPERS:
        texts = [functions[name] for functions in found if name in functions]
        assert len(texts) >= 3 and len(set(texts)) == 1, name


def test_a_changed_copy_is_noticed():
    source = (ROOT / "temporal_order_3bit.py").read_text()
    assert "clip_by_norm" in shared_blocks(source)
    assert differing([source, source.replace("np.maximum(norm, limit)", "np.maximum(norm, 1)")]) == ["clip_by_norm"]


@pytest.mark.parametrize("path", SCRIPTS + STUDY_SCRIPTS)
def test_shared_blocks_stay_small(path):
    blocks = shared_blocks((ROOT / path).read_text())
    assert 0 < sum(text.count("\n") + 1 for text in blocks.values()) <= MOST_LINES


@pytest.mark.parametrize("path", SCRIPTS + STUDY_SCRIPTS + RENDERERS)
def test_nothing_imports_a_sibling(path):
    siblings = {(ROOT / other).stem for other in SCRIPTS + RENDERERS} | {"visualize", "make_gifs", "tests"}
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.split(".")[0] for name in names} & siblings
