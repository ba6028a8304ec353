"""README.md: its tables are what results/ has, its pictures are there, its commands parse."""

import re

import pytest
from conftest import ROOT, SCRIPTS, load

import studies.__main__ as studies
import studies.lstm_1997 as study

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


def test_points_that_are_named_exist():
    commands = re.findall(r"`python3 -m studies run ([^`]+)`", README.replace("\n", " "))
    names = [command.split() for command in commands if "NAME" not in command and "--" not in command]
    assert len(names) > 15 and all(studies.points_of(some) for some in names)


def test_rows_and_readings_of_1997_that_were_not_run_are_named():
    folder = ROOT / "results" / study.lab.EXPERIMENT
    not_run = {point for point in study.POINTS if not (folder / point / "results.json").exists()}
    others = set(study.GROUPS["other-readings"])
    assert others <= not_run <= others | set(study.GROUPS["long-rows"]), "of the other points all are there"
    assert {f"other-readings/{name}" for name in study.NOT_RUN} == others and len(others) == 8
    (rows,) = re.findall(r"<!-- table: paper-tables -->\n(.*?)<!-- end -->", README, flags=re.DOTALL)
    named = {line.split("|")[1].split(",")[0].strip() for line in rows.splitlines() if line.endswith("| not run |")}
    assert named == not_run - others
    readings = re.findall(r"<!-- table: paper-(?:readings|first-pair) -->\n(.*?)<!-- end -->", README, flags=re.DOTALL)
    assert sum(table.count("not run") for table in readings) == len(others)
