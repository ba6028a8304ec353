"""The front page and the reports: tables and sentences are what results/ has, links, pictures and commands exist."""

import re
import shlex
import subprocess

import pytest
from conftest import ROOT, SCRIPTS, load

import studies.__main__ as studies
import studies.lstm_1997 as study
from studies import report

DOCUMENTS = {str(path.relative_to(ROOT)): text for path, text in studies.documents().items()}
REPORTS = [f"results/{script.removesuffix('.py')}/README.md" for script in SCRIPTS]
every_document = pytest.mark.parametrize("name", DOCUMENTS)


@pytest.fixture(scope="module", autouse=True)
def committed_results(tmp_path_factory):
    """Tables and sentences are of the committed results: make on another machine may change the last digits of some."""
    wanted = ["git", "ls-files", "-z", "--", "results/**.json"]
    files = subprocess.run(wanted, cwd=ROOT, capture_output=True).stdout
    with pytest.MonkeyPatch.context() as patch:
        if files:
            folder = tmp_path_factory.mktemp("committed")
            command = ["git", "checkout-index", "-z", "--stdin", f"--prefix={folder}/"]
            subprocess.run(command, cwd=ROOT, input=files, check=True)
            for module in studies, report, studies.study_of("benchmarks"):
                patch.setattr(module, "ROOT", folder)
            for path, text in DOCUMENTS.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text)
        yield studies.ROOT


def links(text):
    """Targets of all links and pictures of a Markdown text that are not on the web."""
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in found if not link.startswith(("http://", "https://"))]


def anchors(text):
    """The anchors of the headings of a Markdown text, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def commands(text):
    """Command lines of a Markdown text that start with python3, in code blocks and between backquotes."""
    spans = re.findall(r"`([^`\n]*(?:\n[^`\n]+)?)`", re.sub(r"^```.*$", "", text, flags=re.MULTILINE))
    lines = [line.split("#")[0] for line in text.splitlines() if line.startswith("    ")]
    found = [" ".join(command.split()) for command in [*spans, *lines]]
    return [command for command in found if command.startswith("python3 ")]


def test_every_experiment_has_a_report():
    assert set(DOCUMENTS) == {"README.md", "benchmarks/README.md", *REPORTS}


def test_tables_and_sentences_are_fresh():
    assert studies.main(["tables", "--check"]) == 0


def test_what_is_stale_is_noticed(committed_results):
    path = committed_results / REPORTS[0]
    text = path.read_text()
    try:
        path.write_text(re.sub(r"\d+/30", "31/30", text, count=1))
        with pytest.raises(SystemExit, match="stale"):
            studies.main(["tables", "--check"])
        assert studies.main(["tables"]) == 0 and path.read_text() == text
        path.write_text(re.sub(r"<!-- table: \S+ -->", "", text, count=1))
        with pytest.raises(SystemExit, match="markers"):
            studies.main(["tables", "--check"])
    finally:
        path.write_text(text)


def test_a_sentence_that_a_document_lacks_is_named(monkeypatch):
    module = studies.study_of("benchmarks")
    monkeypatch.setattr(module, "CLAIMS", {"README.md": lambda: ["Pure  NumPy is\nthe slowest."]}, raising=False)
    with pytest.raises(SystemExit, match="README.md lacks: Pure"):
        studies.main(["tables", "--check"])


@every_document
def test_links_and_pictures_are_there(name):
    found = links(DOCUMENTS[name])
    assert found
    for link in found:
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.resolve().is_relative_to(ROOT) and target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


@every_document
def test_every_picture_has_an_alt_text_and_a_row_of_its_own(name):
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
    assert found
    for command in found:
        program, *arguments = shlex.split(command)[1:]
        if program == "-m" and arguments[0] == "studies":
            names = [word for word in arguments[2:] if word not in ("--again", "--check", "--jobs", "2")]
            if arguments[1] == "run" and arguments[-1] != "NAME" and "--" not in arguments and "NAME" not in names:
                assert studies.points_of(names)
            elif "--" in arguments:
                script, *arguments = arguments[arguments.index("--") + 1 :]
                load(script).parse_options(arguments)
            else:
                assert arguments[1] in ("list", "run", "measure", "tables")
        elif program in SCRIPTS:
            if "--help" not in arguments:
                load(program).parse_options(arguments)
        elif program != "-m":
            assert (ROOT / program).is_file(), command


def test_the_front_page_names_every_script_and_target():
    text = DOCUMENTS["README.md"]
    assert {command.split()[1] for command in commands(text)} >= set(SCRIPTS)
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)[0].split()
    named = re.findall(r"(?:^    |`)make(?: ([\w-]+))?", text, flags=re.MULTILINE)
    assert {"", "test"} <= set(named) <= {"", *targets}


def test_the_front_page_is_short():
    text = DOCUMENTS["README.md"]
    assert len(text.splitlines()) <= 200 and len(text.encode()) <= 12_000
    assert max(len(line) for line in text.splitlines() if not line.startswith("|")) <= 120


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_opens_with_its_claim_and_its_picture(name):
    head = "\n".join(DOCUMENTS[name].splitlines()[:30])
    assert "![" in head and "**" in head


@every_document
def test_figures_are_numbered(name):
    numbers = re.findall(r"^\*Figure (\d+)\. ", DOCUMENTS[name], flags=re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))
    assert len(numbers) == len(re.findall(r"^!\[", DOCUMENTS[name], flags=re.MULTILINE))


def test_rows_and_readings_of_1997_that_were_not_run_are_named():
    text = DOCUMENTS["results/lstm_1997/README.md"]
    folder = ROOT / "results" / study.lab.EXPERIMENT
    not_run = {point for point in study.POINTS if not (folder / point / "results.json").exists()}
    others = set(study.GROUPS["other-readings"])
    assert others <= not_run <= others | set(study.GROUPS["long-rows"]), "of the other points all are there"
    assert {f"other-readings/{name}" for name in study.NOT_RUN} == others and len(others) == 8
    (rows,) = re.findall(r"<!-- table: paper-tables -->\n(.*?)<!-- end -->", text, flags=re.DOTALL)
    named = {line.split("|")[1].split(",")[0].strip() for line in rows.splitlines() if line.endswith("| not run |")}
    assert named == not_run - others
    readings = re.findall(r"<!-- table: paper-(?:readings|first-pair) -->\n(.*?)<!-- end -->", text, flags=re.DOTALL)
    assert sum(table.count("not run") for table in readings) == len(others)
