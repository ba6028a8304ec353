"""README.md: its tables are what results/ has, its pictures are there, its commands parse."""

import json
import re

import pytest
from conftest import ROOT, SCRIPTS, load

import studies.__main__ as studies

README = (ROOT / "README.md").read_text()


def test_tables_are_fresh():
    assert studies.main(["tables", "--check"]) == 0


def test_a_stale_table_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "ROOT", tmp_path)
    copy = tmp_path / "README.md"
    copy.write_text(re.sub(r"\d+/30", "31/30", README, count=1))
    with pytest.raises(SystemExit, match="stale"):
        studies.main(["tables", "--check"])
    assert studies.main(["tables"]) == 0 and copy.read_text() == README
    copy.write_text(README.replace("<!-- table: order-seeds -->", ""))
    with pytest.raises(SystemExit, match="markers"):
        studies.main(["tables", "--check"])


def test_pictures_are_there():
    links = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert links and all((ROOT / link).is_file() for link in links)


def test_commands_parse():
    commands = re.findall(r"python3 (\w+\.py)([^#`\n]*)", README)
    assert {script for script, _ in commands} >= set(SCRIPTS)
    for script, arguments in commands:
        if arguments.split() != ["--help"]:
            load(script).parse_options(arguments.split())


def rows_of_1997(makefile):
    """{row: command} of the paper's rows, but for the headline."""
    commands = {}
    for names in "SHORT_ROWS", "LONG_ROWS":
        rows = re.search(rf"^{names} := (.+)$", makefile, flags=re.MULTILINE)[1].split()
        (words,) = re.findall(
            rf"^\$\(addprefix paper-,\$\({names}\)\): .+\n\t\$\(PAPER\) (.+)$", makefile, flags=re.MULTILINE
        )
        words = words.replace("$(PAPER_OUT)", "--out results/lstm_1997")
        commands |= {row: f"python3 lstm_1997.py {words}".replace("$*", row) for row in rows}
    return commands


NOT_RUN = {  # readings that README.md says were not run
    *(f"2c-1-equations-{cost}" for cost in ("squared", "mixed", "entropy")), "3a-1-caption-entropy",
    "4-1-equations-squared", "4-1-equations-mixed", "4-1-caption-mixed", "4-1-unmarked",
}  # fmt: skip


def test_studies_were_made_by_the_commands_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    stated = set()
    for variable, script in re.findall(r"^(\w+) := \$\(RUN\) (\w+\.py) --resume$", makefile, flags=re.MULTILINE):
        out = re.search(rf"^{variable}_OUT := (.+)$", makefile, flags=re.MULTILINE)[1]
        arguments = re.findall(rf"^\t\$\({variable}\) ((?!.*\$\*).+)$", makefile, flags=re.MULTILINE)
        stated |= {f"python3 {script} {words}".replace(f"$({variable}_OUT)", out) for words in arguments}
    found = [*(ROOT / "results").glob("*/*/*/results.json"), *(ROOT / "results" / "lstm_1997").glob("*/results.json")]
    studies = [json.loads(path.read_text()) for path in found]
    for study in studies:
        assert study["environment"]["dirty"] is False, f"{study['command']} was not made by a committed script"
    commands = {study["command"] for study in studies}
    long_rows = re.search(r"^LONG_ROWS := (.+)$", makefile, flags=re.MULTILINE)[1].split()
    stated |= set(rows_of_1997(makefile).values()) | {"python3 lstm_1997.py"}
    long_runs = {rows_of_1997(makefile)[name] for name in long_rows}
    not_run = {command for command in stated if command.split("/readings/")[-1] in NOT_RUN}
    assert len(not_run) == len(NOT_RUN)
    assert commands <= stated and not_run <= stated - commands <= not_run | long_runs
    assert {study["experiment"] for study in studies} == {script.removesuffix(".py") for script in SCRIPTS}
