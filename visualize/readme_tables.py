#!/usr/bin/env python3
"""Write the tables of README.md, between their markers, from results.json of the studies; --check only compares.

A table stands between <!-- table: NAME --> and <!-- end -->. What the paper and the write-up report is given below;
every other number comes from results/.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///

import argparse
import json
import re
import sys
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
ORDER = "temporal_order_3bit"


# shared block
def load_run(directory, experiment, command, arrays=True):
    """results.json of a run, and its snapshots.npz as a dict if arrays; exits with status 1 and one line on failure."""
    path = directory / "results.json"
    try:
        results = json.loads(path.read_text())
        found = results["experiment"], results["schema"]
        if found != (experiment, 1):
            sys.exit(f"{path} is of {found[0]}, schema {found[1]}, not of {experiment}, schema 1")
        snapshots = {}
        if arrays:
            path = directory / "snapshots.npz"
            with np.load(path) as file:
                snapshots = dict(file)
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: {command}")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        sys.exit(f"{path} is damaged, or not of this program")
    return results, snapshots


def wilson(k, n, z=1.959964):
    """The 95 % Wilson interval of a share k / n, in per cent, as text."""
    middle, spread = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    low, high = (100 * (middle + sign * spread) / (n + z * z) for sign in (-1, 1))
    return f"{low:.1f}–{high:.1f} %"


def spread(values, form):
    """Median and range of the values that there are, as text."""
    values = [value for value in values if value is not None]
    if not values:
        return "–"
    return f"{np.median(values):{form}} [{min(values):{form}}–{max(values):{form}}]"


def table(*rows):
    """A Markdown table, its first row the head."""
    head, *body = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])


# ------------------------------------------------------------------------------------------ temporal order


def order(study):
    """results.json of a study of temporal_order_3bit, and its LSTM."""
    target = {"thirty_seeds": "seeds"}.get(study.split("/")[0], study.split("/")[0])
    results, _ = load_run(ROOT / "results" / ORDER / study, ORDER, f"make {ORDER}-{target}", arrays=False)
    return results, results["runs"]["lstm"]


def solved(run, interval=True):
    """How many seeds end at 1.000, with the interval."""
    accuracy = run["final"]["val_accuracy"]
    k, n = sum(value == 1 for value in accuracy), len(accuracy)
    return f"{k}/{n}" + (f" ({wilson(k, n)})" if interval else "")


def dips(run):
    """How many seeds that end at 1.000 were below it at some evaluation after step 500."""
    history = np.array(run["history"]["val_accuracy"], float)
    late = history[np.array(run["history"]["step"]) > 500]
    ends = history[-1] == 1
    return f"{((late < 1).any(axis=0) & ends).sum()}/{ends.sum()}"


def order_seeds():
    columns = [order(f"thirty_seeds/{name}")[0]["runs"] for name in ("writeup", "default", "default-fresh")]
    lstm, rnn = ([runs[kind] for runs in columns] for kind in ("lstm", "rnn"))
    weights = [f"{a['trainable_parameters']}, {b['trainable_parameters']}" for a, b in zip(lstm, rnn)]
    to_95, to_100 = ([spread(run[f"sequences_to_{percent}"], ",.0f") for run in lstm] for percent in (95, 100))
    head = [
        "",
        "1997 paper",
        "write-up",
        "its recipe, seeds 0–29",
        "**our recipe, seeds 0–29**",
        "our recipe, seeds 30–59",
    ]
    return table(
        head,
        ["steps of a sequence", "100–110", "50", "50", "50", "50"],
        ["weights of LSTM, RNN", "156, –", "184, 68", *weights],
        ["LSTMs that end at 1.000 (95 % interval)", "20 trials, 1 of 2,560 wrong", "5/5", *map(solved, lstm)],
        ["sequences to 95 %, median [range]", "–", "6,400", *to_95],
        ["sequences to the first 100 %", "31,390, to its own rule", "–", *to_100],
        ["of those: below 1.000 again after step 500", "–", "–", *map(dips, lstm)],
        ["RNN, final accuracy", "–", "0.230–0.293", *(spread(run["final"]["val_accuracy"], ".3f") for run in rnn)],
    )


def order_claims():
    _, headline = order("thirty_seeds/default")
    rnn = order("thirty_seeds/default")[0]["runs"]["rnn"]["final"]["val_accuracy"]
    _, long = order("length/default-500")
    value = {name: np.array(values) for name, values in headline["measures"].items()}
    two_cells = int((value["sign_accuracy_two_cells"] >= 0.99).sum())
    near_zero, shut = 0.05, 0.1

    def verdict(holds):
        return "holds" if holds else "**does not hold**"

    def seen(measures, name, form=".2f"):
        return spread(measures[name], form)

    return table(
        ["the write-up says", "measured over thirty seeds", "verdict"],
        ["the LSTM solves the task", f"{solved(headline)} end at 1.000",
         verdict(min(headline["final"]["val_accuracy"]) == 1)],
        ["the RNN stays at chance", f"final accuracy {spread(rnn, '.3f')}", verdict(max(rnn) <= 0.30)],
        ["the input gate fires only at the two markers and stays near zero on every distractor",
         f"widest gate {seen(headline['measures'], 'gate_at_markers')} at markers, "
         f"{seen(headline['measures'], 'gate_at_distractors')} at distractors",
         verdict(np.median(value["gate_at_distractors"]) < near_zero)],
        ["the same, of networks trained at T = 500",
         f"{seen(long['measures'], 'gate_at_markers')} at markers, "
         f"{seen(long['measures'], 'gate_at_distractors', '.3f')} at distractors",
         verdict(np.median(long["measures"]["gate_at_distractors"]) < near_zero)],
        ["outputs carry information only when the output gate opens, in the last few steps",
         f"widest output gate before the last step {seen(headline['measures'], 'output_gate_before')}",
         verdict(np.median(value["output_gate_before"]) < shut)],
        ["the classes can be told apart in cell space", f"by the signs of the final cell states, accuracy "
         f"{seen(headline['measures'], 'sign_accuracy', '.3f')}", verdict(value["sign_accuracy"].min() >= 0.99)],
        ["… by the signs of two cells",
         f"accuracy at least 0.99 in {two_cells} of {len(value['sign_accuracy'])} seeds",
         "in some" if 0 < two_cells < len(value["sign_accuracy"]) else verdict(two_cells > 0)],
    )  # fmt: skip


def order_recipe():
    names = {
        "writeup": "the write-up's: rate 0.02, β₂ 0.999, input-gate bias −1",
        "writeup-float64": "the same in float64",
        "cosine": "the write-up's, its rate falling to zero by a cosine",
        "bias": "… and input-gate bias −4",
        "beta2": "… and β₂ 0.95",
        "default": "… and rate 0.025: **our recipe**",
        "default-fresh": "our recipe, on 300 seeds that nothing was chosen on",
    }
    rows = [["recipe", "end at 1.000", "where the others end", "sequences to 95 %", "dips after step 500"]]
    for name, words in names.items():
        _, run = order(f"recipe/{name}")
        others = [accuracy for accuracy in run["final"]["val_accuracy"] if accuracy is not None and accuracy < 1]
        nearest = [min((0.25, 0.5, 0.75, 1.0), key=lambda level: abs(level - accuracy)) for accuracy in others]
        ends = [f"{nearest.count(level)} near {level:g}" for level in sorted(set(nearest))]
        rows.append([words, solved(run), ", ".join(ends) or "–", spread(run["sequences_to_95"], ",.0f"), dips(run)])
    return table(*rows)


def order_length():
    head = ["T", "lag between the markers", "our recipe: end at 1.000", "sequences to 95 %"]
    rows = [[*head, "write-up's: end at 1.000", "sequences to 95 %"]]
    lengths = {"50": "13–37", "100": "26–74", "paper": "30–50", "200": "52–148", "500": "130–370"}
    for T, lag in lengths.items():
        row = ["100–110, the paper's" if T == "paper" else T, lag]
        for recipe in "default", "writeup":
            _, run = order(f"thirty_seeds/{recipe}" if T == "50" else f"length/{recipe}-{T}")
            row += [solved(run), spread(run["sequences_to_95"], ",.0f")]
        rows.append(row)
    _, run = order("length/default-500-longer")
    rows.append(
        ["500, 3,000 steps", lengths["500"], solved(run), spread(run["sequences_to_95"], ",.0f"), "not run", ""]
    )
    return table(*rows)


VARIANTS = {
    "thirty_seeds/default": "headline: four cells, gates of their own",
    "ablations/blocks-2": "two blocks of two cells",
    "ablations/forget-gate": "with forget gates",
    "ablations/blocks-2-forget-gate": "two blocks, with forget gates",
}


def order_ablations():
    rows = [["LSTM", "weights", "end at 1.000", "lowest", "sequences to 95 %", "gate at markers", "at distractors",
             "ratio"]]  # fmt: skip
    for name, words in VARIANTS.items():
        _, run = order(name)
        gate = [
            spread(run["measures"][f"gate_{what}"], ".2f") for what in ("at_markers", "at_distractors", "selectivity")
        ]
        lowest = f"{min(run['final']['val_accuracy']):.3f}"
        rows.append(
            [words, run["trainable_parameters"], solved(run), lowest, spread(run["sequences_to_95"], ",.0f"), *gate]
        )
    return table(*rows)


TABLES = {"order-seeds": order_seeds, "order-recipe": order_recipe, "order-length": order_length,
          "order-ablations": order_ablations, "order-claims": order_claims}  # fmt: skip


def main(argv=None):
    """Rewrite or check README.md; returns the exit status, 1 if --check finds a stale table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 if a table is stale")
    options = parser.parse_args(argv)
    path = ROOT / "README.md"
    text = path.read_text()
    found = re.findall(r"<!-- table: (\S+) -->", text)
    if sorted(found) != sorted(TABLES):
        sys.exit(f"README.md has markers for {sorted(found)}, where {sorted(TABLES)} are wanted")
    new = re.sub(
        r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)",
        lambda m: f"{m[1]}{TABLES[m[2]]()}\n{m[3]}",
        text,
        flags=re.DOTALL,
    )
    if options.check:
        if new != text:
            sys.exit("README.md has a stale table; to renew it: python3 visualize/readme_tables.py")
        return 0
    path.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
