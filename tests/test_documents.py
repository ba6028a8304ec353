"""The front page and the reports: tables and sentences agree with results/; links, pictures and commands exist."""

import json
import re
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT, SCRIPTS, load
from PIL import Image

import studies.__main__ as studies
import studies.lstm_1997 as study
from studies import report

sys.path.insert(0, str(ROOT / "benchmarks"))
import durations

DOCUMENTS = {str(path.relative_to(ROOT)): text for path, text in studies.documents().items()}
REPORTS = [f"results/{script.removesuffix('.py')}/README.md" for script in SCRIPTS]
PAGES = ["results/data_movement/README.md", "results/lstm_1997/baselines.md", "results/lstm_1997/task_1.md"]
every_document = pytest.mark.parametrize("name", DOCUMENTS)


@pytest.fixture(scope="module", autouse=True)
def committed_results(tmp_path_factory):
    """Use the committed results. On another machine, make may change the last digits of some results."""
    wanted = ["git", "ls-files", "-z", "--", "results/**.json", "results/**.npz", "viz/lstm_1997.gif"]
    files = subprocess.run(wanted, cwd=ROOT, capture_output=True).stdout
    with pytest.MonkeyPatch.context() as patch:
        if files:
            folder = tmp_path_factory.mktemp("committed")
            command = ["git", "checkout-index", "-z", "--stdin", f"--prefix={folder}/"]
            subprocess.run(command, cwd=ROOT, input=files, check=True)
            for module in studies, report, *map(studies.study_of, ("benchmarks", "data_movement", "front_page")):
                patch.setattr(module, "ROOT", folder)
            for path, text in DOCUMENTS.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text)
        yield studies.ROOT


def links(text):
    """Targets of links and pictures of a Markdown text, without web addresses."""
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in found if not link.startswith(("http://", "https://"))]


def anchors(text):
    """The anchors that GitHub makes for the headings of a Markdown text."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def commands(text):
    """Command lines of a Markdown text that start with python3, in code blocks and between backquotes."""
    spans = re.findall(r"`([^`\n]*(?:\n[^`\n]+)?)`", re.sub(r"^```.*$", "", text, flags=re.MULTILINE))
    lines = [line.split("#")[0] for line in text.splitlines() if line.startswith("    ")]
    found = [" ".join(command.split()) for command in [*spans, *lines]]
    return [command for command in found if command.startswith("python3 ")]


def test_every_experiment_has_a_report():
    assert set(DOCUMENTS) == {"README.md", "benchmarks/README.md", *REPORTS, *PAGES}


def test_tables_and_sentences_are_fresh():
    assert studies.main(["tables", "--check"]) == 0


def test_stale_tables_are_noticed(committed_results):
    path = committed_results / REPORTS[0]
    text = path.read_text()
    try:
        path.write_text(re.sub(r"(?m)^(\|.*?)\d+/30", r"\g<1>31/30", text, count=1))
        with pytest.raises(SystemExit, match="stale"):
            studies.main(["tables", "--check"])
        assert studies.main(["tables"]) == 0 and path.read_text() == text
        path.write_text(re.sub(r"<!-- table: \S+ -->", "", text, count=1))
        with pytest.raises(SystemExit, match="markers"):
            studies.main(["tables", "--check"])
    finally:
        path.write_text(text)


def test_a_missing_sentence_is_named(monkeypatch):
    module = studies.study_of("benchmarks")
    monkeypatch.setattr(module, "CLAIMS", {"README.md": lambda: ["Pure  NumPy is\nthe slowest."]}, raising=False)
    with pytest.raises(SystemExit, match="README.md lacks: Pure"):
        studies.main(["tables", "--check"])


COUNTED = re.compile(r"\d[\d,]*(?:/| of (?:the )?)\d[\d,]*|\bp = [\d.]+|\d[\d.]*[–-]\d[\d.]* %|±")
STATED = {  # constants of a task, and statements of the paper or the write-up
    "results/multiplication_problem/README.md": {"7/144", "1/36", "1/144", "1/540", "6/7"},
    "results/lstm_1997/baselines.md": {"p = 4", "p = 10", "p = 100", "1/4,"},  # p of task 2a
}


@every_document
def test_counts_intervals_and_p_values_in_prose_are_computed(name):
    text = re.sub(r"<!-- (?:table|again): .*?<!-- end -->", "", DOCUMENTS[name], flags=re.DOTALL)
    text = studies.in_one_line(re.sub(r"^    .*$|\]\([^)]*\)", "", text, flags=re.MULTILINE))
    modules = [studies.study_of(experiment) for experiment in (*studies.STUDIES, *studies.TABLES_ONLY)]
    sentences = [sentence for module in modules for sentence in getattr(module, "CLAIMS", {}).get(name, list)()]
    computed = set()
    for sentence in map(studies.in_one_line, sentences):
        for found in re.finditer(re.escape(re.sub(r"\]\([^)]*\)", "", sentence)), text):
            computed |= set(range(*found.span()))
    typed = {found[0] for found in COUNTED.finditer(text) if not set(range(*found.span())) <= computed}
    assert typed <= STATED.get(name, set())


@every_document
def test_links_and_pictures_exist(name):
    found = links(DOCUMENTS[name])
    assert found
    for link in found:
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.resolve().is_relative_to(ROOT) and target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


@every_document
def test_every_picture_has_an_alt_text_and_its_own_line(name):
    for line in DOCUMENTS[name].splitlines():
        pictures = re.findall(r"!\[([^]]*)\]", line)
        assert not pictures or len(pictures) == 1 and len(pictures[0]) > 20 and line.startswith("!["), line


def test_every_picture_is_shown():
    shown = {((ROOT / name).parent / link).resolve() for name, text in DOCUMENTS.items() for link in links(text)}
    drawn = {path for path in (ROOT / "viz").rglob("*") if path.suffix in (".png", ".gif")}
    assert {str(path.relative_to(ROOT)) for path in drawn - shown} == set()


@every_document
def test_commands_parse(name, capsys):
    found = commands(DOCUMENTS[name])
    assert found or name == "benchmarks/README.md"
    for command in found:
        program, *arguments = shlex.split(command)[1:]
        if program == "-m" and arguments[0] == "studies":
            names = [word for word in arguments[2:] if word not in ("--again", "--check", "--jobs", "2")]
            if (
                arguments[1] in ("run", "keep")
                and arguments[-1] != "NAME"
                and "--" not in arguments
                and "NAME" not in names
            ):
                assert studies.points_of(names)
            elif "--" in arguments:
                script, *arguments = arguments[arguments.index("--") + 1 :]
                load(script).parse_options(arguments)
            else:
                assert arguments[1] in ("list", "run", "keep", "measure", "tables")
        elif program == "-m":
            source = (ROOT / f"{arguments[0].replace('.', '/')}.py").read_text()
            assert all(f'"{word}"' in source for word in arguments[1:]), command
        elif program in SCRIPTS:
            if "--help" not in arguments:
                load(program).parse_options(arguments)
        else:
            source = (ROOT / program).read_text()
            assert all(f'"{word}"' in source for word in arguments if word.startswith("--")), command


def test_the_front_page_names_every_script_and_target():
    text = DOCUMENTS["README.md"]
    assert {command.split()[1] for command in commands(text)} >= set(SCRIPTS)
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)[0].split()
    named = re.findall(r"(?:^    |`)make(?: ([\w-]+))?", text, flags=re.MULTILINE)
    assert {"", "test"} <= set(named) <= {"", *targets}


def test_every_command_of_the_front_page_has_its_measured_duration():
    text, path = DOCUMENTS["README.md"], ROOT / "results" / "benchmarks" / "durations.json"
    measured = json.loads(path.read_text())["seconds"]
    assert durations.timed_commands(text) == {
        command: studies.duration(seconds) for command, seconds in measured.items()
    }
    plain = {command for command in commands(text) if "NAME" not in command and "-m pip" not in command}
    assert plain <= set(measured), "every command has a duration"


def test_the_front_page_shows_the_last_lines_of_make(committed_results):
    path = committed_results / "viz" / "lstm_1997.gif"
    with Image.open(path) as gif:
        frames = gif.n_frames
    size = path.stat().st_size
    assert f"viz/lstm_1997.gif ({frames} frames, {size / 1e6:.2f} MB)" in DOCUMENTS["README.md"]


def test_the_front_page_is_short():
    text = DOCUMENTS["README.md"]
    assert len(text.splitlines()) <= 200 and len(text.encode()) <= 12_000
    assert max(len(line) for line in text.splitlines() if not line.startswith(("|", "!"))) <= 120


@pytest.mark.parametrize("name", REPORTS + PAGES)
def test_a_report_opens_with_its_claim_and_its_picture(name):
    head = "\n".join(DOCUMENTS[name].splitlines()[:30])
    assert "![" in head and "**" in head


@every_document
def test_figures_are_numbered(name):
    numbers = re.findall(r"^\*Figure (\d+)\. ", DOCUMENTS[name], flags=re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))
    assert len(numbers) == len(re.findall(r"^!\[", DOCUMENTS[name], flags=re.MULTILINE))


def test_rows_of_1997_that_were_not_run_are_named():
    text = DOCUMENTS["results/lstm_1997/README.md"]
    found = re.findall(r"were\s+not\s+run\s+to\s+the\s+end\..*?means:\s+(.*?)\.\s", text, flags=re.DOTALL)
    means = re.findall(r"(\S+)\s\(([\d,;\s]+)\)", " ".join(found))
    assert [name for name, _ in means] == [name for name in study.lab.ROWS if name not in study.rows_run()]
    for name, mean in means:
        assert tuple(int(number.replace(",", "")) for number in mean.split(";")) == study.lab.ROWS[name].paper.sequences
    assert ("| not finished" in text) is bool(study.PENDING), "a cell without a result is that of a run that is pending"
