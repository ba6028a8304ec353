"""The studies: run their points in shards of seeds, measure trained networks, write the tables.

python3 -m studies list                        every point, and whether it has results
python3 -m studies run NAME...                 run experiments, studies or points (temporal_order_3bit/recipe/cosine)
python3 -m studies run -- SCRIPT.py ...        run any command line of a script in shards
python3 -m studies keep NAME...                copy unfinished runs to results/EXPERIMENT/unfinished (run finds them)
python3 -m studies measure DIR...              write measures.json of runs from their trained weights
python3 -m studies tables [--check]            write the tables of README.md and the reports, or only compare them
"""

import argparse
import importlib
import json
import os
import re
import sys
from pathlib import Path

import numpy as np

from studies import runner
from studies.report import ROOT, duration, measure_run

STUDIES = ("temporal_order_3bit", "multiplication_problem", "timing_counting_spikes", "information_latching",
           "lstm_1997")  # fmt: skip
TABLES_ONLY = ("pages_1997", "benchmarks", "data_movement", "front_page")


def study_of(experiment):
    """The module with the studies of an experiment."""
    return importlib.import_module(f"studies.{experiment}")


def points_of(names):
    """The points [(experiment, point), ...] that names refer to. A name is an experiment, a group, a folder or a point.

    Exits with status 2 if a name is unknown.
    """
    found = []
    for name in names:
        experiment, _, rest = name.strip("/").partition("/")
        study = study_of(experiment) if experiment in STUDIES else None
        group = getattr(study, "GROUPS", {}).get(rest, ())
        points = [
            p for p in getattr(study, "POINTS", {}) if not rest or p == rest or p.startswith(f"{rest}/") or p in group
        ]
        if not points:
            print(f"{name} is no experiment, study or point; python3 -m studies list shows all points", file=sys.stderr)
            sys.exit(2)
        found += [(experiment, point) for point in points if (experiment, point) not in found]
    return found


def command_of(experiment, point):
    """The script and the arguments of a point. The script is the experiment, if its command line names no other one."""
    first, *others = arguments = study_of(experiment).POINTS[point].split() or [""]
    return (first, others) if first.endswith(".py") else (f"{experiment}.py", arguments if first else [])


def job_of(experiment, point):
    """The runner's job of a point."""
    script, arguments = command_of(experiment, point)
    argv = [*arguments, "--out", f"results/{experiment}/{point}"] if arguments else []  # a bare one has its own folder
    watching = experiment if hasattr(study_of(experiment), "watch") else None
    return runner.make_job(Path(script), [*argv, "--force"], watching, Path(f"results/{experiment}/unfinished/{point}"))


def is_headline(study, directory):
    """Whether a folder is the headline's folder, which keeps snapshots.npz."""
    return directory.resolve() == (ROOT / study.lab.HEADLINE).resolve()


def finish_point(study, point, directory):
    """Measure the networks of a finished point, unless an earlier start has measured them.

    A headline keeps all its files. Other points keep results.json (without the losses of single batches and, if the
    study says so, with fewer evaluations), measures.json (without the groups of measures that the study keeps for other
    points only) and, if the study needs them, the weights. Points of scripts in studies/ have no measures.
    """
    snapshots, results = directory / "snapshots.npz", directory / "results.json"
    headline = is_headline(study, directory)
    if not snapshots.exists() or headline and (directory / "measures.json").exists():
        return
    if point in study.WEIGHTS:
        with np.load(snapshots) as file:
            weights = {name: file[name] for name in file if "/weights/" in name}
        study.lab.write_whole(directory / "weights.npz", lambda file: np.savez_compressed(file, **weights))
    if json.loads(results.read_text())["experiment"] == study.lab.EXPERIMENT:
        measure_run(study, directory)
    if headline:
        return
    others = [group for group, points in getattr(study, "ONLY", {}).items() if point not in points]
    if others:
        measured = json.loads((directory / "measures.json").read_text())
        for run in measured["runs"].values():
            for group in others:
                run.pop(group, None)
        write_json(study, directory / "measures.json", measured)
    found = json.loads(results.read_text())
    for run in found["runs"].values():
        run["history"].pop("batch_loss", None)
        run["history"] = thinned(run["history"], study.evaluations(point) if hasattr(study, "evaluations") else None)
    write_json(study, results, found)
    snapshots.unlink()


def write_json(study, path, values):
    """Write a file of results or measures in the format of the study's experiment."""
    study.lab.write_whole(path, lambda file: file.write(f"{study.lab.to_json(values)}\n".encode()))


def thinned(history, most):
    """A history with at most this number of evaluations, evenly spaced, with the first and the last one; None: all."""
    n = len(history["step"])
    places = range(n) if most is None or n <= most else np.linspace(0, n - 1, most).round().astype(int)
    return {name: [values[k] for k in places] for name, values in history.items()}


def run_points(options):
    """Run points. Returns the exit status: 1 if a shard failed."""
    points = points_of(options.names)
    jobs = {point: job_of(*point) for point in points}
    for (experiment, point), job in jobs.items():
        if runner.finished(job):
            finish_point(study_of(experiment), point, job.out)
    missing = [point for point, job in jobs.items() if not runner.finished(job)]
    if not missing and not options.again:
        print(
            f"{len(points)} points have results; python3 -m studies run {' '.join(options.names)} --again repeats them"
        )
        return 0
    print(f"{len(points)} points; {len(points if options.again else missing)} of them must run", flush=True)
    of_job = {id(job): point for point, job in jobs.items()}

    def finish(job):
        experiment, point = of_job[id(job)]
        finish_point(study_of(experiment), point, job.out)

    failed = runner.run_jobs(list(jobs.values()), pool_of(options), options.shard, options.again, finish)
    return report(failed)


def run_command(options):
    """Run one command line of a script. Returns the exit status."""
    script, *argv = options.command
    job = runner.make_job(Path(script), argv)
    if runner.finished(job) and not (job.out / ".shards").exists() and not options.again:
        print(f"{job.out} has the results of this command; --again repeats it")
        return 0
    status = report(runner.run_jobs([job], pool_of(options), options.shard, options.again))
    if not status:
        results = json.loads((job.out / "results.json").read_text())
        job.lab.print_summary(results)
        print(f"\nwrote {job.out / 'results.json'} and snapshots.npz")
    return status


def pool_of(options):
    """Where shards run: the number of processes of this machine, or a cluster."""
    if not options.cluster:
        return options.jobs
    from studies.cluster import Cluster  # the package distributed is needed only here

    return Cluster(options.cluster, options.tls, options.shard_timeout)


def report(failed):
    """Print a line if shards failed. Returns the exit status."""
    if failed:
        print(f"failed: {failed}; the same command, without --again, runs only what is missing", file=sys.stderr)
    return 1 if failed else 0


def keep(options):
    """Copy the checkpoints of unfinished points to a folder that can be committed. Returns 0."""
    for experiment, point in points_of(options.names):
        job = job_of(experiment, point)
        if runner.keep(job):
            for path in job.kept.glob("*/run/checkpoint.npz"):
                study_of(experiment).without_snapshots(path)
            size = sum(path.stat().st_size for path in job.kept.rglob("*") if path.is_file())
            print(f"{job.kept}: {size / 1e6:.2f} MB")
    return 0


def list_points(_):
    """Print every point, whether it has results, and its command line."""
    for experiment in STUDIES:
        for point in study_of(experiment).POINTS:
            script, arguments = command_of(experiment, point)
            there = runner.finished(job_of(experiment, point))
            command = " ".join([script, *arguments])
            print(f"{'there' if there else 'to run':7} {experiment}/{point}    {command}")
    return 0


def measure(options):
    """Write measures.json of runs."""
    for directory in options.directories:
        try:
            experiment = json.loads((directory / "results.json").read_text())["experiment"]
            study = study_of(STUDIES[STUDIES.index(experiment)])
        except (OSError, ValueError, KeyError, TypeError):
            sys.exit(f"{directory / 'results.json'} is missing, damaged, or not of this program")
        measure_run(study, directory)
        print(directory / "measures.json")
    return 0


def documents():
    """{path: text} of the front page and the reports. Their tables and sentences come from results."""
    paths = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *sorted(ROOT.glob("results/*/*.md"))]
    return {path: path.read_text() for path in paths if path.exists()}


def again(names):
    """The command that repeats points, the headline of a script, or a module of studies that trains by itself.

    With its duration, in one line of Markdown.
    """
    if names.startswith("studies."):
        found = json.loads((ROOT / study_of(names.removeprefix("studies.")).FOLDER / "results.json").read_text())
        cpu, seconds = found["environment"]["cpu"], sum(numbers_of(found, "wall_clock_s"))
        return f"To repeat this: `python3 -m {names}` ({duration(seconds)} on one core, {cpu_name(cpu)})"
    if names.endswith(".py"):
        measured = study_of("benchmarks").benchmark("durations")
        seconds, cpu = measured["seconds"][f"python3 {names}"], measured["environment"]["cpu"]
        return f"To repeat this: `python3 {names}` ({duration(seconds)} on one core, {cpu})"
    seconds, processors, points = 0, set(), points_of(names.split())
    paths = [ROOT / "results" / experiment / point / "results.json" for experiment, point in points]
    there = [path for path in paths if path.exists()]
    for path in there:
        found = json.loads(path.read_text())
        seconds += sum(run["wall_clock_s"] for run in found["runs"].values())
        processors |= {machine["cpu"] for machine in [found["environment"], *found.get("environments", [])]}
    names_of = sorted(set(map(cpu_name, processors)))
    runs = "1 run" if len(points) == 1 else f"{len(points)} runs"
    pending = f", of which {len(paths) - len(there)} have not finished" if there != paths else ""
    words = f"{runs}{pending}, {duration(seconds)} on one core, {' and '.join(names_of)}"
    return f"To repeat this: `python3 -m studies run {names} --again` ({words})"


def cpu_name(cpu):
    """A short name of a processor."""
    return re.sub(r"\(R\)| Processor.*", "", cpu)


def numbers_of(found, key):
    """All values of a key in nested dicts."""
    values = [number for value in found.values() if isinstance(value, dict) for number in numbers_of(value, key)]
    return values + [value for name, value in found.items() if name == key]


def in_one_line(text):
    """A text in which one space replaces each run of white space."""
    return " ".join(text.split())


def tables(options):
    """Rewrite or check the tables of the front page and the reports. Returns the exit status.

    It is an error if a document lacks a sentence that a study computes from results (CLAIMS).
    """
    modules = [study_of(experiment) for experiment in (*STUDIES, *TABLES_ONLY)]
    functions = {name: function for module in modules for name, function in module.TABLES.items()}
    texts = documents()
    found = [name for text in texts.values() for name in re.findall(r"<!-- table: (\S+) -->", text)]
    if sorted(found) != sorted(functions):
        sys.exit(f"the documents have markers for {sorted(found)}, but {sorted(functions)} are needed")
    made = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)
    lines = re.compile(r"(<!-- again: ([^>]+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)
    stale = []
    for path, text in texts.items():
        new = made.sub(lambda match: f"{match[1]}{functions[match[2]]()}\n{match[3]}", text)
        new = lines.sub(lambda match: f"{match[1]}{again(match[2])}\n{match[3]}", new)
        texts[path] = new
        if new != text:
            stale.append(str(path.relative_to(ROOT)))
            if not options.check:
                path.write_text(new)
    if options.check and stale:
        sys.exit(f"{', '.join(stale)}: a table is stale; to renew it: python3 -m studies tables")
    for name, text in ((name, text) for module in modules for name, text in getattr(module, "FILES", {}).items()):
        path = ROOT / name
        if not path.exists() or path.read_text() != text():
            if options.check:
                sys.exit(f"{name} is stale; to renew it: python3 -m studies tables")
            path.write_text(text())
    lacking = [
        f"{document} lacks: {sentence}"
        for module in modules
        for document, sentences in getattr(module, "CLAIMS", {}).items()
        for sentence in sentences()
        if in_one_line(sentence) not in in_one_line(texts.get(ROOT / document, ""))
    ]
    if lacking:
        sys.exit("\n".join(lacking))
    return 0


def problem_of_cluster(options):
    """What is wrong with the options of a cluster, or None."""
    if not options.cluster:
        return "--tls-... and --shard-timeout need --cluster" if any(options.tls) or options.shard_timeout else None
    if not re.fullmatch(r"(tcp|tls)://[^/]+:\d+", options.cluster):
        return f"argument --cluster: '{options.cluster}' is no address such as tcp://HOST:8786 or tls://HOST:8786"
    if any(options.tls) != options.cluster.startswith("tls://") or any(options.tls) and not all(options.tls):
        return "an address tls://... needs --tls-ca, --tls-cert and --tls-key, and an address tcp://... none of them"
    missing = [path for path in options.tls if path and not Path(path).is_file()]
    return f"there is no file {missing[0]}" if missing else None


def at_least_one(text):
    """The number in text, a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return int(text)


def main(argv=None):
    """Run the command line argv. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m studies", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(required=True, metavar="list | run | keep | measure | tables")
    commands.add_parser("list", help="print every point").set_defaults(do=list_points)
    run = commands.add_parser("run", help="run points, or -- and a command line of a script", allow_abbrev=False)
    run.add_argument("names", nargs="*", metavar="NAME", help="experiment, study or point (see list)")
    run.add_argument("--jobs", type=at_least_one, default=1, help="processes that run at the same time (default: 1)")
    run.add_argument("--shard", type=at_least_one, metavar="N", help="seeds in a shard (if not given: as few shards as "
        "keep all processes busy, each of at most about twenty minutes)")  # fmt: skip
    run.add_argument("--cluster", metavar="ADDRESS", help="run shards on the workers of a Dask cluster, such as "
        "tcp://HOST:8786; see studies/README.md")  # fmt: skip
    for name, words in (("ca", "certificate of the CA"), ("cert", "certificate"), ("key", "key of the certificate")):
        run.add_argument(f"--tls-{name}", metavar="FILE", help=f"{words}, for a cluster at tls://HOST:8786")
    run.add_argument("--shard-timeout", type=at_least_one, metavar="SECONDS", help="time after which a shard of a "
        "cluster has failed (if not given: none)")  # fmt: skip
    run.add_argument("--again", action="store_true", help="also run finished points")
    keeping = commands.add_parser("keep", help="copy unfinished runs to a folder that can be committed")
    keeping.add_argument("names", nargs="+", metavar="NAME", help="experiment, study or point (see list)")
    keeping.set_defaults(do=keep)
    measuring = commands.add_parser("measure", help="write measures.json of runs")
    measuring.add_argument("directories", nargs="+", type=Path, metavar="DIR")
    measuring.set_defaults(do=measure)
    writing = commands.add_parser("tables", help="write the tables of README.md and the reports")
    writing.add_argument("--check", action="store_true", help="change nothing; exit with status 1 if a table is stale")
    writing.set_defaults(do=tables)
    argv = sys.argv[1:] if argv is None else argv
    own = argv[: argv.index("--")] if "--" in argv else argv
    options = parser.parse_args(own)
    options.command = argv[len(own) + 1 :]
    if own[0] == "run":
        if bool(options.names) == bool(options.command):
            run.error("give names of points, or -- and a command line of a script")
        options.tls = [options.tls_ca, options.tls_cert, options.tls_key]
        problem = problem_of_cluster(options)
        if problem:
            run.error(problem)
        options.tls = options.tls if all(options.tls) else None
        options.do = run_command if options.command else run_points
    return options.do(options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; the same command, without --again, continues")
    except BrokenPipeError:  # a program that reads the output, such as head, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
