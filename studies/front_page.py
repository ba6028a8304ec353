"""The table of all experiments on the front page."""

import numpy as np

from studies import data_movement
from studies.benchmarks import benchmark
from studies.lstm_1997 import rows_run
from studies.report import ROOT, at_least, at_most, load_run, share, table


def run_of(experiment, point, name):
    """The results of the network name of a point."""
    command = f"python3 -m studies run {experiment}/{point}"
    return load_run(ROOT / "results" / experiment / point, experiment, command)["runs"][name]


def seeds_of(experiment, point):
    """The seeds of a point, which are consecutive, as text."""
    seeds = load_run(ROOT / "results" / experiment / point, experiment, "make studies")["seeds"]
    assert seeds == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}–{seeds[-1]}"


def good(values, holds):
    """The share of seeds whose value holds, with its interval. The value of a diverged seed does not hold."""
    return share(sum(bool(holds(value)) for value in np.array(values, float)), len(values))


def temporal_order():
    lstm, rnn = (run_of("temporal_order_3bit", FRESH, name) for name in ("lstm", "rnn"))
    ends = [good(run["final"]["val_accuracy"], lambda accuracy: accuracy == 1) for run in (lstm, rnn)]
    return f"no error at the end: LSTM {ends[0]}, tanh RNN {ends[1]}"


def multiplication():
    error = run_of("multiplication_problem", FRESH, "lstm")["final"]["test_mse"]
    ends = [good(error, lambda value, level=level: value < level) for level in (0.03, 0.001)]
    return f"error below 0.03: {ends[0]}; below 0.001: {ends[1]}"


def timing():
    runs = [run_of("timing_counting_spikes", FRESH, name) for name in ("peephole", "vanilla")]
    ends = [good(run["final"]["solve_rate"], lambda rate: rate >= 0.99) for run in runs]
    return f"99 % of sequences solved: with peepholes {ends[0]}, without {ends[1]}"


def latching():
    runs = [run_of("information_latching", "figure/shuffled", f"{kind}-50") for kind in ("srnn", "lstm")]
    runs.append(run_of("information_latching", "answer/fresh", "lstm-200"))
    ends = [good(run["measures"]["fresh_accuracy"], lambda accuracy: accuracy >= 0.99) for run in runs]
    return f"over 50 steps: simple RNN {ends[0]}, LSTM {ends[1]}; over 200, LSTM with our settings {ends[2]}"


def tables_of_1997():
    run = run_of("lstm_1997", "6a", "6a")
    met = [sequences for sequences in run["rules"][-1]["sequences"] if sequences is not None]
    solved, mean, paper = share(len(met), len(run["rules"][-1]["sequences"])), np.mean(met), run["paper"]["6a"]
    words = f"row 6a: {solved}, mean {mean:,.0f} sequences (paper {paper['sequences'][0]:,})"
    return f"{len(rows_run())} of {len(run['paper'])} rows were run; {words}"


FRESH = "thirty_seeds/default-fresh"  # the point of seeds on which nothing was chosen
EXPERIMENTS = {  # task, the points of the results, and the results
    "temporal_order_3bit": ("name the order of two symbols in noise", [FRESH], temporal_order),
    "multiplication_problem": ("multiply two marked numbers of a sequence", [FRESH], multiplication),
    "timing_counting_spikes": ("repeat the distance of two spikes, to the step", [FRESH], timing),
    "information_latching": (
        "keep the sign of the first input, with one unit",
        ["figure/shuffled", "answer/fresh"],
        latching,
    ),
    "lstm_1997": ("learn the tasks of 1997 by the method of 1997", ["6a"], tables_of_1997),
}


def experiments():
    """One row for each experiment. If possible, the results are from seeds on which nothing was chosen."""
    seconds = benchmark("durations")["seconds"]
    rows = [["script", "what the network must do", "seeds", "networks that succeed", "time of the headline", "report"]]
    for name, (task, points, found) in EXPERIMENTS.items():
        time = f"{seconds[f'python3 {name}.py']:.0f} s"
        seeds = "; ".join(seeds_of(name, point) for point in points)
        rows.append([f"`{name}.py`", task, seeds, found(), time, f"[report](results/{name}/README.md)"])
    step = data_movement.found("networks")["temporal order, LSTM"]
    reads = (
        f"temporal order: reads of weights are {data_movement.share_of(step, 'forward', 'weights'):.0f} % of the cost"
    )
    rows.append(["`studies/data_movement.py`", "nothing: the bytes that a training step moves are priced", "–",
                 f"{reads} of the forward pass", "–", "[report](results/data_movement/README.md)"])  # fmt: skip
    return table(*rows)


def front_claims():
    """Sentences of the front page on durations."""
    durations, headlines = benchmark("durations"), benchmark("headline")["experiments"]
    assert durations["environment"]["cpu"] == "AMD EPYC", "the machine that the text names"
    ratios = [found["by"]["ours"]["median_s"] / durations["seconds"][f"python3 {script}.py"]
              for script, found in headlines.items()]  # fmt: skip
    return [
        f"The headlines took {at_least(min(ratios), 1)} to {at_most(max(ratios), 1)} times as long on an Intel Xeon."
    ]


TABLES = {"experiments": experiments}
CLAIMS = {"README.md": front_claims}
