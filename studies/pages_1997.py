"""Tables and sentences of the pages beside the report of 1997: task 1, and baselines with the flow of errors."""

import itertools
import json
from collections import Counter

import numpy as np

import lstm_1997 as lab
from studies.lstm_1997 import (
    BASELINES,
    COLUMN_WORDS,
    GRAMMAR,
    GRAMMAR_ROWS,
    POINTS,
    is_there,
    listed,
    mean_interval,
    met,
    paper,
    per_cent,
    point,
    point_of,
    ratio_of_means,
    reading_of,
    solved_and_mean,
    success,
    told,
)
from studies.report import (
    at_most,
    bootstrap,
    compare_pairs,
    fisher_test,
    load_run,
    p_value,
    results_folder,
    share,
    spread,
    table,
    wilson,
)

# ------------------------------------------------------------------------------------------------- baselines


def script_run(name):
    """results.json of a point of a script in studies/, and its only run; or None, None."""
    path = results_folder(lab, name) / "results.json"
    if not path.exists():
        return None, None
    results = json.loads(path.read_text())
    return results, next(iter(results["runs"].values()))


def counted(name):
    """Trials of a point of a script in studies/ that met the rule, all trials, and the sequences of those that did."""
    results, run = script_run(name)
    there = [n for n in run["rules"][0]["sequences"] if n is not None]
    return len(there), len(results["seeds"]), there


def paper_baselines():
    rows = [["task 2a", "weights", "rate", "the paper: solved, mean", "ours: solved", "ours: mean sequences"]]
    ours = {
        ("RTRL, p = 4", 36, 1, "78 %, 1,043,000"): "baselines/rtrl-4-1",
        ("RTRL, p = 4", 36, 4, "56 %, 892,000"): "baselines/rtrl-4-4",
        ("RTRL, p = 4", 36, 10, "22 %, 254,000"): "baselines/rtrl-4-10",
        ("RTRL, p = 10", 144, 1, "0 %"): "baselines/rtrl-10",
        ("BPTT, p = 100", 10404, 1, "0 %"): "baselines/bptt-100",
    }
    for (words, weights, rate, stated), name in ours.items():
        if script_run(name)[1] is None:
            rows.append([words, f"{weights:,}", rate, stated, "not finished", "–"])
            continue
        k, n, there = counted(name)
        assert script_run(name)[1]["trainable_parameters"] == weights
        cap = script_run(name)[0]["config"]["steps"]
        rows.append([words, f"{weights:,}", rate, stated, f"{share(k, n)} by {cap:,}", mean_interval(there, ",.0f")])
    rows.append(["RTRL, p = 100 (quoted)", "10,404", 1, "0 %", "–", "–"])
    rows.append(["sequence chunker, p = 100 (quoted)", "10,506", 1, "33 %, 32,400", "–", "–"])
    for column in "text", "nearest":
        name = point_of(column, "2a")
        cells = [share(*success(name)), mean_interval(met(point(name)[1]), ",.0f")]
        rows.append([f"LSTM, p = 100, {COLUMN_WORDS[column]}", "10,504", 1, "100 %, 5,040", *cells])
    return table(*rows)


def paper_quoted():
    rows = [["task 1", "weights", "rate", "the paper: solved, mean", "ours: solved, mean"]]
    quoted = (("RTRL, 3 hidden units", "about 170", 0.05, "some fraction, 173,000"),
              ("RTRL, 12 hidden units", 494, 0.1, "some fraction, 25,000"),
              ("Elman network, 15 hidden units", 435, "", "0 %, more than 200,000"),
              ("recurrent cascade correlation, 7–9 hidden units", "119–198", "", "50 %, 182,000"))  # fmt: skip
    rows += [[f"{words} (quoted)", weights, rate, stated, "–"] for words, weights, rate, stated in quoted]
    for row in GRAMMAR_ROWS:
        of, kind = paper()[row], lab.ROWS[row].kind
        stated = f"{100 * of['solved']:.0f} %, {of['sequences'][0]:,}"
        cells = [solved_and_mean(point_of(column, row)) for column in ("text", "nearest")]
        words = f"LSTM, row {row}: {kind.blocks} × {kind.per_block}"
        ours = point(point_of("nearest", row))[1]["trainable_parameters"]
        rows.append([words, f"{kind.weights}; (c) {ours}", kind.rate, stated, f"(a) {cells[0]}; (c) {cells[1]}"])
    return table(*rows)


def paper_guess():
    rows = [["row", "guesses: mean", "median [range]", "test sequences looked at: mean", "wrong of 2,560",
             "LSTM, (a): rule 1, training sequences", "LSTM: wrong"]]  # fmt: skip
    for row in "3a-1", "3a-2":
        rule = script_run(f"baselines/guess-{row}")[1]["rules"][0]
        run = point(f"text/{row}")[1]
        cells = [mean_interval(rule["guesses"], ",.0f"), spread(rule["guesses"], ",.0f")]
        cells += [mean_interval(rule["sequences"], ",.0f"), mean_interval(rule["wrong"], ".1f")]
        rows.append([row, *cells, mean_interval(met(run, 0), ",.0f"), mean_interval(told(run, 0, "wrong"), ".1f")])
    return table(*rows)


def baseline_claims():
    """Sentences on the runs of RTRL and BPTT."""
    found = {name: counted(name) for name in BASELINES if "guess" not in name}
    caps = {name: script_run(name)[0]["config"]["steps"] for name in found}
    k, n, _ = found["baselines/rtrl-4-1"]
    for name in found:
        final = script_run(name)[1]["final"]
        assert final["largest_error"] == final["largest_error_at_end"], "the last step is the one that stays wrong"
    rising = [found[f"baselines/rtrl-4-{rate}"][:2] for rate in (1, 4, 10)]
    assert all(low[0] < high[0] and fisher_test(*low, *high) < 0.05 for low, high in itertools.pairwise(rising))
    low, high = (float(end) for end in wilson(k, n).removesuffix(" %").split("–"))

    def words(name):
        """The share of trials that solve the task, the cap and, if there are such trials, their mean, in words."""
        k, n, there = found[f"baselines/{name}"]
        mean = f", after {mean_interval(there, ',.0f')} sequences on average" if there else ""
        return f"{share(k, n)} trials by {caps[f'baselines/{name}']:,} sequences{mean}"

    text = [
        f"With rate 1, RTRL solves p = 4 in {words('rtrl-4-1')}; the paper has 78 % and 1,043,000. The interval of our "
        f"share {'includes' if low <= 78 <= high else 'excludes'} the paper's."
    ]
    for name, sentence in {
        "rtrl-4-4": "With rate 4 it is {}; the paper has 56 % and 892,000.",
        "rtrl-4-10": "With rate 10 it is {}; the paper has 22 % and 254,000.",
        "rtrl-10": "With p = 10, RTRL solves the task in {}; the paper has 0 %.",
        "bptt-100": "With p = 100, backpropagation through time solves it in {}; the paper has 0 % by 5,000,000.",
        "try-init-1": "With initial weights in [−1, 1] and rate 1, RTRL solves p = 4 in {}.",
        "try-entropy": "With initial weights as before and errors without the slope, it is {}.",
    }.items():
        text.append(sentence.format(words(name)))
    wide = found["baselines/try-init-1"][:2]
    p = fisher_test(*wide, k, n)
    assert wide[0] > k and p < 0.05
    return [*text, f"These are more than from [−0.2, 0.2] ({p_value(p)})."]


def guess_claims():
    rules = {row: script_run(f"baselines/guess-{row}")[1]["rules"][0] for row in ("3a-1", "3a-2")}
    assert all(None not in rule["guesses"] for rule in rules.values()), "all trials found such weights"
    seen, wrong = (listed([f"{np.mean(rule[key]):{form}}" for rule in rules.values()])
                   for key, form in (("sequences", ",.0f"), ("wrong", ".1f")))  # fmt: skip
    text = [
        f"In all thirty trials of both rows, guessing finds such weights. It looks at {seen} test sequences on average "
        f"(3a-1, 3a-2), and the guessed networks have {wrong} wrong answers of 2,560."
    ]
    for column in "text", "nearest":
        runs = {row: point(point_of(column, row))[1] for row in rules}
        means = listed([f"{np.mean(met(run, 0)):,.0f}" for run in runs.values()])
        errors = listed([f"{np.mean(told(run, 0, 'wrong')):.1f}" for run in runs.values()])
        ratios = {row: ratio_of_means(rules[row]["sequences"], met(run, 0)) for row, run in runs.items()}
        slower = [row for row, (_, low, _) in ratios.items() if low > 1]
        assert all(high < 1 for row, (_, _, high) in ratios.items() if row not in slower)
        assert slower == (["3a-1"] if column == "nearest" else []), "the rows where guessing is slower"
        ratios = listed([f"{ratio:.2f} [{low:.2f}–{high:.2f}]" for ratio, low, high in ratios.values()])
        text.append(
            f"With {COLUMN_WORDS[column]}, the LSTM needs {means} training sequences to the first rule, and then has "
            f"{errors} wrong answers; guessing looks at {ratios} times as many sequences."
        )
    return text


# --------------------------------------------------------------------------------------------------- task 1


SEARCH_WORDS = {
    "text": "the text", "text-step": "the text, a change per step", "full-bias": "the text, outputs with a bias",
    "text-noreset": "the text, states kept between strings",
    "ig": "input gates from gates, output bias", "ig-step": "the same, per step",
    "ig-zero": "input gates from gates, output bias, biases of input gates 0", "ig-zero-step": "the same, per step (1)",
    "ig-nobias-zero-step": "(1), no output bias", "ig-neg-step": "(1), biases of input gates −1",
    "ig-zero-orandom-step": "(1), random biases of output gates", "ig-zero-cellbias-step": "(1), cells with a bias",
    "ig-zero-step-caption": "(1), ranges of the caption", "ig-zero-step-entropy": "(1), errors without slope",
    "ig-zero-mixed": "(1), slope + 0.1, per string", "ig-zero-step-noreset": "(1), states kept between strings",
    "ig-zero-step-test10": "(1), tests every 10 strings", "ig-zero-step-distinct": "(1), 256 distinct training strings",
    "ia-zero": "input gates from all, output bias, biases of input gates 0",
    "ia-zero-step": "the same, per step (2)", "ia-zero-step-caption": "(2), ranges of the caption",
    "ia-zero-step-mixed": "(2), slope + 0.1", "ia-zero-mixed": "(2), slope + 0.1, per string (3)",
    "ia-zero-mixed-caption": "(3), ranges of the caption", "ia-neg-mixed": "(3), biases of input gates −1",
    "gg-zero": "gates from gates, output bias, biases of input gates 0", "gg-zero-step": "the same, per step",
    "gg-zero-mixed": "the same, slope + 0.1, per string",
    "gates-zero-step": "gates from all, output bias, biases of input gates 0, per step",
    "gates-zero-mixed": "the same, slope + 0.1, per string",
    "none-zero": "no unit from units, output bias, biases of input gates 0", "none-zero-step": "the same, per step",
}  # fmt: skip


def paper_search():
    rows = [["reading of row 1-5", "weights: 4 × 1", "3 × 2", "met the rule", "mean strings"]]
    rows.append(["the paper", 264, 276, "30/30", "8,440"])
    for name, words in SEARCH_WORDS.items():
        results, run = script_run(f"grammar/search-{name}")
        if run is None:
            continue
        k, n, there = counted(f"grammar/search-{name}")
        words = f"**{words}**" if name == best_of_search()[0] else words
        rows.append([words, *run["weights"].values(), share(k, n), mean_interval(there, ",.0f")])
    return table(*rows)


def paper_task_1():
    rows = [["row", "the paper", "(a) the text", "(c) the nearest", "diagnosis", "(a) without output gates",
             "(c) without output gates"]]  # fmt: skip
    for row in GRAMMAR_ROWS:
        stated = f"{100 * paper()[row]['solved']:.0f} %, {paper()[row]['sequences'][0]:,}"
        cells = [solved_and_mean(point_of(column, row)) for column in ("text", "nearest")]
        for what in "diagnosis", "text-without-output-gates", "nearest-without-output-gates":
            name = f"grammar/{row}-{what}"
            cells.append("–" if script_run(name)[1] is None else of_strings(name))
        rows.append([row, stated, *cells])
    return table(*rows)


def of_strings(name):
    """Trials of a point of grammar_1997.py that met the rule, and their mean number of strings, as short text."""
    k, n, there = counted(name)
    return f"{k}/{n}" + (f", {np.mean(there):,.0f}" if there else "")


TRACED = {"search-text": "the text", "search-text-step": "the text, per step", "search-gg-zero-mixed": "reading (c)"}


def failed(name):
    """The failed trials of a point of grammar_1997.py: its run, and their places."""
    run = script_run(f"grammar/{name}")[1]
    return run, [k for k, at in enumerate(run["rules"][0]["sequences"]) if at is None]


def wrong_edges(name):
    """{edge: failed trials that are wrong there in more than one string of a hundred}, most frequent first."""
    run, places = failed(name)
    found = Counter(edge for k in places for edge, wrong, _ in run["trace"]["edges"][k] if wrong > RARE)
    return dict(found.most_common())


RARE = 0.01


def paper_trace():
    lines = {"failed trials": [], "wrong at the memory only, the grammar only, both": [],
             "most frequent wrong transitions (trials)": [], "size of h above 0.95 at wrong steps, at all steps, %": [],
             "output gates below 0.05 at wrong steps, at all steps, %": [],
             "wrong outputs whose slope is below 0.01, %": [],
             "trials that another output layer would make right: it reads y_c; y_c and x; s": []}  # fmt: skip
    for name in TRACED:
        run, places = failed(name)
        trace, final = run["trace"], run["final"]
        parts = [(final["memory_wrong"][k] > 0, final["grammar_wrong"][k] > 0) for k in places]
        counts = [sum(part == which for part in parts) for which in ((True, False), (False, True), (True, True))]
        edges = [f"{edge} {n}" for edge, n in list(wrong_edges(name).items())[:5]]
        medians = {key: [100 * np.median([trace[key][k][which] for k in places if trace[key][k][which] is not None])
                         for which in (0, 1)] for key in ("h_saturated", "out_closed")}  # fmt: skip
        lost = [trace["slope_lost"][k] for k in places if trace["slope_lost"][k] is not None]
        enough = [sum(trace["best_outputs"][k][which] == 0 for k in places) for which in range(3)]
        cells = [f"{len(places)}/{len(run['rules'][0]['sequences'])}", ", ".join(map(str, counts)), ", ".join(edges),
                 *(f"{here:.0f}, {everywhere:.0f}" for here, everywhere in medians.values()),
                 f"{100 * np.median(lost):.0f}", "; ".join(map(str, enough))]  # fmt: skip
        for line, cell in zip(lines.values(), cells):
            line.append(cell)
    return table(["row 1-5, trials 100 to 129", *TRACED.values()], *([words, *cells] for words, cells in lines.items()))


def best_of_search():
    """The reading of the search with most solved trials (ties: the nearest mean), and the results of all readings.

    Readings that only grammar_1997.py has (states kept, distinct strings, biases of cells) take part, too.
    """
    there = [name for name in SEARCH_WORDS if script_run(f"grammar/search-{name}")[1] is not None]
    found = {name: counted(f"grammar/search-{name}") for name in there}

    def rank(name):
        k, _, sequences = found[name]
        return -k, abs(np.log(np.mean(sequences) / 8440)) if sequences else np.inf

    best = min(there, key=rank)
    return best, found


def task_1_claims():
    """Sentences on task 1, by name."""
    best, found = best_of_search()
    (k, n, _), (own, _, _) = found[best], found["text"]
    config = script_run(f"grammar/search-{best}")[0]["config"]
    chosen, fresh = point(point_of("nearest", "1-5"))[0]["config"], success(point_of("nearest", "1-5"))
    same = "recurrence", "output_bias", "update", "ranges", "cost"
    assert all(config[key] == chosen[key] for key in same), "column (c) has the best reading"
    text = {row: success(point_of("text", row)) for row in GRAMMAR_ROWS}
    cut = {row: success(point_of("nearest", row)) for row in GRAMMAR_ROWS if is_there(point_of("nearest", row))}
    assert success("choice/1-5-full-equations-mixed")[0] == 0, "no trial with the text's network and slope + 0.1"
    others = [success(name)[0] for name in POINTS if name.startswith("choice/1-5-")]
    assert max(others) < k, "no reading of the other comparison gives more"
    p_text = fisher_test(k, n, own, n)
    assert p_text < 0.05 and k > own
    assert chosen["input_biases"] == "0" and set(config["input_biases"]) == {0.0}
    for name in "full-bias", "none-zero", "none-zero-step":
        assert fisher_test(*found[name][:2], own, n) > 0.05, "no more than the text"
    distinct, drawn = (found[name][:2] for name in ("ig-zero-step-distinct", "ig-zero-step"))
    assert distinct[0] < drawn[0] and fisher_test(*distinct, *drawn) < 0.05, "less often"
    run, places = failed(f"search-{best}")
    edges = wrong_edges(f"search-{best}")
    final, trace = run["final"], run["trace"]
    memory = [final["memory_wrong"][place] > 0 for place in places]
    grammar = [final["grammar_wrong"][place] > 0 for place in places]
    layer = sum(trace["best_outputs"][place][0] == 0 for place in places)
    layer_x = sum(trace["best_outputs"][place][1] == 0 for place in places)
    h = [trace["h_saturated"][place] for place in places]
    more = sum(here > everywhere for here, everywhere in h)
    fourth = sorted(edges.values())[-4]
    most_failed = ", ".join(f"{edge} ({count})" for edge, count in edges.items() if count >= fourth)
    different = [len({tuple(string) for string in lab.reber_sets(pair)[0]}) for pair in range(3)]
    helps = [row for row in GRAMMAR_ROWS if of_diagnosis(row)[2] < 0.05]
    others = [row for row in GRAMMAR_ROWS if row not in helps]
    rates = {row: lab.ROWS[row].kind.rate for row in GRAMMAR_ROWS}
    assert helps and all(of_diagnosis(row)[0] > text[row][0] for row in helps)
    assert {rates[row] for row in helps} == {0.1} and min(rates[row] for row in others) > 0.1
    per_step, largest = found["text-step"][:2], max(of_diagnosis(row)[2] for row in helps)
    p_step = fisher_test(*per_step, *counted("grammar/1-5-diagnosis")[:2])
    assert per_step[0] > counted("grammar/1-5-diagnosis")[0] and p_step < 0.05
    same_count = {name: found[name][0] for name in found if weights_of(name) == [264, 276]}
    most_same = max(same_count, key=same_count.get)
    assert all(weights_of(name) != [264, 276] for name in found if found[name][0] >= 15), "half of the trials"
    assert [row for row in cut if cut[row][0] >= round(30 * paper()[row]["solved"])] == ["1-4"], "the paper's share"
    full, truncated = (success(name) for name in list(GRAMMAR)[1::-1])
    alike = min(found[name][0] for name in found if fisher_test(k, n, *found[name][:2]) > 0.05)
    assert all(fisher_test(k, n, *found[name][:2]) > 0.05 for name in found if found[name][0] >= alike)
    return {
        "claim": f"**With the text's network, {share(*text['1-5'])} trials of row 1-5 learn the grammar; the paper has "
        f"{100 * paper()['1-5']['solved']:.0f} %. The best reading that we found gives {share(*fresh)} on the same "
        "trials. It was chosen on others, and the paper's numbers of weights exclude it.**",
        "rows": f"In rows {listed(list(cut))}, the text gives {listed([f'{text[row][0]}/30' for row in cut])}, the "
        f"best reading {listed([f'{solved}/30' for solved, _ in cut.values()])} (trials 200 to 229).",
        "search": f"The best reading is: {reading_of(chosen)}, biases of input gates 0 at first. It gives "
        f"{share(k, n)} of trials 100 to 129, the text {share(own, n)} ({p_value(p_text)}). We cannot distinguish it "
        f"from any reading that gives {alike}/{n} or more there. It is the best of {len(found)}, so its share there "
        "is probably too high by chance.",
        "weights": f"With the paper's numbers of weights, the best reading of the search is "
        f"{SEARCH_WORDS[most_same]}, with {share(*found[most_same][:2])}.",
        "trace": f"Of the best reading, {len(places)} of {n} trials fail. {sum(memory)} of these are wrong at the "
        f"memory in some strings, {sum(grammar)} at the grammar. The transitions that are wrong in the largest "
        f"numbers of failed trials (in more than a hundredth of the strings) are {most_failed}. In {more} of the "
        f"{len(places)} the share of saturated cells, "
        "with h above 0.95 or below −0.95, is higher at wrong steps than at all steps.",
        "diagnosis": f"In rows {listed(list(GRAMMAR_ROWS))}, "
        f"{listed([f'{of_diagnosis(row)[0]}/30' for row in GRAMMAR_ROWS])} trials of the diagnosis learn the grammar. "
        f"These are more than with the text in rows {listed(helps)} (each p {'<' if largest < 0.001 else '≤'} "
        f"{max(largest, 0.001):.3f}), where the learning rate is 0.1. In rows {listed(others)}, with higher rates, we "
        "cannot distinguish the two.",
        "per step": f"The text with a change at every step learns row 1-5 in {per_step[0]}/{per_step[1]} of trials "
        f"100 to 129, more often than the diagnosis ({p_value(p_step)}).",
        "layer": f"In at least {layer} of the {len(places)} failed trials, another output layer on the same cells "
        f"would be right on all strings; in at least {layer_x}, one that also reads the present symbol would be.",
        "memory": f"With errors at the step of the memory only, {share(*success('parts/1-5-memory'))} trials learn "
        f"that step, after {np.mean(met(point('parts/1-5-memory')[1])):,.0f} strings on average: the memory alone is "
        "easy.",
        "full": f"With the full gradient, {share(*full)} trials with the text learn row 1-5 by twice the paper's mean; "
        f"with the truncated one it is {share(*truncated)} ({p_value(fisher_test(*full, *truncated))}).",
        "sets": f"Ours have {min(different)} to {max(different)} different strings among 256.",
        **gate_claims(text),
    }


def weights_of(name):
    """The numbers of weights of a reading of the search, with 4 blocks of one cell and with 3 of two."""
    return [*script_run(f"grammar/search-{name}")[1]["weights"].values()]


def of_diagnosis(row):
    """Trials of the diagnosis that learn a row, all trials, and p of the difference to the text."""
    k, n, _ = counted(f"grammar/{row}-diagnosis")
    return k, n, fisher_test(k, n, *success(point_of("text", row)))


def gate_claims(text):
    """Sentences on task 1 without output gates, by name. text: {row: trials that learn it, and all} with the text."""
    without = {row: counted(f"grammar/{row}-text-without-output-gates")[:2] for row in ("1-1", "1-5")}
    assert all(fisher_test(*without[row], *text[row]) > 0.05 for row in without)
    names = {row: f"grammar/{row}-nearest-without-output-gates" for row in ("1-4", "1-5")}
    cut = {row: (success(point_of("nearest", row)), counted(name)[:2]) for row, name in names.items()}
    ps = {row: fisher_test(*with_gates, *without_gates) for row, (with_gates, without_gates) in cut.items()}
    assert all(with_gates[0] > without_gates[0] and ps[row] < 0.05 for row, (with_gates, without_gates) in cut.items())
    words = [f"{share(*without_gates)} of row {row} instead of {share(*with_gates)} ({p_value(ps[row])})"
             for row, (with_gates, without_gates) in cut.items()]  # fmt: skip
    return {
        "gates": f"Without them, {listed(['{}/{}'.format(*shares) for shares in without.values()])} trials of rows "
        f"{listed(list(without))} learn it with the text. With them it is "
        f"{listed(['{}/{}'.format(*text[row]) for row in without])}, so these runs tell nothing about output gates.",
        "gates (c)": f"With reading (c) but no output gates it is {listed(words)}.",
    }


# ---------------------------------------------------------------------------------------- the flow of errors

RECURRENT = "logistic", "tanh"
FLOW_UNITS, FLOW_RATES = 8, (0.1, 0.5, 2.5)


def flow_run(name):
    """The only run of a point of error-flow."""
    command = f"python3 -m studies run {lab.EXPERIMENT}/error-flow/{name}"
    results = load_run(results_folder(lab, f"error-flow/{name}"), "error_flow_1997", command)
    return next(iter(results["runs"].values()))


def flow(name, when, key="units", q=100):
    """log10 of the factors of all trials after q steps back. when: start or end. key: units, loss or least."""
    of = flow_run(name)["flow"]
    values = [trial[of["step"].index(q)] for trial in of[when][key]]
    return np.array([-np.inf if value is None else value for value in values], dtype=float)


def power(value):
    """10 to the power of a logarithm as text: a number if it is near 1, or a whole power of ten."""
    if -2 < value < 3:
        return f"{10**value:.2g}"
    return "10" + f"{value:.0f}".translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def power_spread(values):
    """Median and range of factors whose logarithms are given, as text."""
    return f"{power(np.median(values))} [{power(values.min())} – {power(values.max())}]"


FLOW_ROWS = {  # words: (point, key)
    "logistic": ("logistic", "units"), "tanh": ("tanh", "units"),
    "logistic, initial weights in [−1, 1]": ("logistic-init-1", "units"),
    "tanh, initial weights in [−1, 1]": ("tanh-init-1", "units"),
    "LSTM, largest factor": ("lstm", "units"), "LSTM, smallest factor": ("lstm", "least"),
    "LSTM, error of the cost": ("lstm", "loss"),
}  # fmt: skip


def flow_table():
    """The table error-flow: factors after 10, 50 and 100 steps, before and after training."""
    rows = [["network", "training", "10 steps back", "50 steps", "100 steps", "largest output is right, %"]]
    for words, (name, key) in FLOW_ROWS.items():
        for when, text in ("start", "before"), ("end", "after"):
            cells = [power_spread(flow(name, when, key, q)) for q in (10, 50, 100)]
            right = spread(per_cent(flow_run(name)["final"]["largest"]), ".1f") if when == "end" else "–"
            rows.append([words, text, *cells, right])
    return table(*rows)


def flow_weights_table():
    """The table error-flow-weights: the quantities of the paper's bound, and the bound for 100 steps."""
    rows = [["network", "training", "largest weight w_max", "largest row sum", "mean slope f′", "bound, 100 steps"]]
    for words, (name, _) in list(FLOW_ROWS.items())[:4]:
        for when, text in ("start", "before"), ("end", "after"):
            of = flow_run(name)["flow"][when]
            limit = power_spread(flow_bound(name, when)) if name.startswith("logistic") else "–"
            cells = [spread(of[key], form) for key, form in (("w_max", ".3g"), ("row_sum", ".3g"), ("slope", ".3f"))]
            rows.append([words, text, *cells, limit])
    return table(*rows)


def flow_bound(name, when):
    """log10 of the paper's bound n (n w_max / 4)^100 for logistic units, of all trials."""
    return np.log10(FLOW_UNITS) + 100 * np.log10(FLOW_UNITS * np.array(flow_run(name)["flow"][when]["w_max"]) / 4)


def flow_rates_table():
    """The table error-flow-rates: the trials on which the learning rates were chosen."""
    rows = [["units", "learning rate", "cost on fresh sequences: mean", "largest output is right, %", "100 steps back"]]
    for cell in "logistic", "tanh":
        for rate in FLOW_RATES:
            run = flow_run(f"rates/{cell}-{rate}")
            right = spread(per_cent(run["final"]["largest"]), ".1f")
            after = power_spread(flow(f"rates/{cell}-{rate}", "end"))
            rows.append([cell, f"{rate}", mean_interval(run["final"]["loss"], ".4f"), right, after])
    return table(*rows)


def best_range(cell):
    """The range of initial weights with the largest median factor after 100 steps, and the factors of its trials."""
    of = flow_run(cell)["ranges"]
    values = np.array([[-np.inf if v is None else v for v in trial] for trial in of["units"]], dtype=float)
    best = int(np.median(values, axis=0).argmax())
    assert 0 < best < len(of["step"]) - 1, "smaller and larger weights both have smaller factors"
    return of["step"][best], values[:, best]


def error_flow_claims():
    """Sentences of the report about the flow of errors."""
    runs = {cell: flow_run(cell) for cell in RECURRENT}
    before, after = ({cell: flow(cell, when) for cell in RECURRENT} for when in ("start", "end"))
    least, largest, cost = (flow("lstm", "end", key) for key in ("least", "units", "loss"))
    n, most = len(cost), np.ceil(max(values.max() for values in after.values()))
    assert most < -16 and {n, *map(len, after.values())} == {30} and (cost > 0).all()
    right = {cell: per_cent(run["final"]["largest"]) for cell, run in runs.items()}
    assert all(24 < end < 26 for values in right.values() for end in bootstrap(values)), "chance"
    assert max(max(run["final"]["right"]) for run in runs.values()) == 0
    mean_cost = {cell: np.mean(run["final"]["loss"]) for cell, run in runs.items()}
    assert all(0.375 < value < 0.38 for value in mean_cost.values())
    kept = sum(np.equal(run["unchanged"], 1).sum() for run in runs.values())
    limits = {when: flow_bound("logistic", when) for when in ("start", "end")}
    assert (before["logistic"] < limits["start"]).all() and (after["logistic"] < limits["end"]).all()
    w_max = {when: max(runs["logistic"]["flow"][when]["w_max"]) for when in ("start", "end")}
    assert w_max["end"] < 4 / FLOW_UNITS
    ranges = {cell: best_range(cell) for cell in RECURRENT}
    grown = {cell: (values > 0).sum() for cell, (_, values) in ranges.items()}
    wide = {cell: flow_run(f"{cell}-init-1") for cell in RECURRENT}
    right_wide = {cell: np.mean(per_cent(run["final"]["largest"])) for cell, run in wide.items()}
    changed = sum(np.less(wide["tanh"]["unchanged"], 1))
    tanh_start, tanh_end = (flow("tanh-init-1", when) for when in ("start", "end"))
    fell, rose, p = compare_pairs(tanh_start, tanh_end)
    assert p < 0.05 and fell > rose
    rates = {(cell, rate): f"rates/{cell}-{rate}" for cell in RECURRENT for rate in FLOW_RATES}
    costs = {key: np.mean(flow_run(name)["final"]["loss"]) for key, name in rates.items()}
    assert all(min(FLOW_RATES, key=lambda rate: costs[cell, rate]) == FLOW_RATES[0] for cell in RECURRENT)
    highest = max(np.median(flow(name, "end")) for name in rates.values())
    return [
        f"**After training, the largest factor after 100 steps back is {power(np.median(after['logistic']))} for "
        f"logistic and {power(np.median(after['tanh']))} for tanh units, and below {power(most)} in all {n} trials of "
        f"each. In the trained LSTM, the smallest factor is {power(np.median(least))} and the largest "
        f"{power(np.median(largest))} (medians).**",
        f"In the trial in which errors shrink most, the LSTM's smallest factor is {power(least.min())}. The error of "
        f"the cost itself is larger after 100 steps back in {share((cost > 0).sum(), n)} trials: its factor is "
        f"{power(np.median(cost))} [{power(cost.min())}–{power(cost.max())}].",
        f"Before training, the factor after 100 steps is {power(np.median(before['logistic']))} for logistic and "
        f"{power(np.median(before['tanh']))} for tanh units (medians).",
        f"All weights between logistic units stay below 4/n = {4 / FLOW_UNITS:g}: they are at most "
        f"{at_most(w_max['start'], 3)} before and {at_most(w_max['end'], 3)} after training. The bound for 100 steps "
        f"is {power(np.median(limits['start']))} before and {power(np.median(limits['end']))} after training "
        "(medians); the measured factor is smaller in every trial.",
        f"After training, the largest output is right for {np.mean(right['logistic']):.1f} % (logistic) and "
        f"{np.mean(right['tanh']):.1f} % (tanh) of fresh sequences on average; chance is 25 %. By the paper's "
        f"rule, no answer is right. The mean cost is {mean_cost['logistic']:.3f} and {mean_cost['tanh']:.3f}; outputs "
        "that are always "
        "0.25 have a cost of 0.375.",
        f"In {share(kept, 2 * n)} of these networks, every weight from the inputs X and Y has exactly its initial "
        "value after training.",
        f"Of these values, r = {ranges['logistic'][0]:g} has the largest median factor for logistic units, "
        f"{power(np.median(ranges['logistic'][1]))}, and r = {ranges['tanh'][0]:g} for tanh units, "
        f"{power(np.median(ranges['tanh'][1]))}. There the factor is above 1 in {grown['logistic']} (logistic) and "
        f"{grown['tanh']} (tanh) of {n} trials.",
        f"We also trained networks from weights in [−1, 1]. Their largest output is right for "
        f"{right_wide['logistic']:.1f} % (logistic) and {right_wide['tanh']:.1f} % (tanh) of fresh sequences "
        f"on average, although weights from X and Y change in {changed} of {n} tanh networks. This training makes the "
        f"factor of tanh units smaller in {fell} of {n} trials (sign test, {p_value(p)}): its median falls from "
        f"{power(np.median(tanh_start))} to {power(np.median(tanh_end))}.",
        f"Over all rates and both kinds of units, the largest median factor after 100 steps is {power(highest)}.",
    ]


TABLES = {
    "paper-baselines": paper_baselines,
    "paper-quoted": paper_quoted,
    "paper-guess": paper_guess,
    "paper-search": paper_search,
    "paper-task-1": paper_task_1,
    "paper-trace": paper_trace,
    "error-flow": flow_table,
    "error-flow-weights": flow_weights_table,
    "error-flow-rates": flow_rates_table,
}


def page_claims():
    return [*error_flow_claims(), *baseline_claims(), *guess_claims()]


CLAIMS = {
    "results/lstm_1997/baselines.md": page_claims,
    "results/lstm_1997/task_1.md": lambda: list(task_1_claims().values()),
}
