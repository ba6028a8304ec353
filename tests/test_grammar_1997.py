"""studies/grammar_1997.py: its weight counts, data, gradient, tests of success, tracing, runs."""

import ast
import json
import math
import re
from functools import cache

import numpy as np
import pytest
from conftest import ROOT, load, options_of

lab = load("studies/grammar_1997.py")
experiment = load("lstm_1997.py")


def made(line, *seeds):
    """The row, the options and new networks of a command line."""
    options = options_of(lab, *line.split(), "--seeds", ",".join(map(str, seeds or (3, 14, 105))))
    row = lab.ROWS[options.task]
    return row, options, lab.Network(row, options, lab.init_theta(row, options))


def parameters(net):
    return lab.views(net.flat(net.W, net.Z), net.shapes)


# -------------------------------------------------------------------------------------------- weights and data


@pytest.mark.parametrize("line, of_4x1, of_3x2", [
    ("", 264, 276), ("--output-bias", 271, 283), ("--shortcut", 313, 325), ("--cell-bias", 268, 282),
    ("--recurrence gates", 216, 204), ("--recurrence none", 120, 132), ("--recurrence in-from-gates", 152, 150),
    ("--recurrence in-from-all", 168, 168), ("--recurrence gates-from-gates", 184, 168),
    ("--output-gates none", 152, 189),
])  # fmt: skip
def test_numbers_of_weights(line, of_4x1, of_3x2):
    for task, count in ("1-1", of_4x1), ("1-2", of_3x2):
        row, options, net = made(f"--task {task} {line}")
        assert lab.present(row, options).sum() == count
        assert np.count_nonzero(net.flat(net.W, net.Z)) == 3 * count
    assert lab.weights(options) == {"4x1": of_4x1, "3x2": of_3x2}


def test_a_network_without_output_gates_counts_by_hand():
    for row in lab.ROWS.values():
        U, H = row.blocks * (1 + row.per_block), row.blocks * row.per_block
        options = options_of(lab, "--task", row.name, "--output-gates", "none")
        assert lab.present(row, options).sum() == U * U + 7 * U + row.blocks + 7 * H


def test_no_choice_of_connections_with_output_biases_has_the_numbers_of_the_paper(capsys):
    assert lab.main(["--counts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "with y<-1: 0 of 94 choices" in lines and "with y<-x: 0 of 94 choices" in lines
    assert "absent: c<-1 y<-i y<-o y<-x y<-1" in lines
    for line in lines:
        if line.startswith("absent: "):
            assert {"i<-c", "c<-c"} - {*line.split()}, line
            assert "c<-c" not in line.split()


def test_initial_biases():
    p = parameters(made("--task 1-4 --input-biases 0")[2])
    assert (p.b[:, :4] == 0).all() and (p.b[:, -4:, 0] == [-1, -2, -3, -4]).all() and (p.b[:, 4:8] == 0).all()
    p = parameters(made("--input-biases=-3,-2,-1 --output-biases random --cell-bias")[2])
    assert (p.b[:, :3, 0] == [-3, -2, -1]).all() and 0 < np.abs(p.b[:, 3:]).max() < 0.2


def test_data_are_those_of_the_experiment():
    assert lab.ROWS.keys() == {name for name in experiment.ROWS if name[0] == "1"}
    for row in lab.ROWS.values():
        kind, paper = experiment.ROWS[row.name].kind, experiment.ROWS[row.name].paper
        assert (row.blocks, row.per_block, row.rate) == (kind.blocks, kind.per_block, kind.rate)
        assert (row.sequences,) == paper.sequences and row.solved == paper.solved
    for pair in range(3):
        for ours, theirs in zip(lab.reber_sets(pair), experiment.reber_sets(pair)):
            assert [[*map(int, string)] for string in ours] == [[s for s in string if s >= 0] for string in theirs]
    x, states = lab.examined_set(1)
    strings = np.concatenate(experiment.reber_sets(1))
    inside = strings[:, 1:].T >= 0
    assert (inside == (states >= 0)).all()
    legal = experiment.reber_legal(strings).transpose(0, 2, 1)
    assert (lab.LEGAL[states][inside] == legal[inside]).all() and (x[inside] == strings[:, :-1].T[inside]).all()


def test_targets():
    string = [0, 1, 0, 2, 1, 5, 5, 6, 1, 6]  # BTBPTVVETE
    assert "".join(lab.REBER[symbol] for symbol in string) == "BTBPTVVETE"
    assert lab.targets_of(string, "next").argmax(axis=1).tolist() == string[1:]
    legal = ["TP", "B", "TP", "TV", "TV", "PV", "E", "T", "E"]
    for row, symbols in zip(lab.targets_of(string, "legal-0.1"), legal):
        assert row.tolist() == [1 if symbol in symbols else 0.1 for symbol in lab.REBER]
    assert set(lab.targets_of(string, "legal").ravel()) == {0, 1}


# -------------------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("line", ["--task 1-5 --ranges equations --update step",
                                  "--task 1-4 --ranges caption --update sequence"])  # fmt: skip
def test_weights_are_those_of_the_experiment(line):
    row, options, net = made(line)
    for first in 0, 100, 200:
        error, _ = lab.learn(net, lab.block_of(options.seeds, first, first + 100, options), options.lr)
    settings = options_of(experiment, *line.split(), *"--cost squared --seeds 3,14,105".split())
    theirs = experiment.row_of(settings)
    state = experiment.initial_state(theirs, settings)
    population = experiment.Population(theirs, settings, state)
    for _ in range(300):
        experiment.learn(population, settings, state)
    p = experiment.views(state.theta, theirs.kind.shapes)
    for name, ours in vars(parameters(net)).items():
        expected = getattr(p, name, np.zeros_like(ours))
        assert np.abs(ours - expected).max() <= 1e-9 * np.abs(p.I).max()
    assert np.isfinite(error).all() and (error > 0).all()


def sigma(x):
    return 1 / (1 + math.exp(-x))


def by_hand(row, options, p, strings, rate, update):
    """Appendix A.1 for one network in plain loops over units; p: {name: array}, which is changed in place."""
    G, n, gated = row.blocks, row.blocks * row.per_block, options.output_gates == "learned"
    U, (h_range, g_range), identity = G + n + G * gated, lab.RANGES[options.ranges], options.h == "identity"
    may = lab.views(lab.present(row, options)[None], lab.shapes_of(row, options))
    total = {name: np.zeros_like(values) for name, values in p.items()}
    s, before, E = [0.0] * n, [0.0] * U, {}

    def apply():
        for name, values in p.items():
            values += rate * total[name] * getattr(may, name)[0]
            total[name][...] = 0

    def sources(u, symbol):
        return [("R", (u, w), before[w]) for w in range(U)] + [("I", (symbol, u), 1.0), ("b", (u, 0), 1.0)]

    for string in strings:
        if options.reset:
            s, before, E = [0.0] * n, [0.0] * U, {}
        target = lab.targets_of(string, options.targets)
        for t, symbol in enumerate(string[:-1]):
            net = [sum(p[name][place] * value for name, place, value in sources(u, symbol)) for u in range(U)]
            y, e_state, e_gate = [sigma(value) for value in net], [], [0.0] * G
            for j in range(n):
                i, c = j % G, G + j
                g, slope_g = g_range * (2 * y[c] - 1), 2 * g_range * y[c] * (1 - y[c])
                s[j] += y[i] * g
                for u, factor in (i, g * y[i] * (1 - y[i])), (c, y[i] * slope_g):
                    for name, place, value in sources(u, symbol):
                        E[j, name, place] = E.get((j, name, place), 0.0) + factor * value
            h = [value if identity else h_range * (2 * sigma(value) - 1) for value in s]
            out = [y[G + n + j % G] if gated else 1.0 for j in range(n)]
            y_cell = [out[j] * h[j] for j in range(n)]
            z = [sum(p["V"][k, j] * y_cell[j] for j in range(n)) + p["A"][k, symbol] + p["c"][k, 0] for k in range(7)]
            y_k = [sigma(value) for value in z]
            e_z = [(target[t, k] - y_k[k]) * y_k[k] * (1 - y_k[k]) for k in range(7)]
            for j in range(n):
                e_cell = sum(p["V"][k, j] * e_z[k] for k in range(7))
                slope_h = 1.0 if identity else 2 * h_range * sigma(s[j]) * (1 - sigma(s[j]))
                e_state.append(out[j] * slope_h * e_cell)
                e_gate[j % G] += out[j] * (1 - out[j]) * h[j] * e_cell
            for (j, name, place), value in E.items():
                total[name][place] += e_state[j] * value
            for i in range(G * gated):
                for name, place, value in sources(G + n + i, symbol):
                    total[name][place] += e_gate[i] * value
            for k in range(7):
                total["V"][k] += e_z[k] * np.array(y_cell)
                total["A"][k, symbol] += e_z[k]
                total["c"][k, 0] += e_z[k]
            before = y[:G] + y_cell + y[G + n :]
            if update == "step":
                apply()
        if update == "sequence":
            apply()


@pytest.mark.parametrize("line", [
    "--task 1-4 --update step", "--task 1-5 --ranges caption --recurrence in-from-gates --output-bias",
    "--task 1-5 --output-gates none --output-bias --shortcut --update step --targets legal-0.1",
    "--task 1-4 --recurrence gates-from-gates --h identity --no-reset --cell-bias --targets legal",
    "--task 1-5 --no-reset --update step --recurrence gates",
])  # fmt: skip
def test_learning_equals_plain_loops(line):
    row, options, net = made(line, 7, 31)
    p = {name: array[1].copy() for name, array in vars(parameters(net)).items()}
    for first in 0, 4:
        lab.learn(net, lab.block_of(options.seeds, first, first + 4, options), options.lr)
    strings = [lab.reber_sets(lab.pair_of(31))[0][k] for k in lab.chosen(31, 0)[:8]]
    by_hand(row, options, p, strings, options.lr, options.update)
    for name, array in vars(parameters(net)).items():
        assert np.abs(array[1] - p[name]).max() < 1e-12, name


def test_forward_gives_the_states_that_learning_leaves():
    """Without learning (rate 0) and without resets, one long string gives the states at the end of a block."""
    row, options, net = made("--no-reset --ranges caption", 7, 31)
    lab.learn(net, lab.block_of(options.seeds, 0, 5, options), 0.0)
    for k, trial in enumerate(options.seeds):
        strings = [lab.reber_sets(lab.pair_of(trial))[0][n] for n in lab.chosen(trial, 0)[:5]]
        x = np.concatenate([string[:-1] for string in strings])[:, None]
        seen = lab.forward(lab.Network(row, options, lab.init_theta(row, options)), x)
        assert np.allclose(seen.y[-1, k, :, 0], net.y[k]) and np.allclose(seen.s[-1, k, :, 0], net.s[k].ravel())


# -------------------------------------------------------------------------------------------- gradient check


def test_the_gradient_check_passes(capsys):
    assert lab.main(["--gradcheck"]) == 0
    assert capsys.readouterr().out.count(": ok\n") == len(lab.CHECKED)


def statements():
    """Statements of the passes of learn and of by_unit without which the gradient is wrong: {text: source}."""
    source, found = (ROOT / "studies/grammar_1997.py").read_text(), {}
    lines = source.splitlines()
    functions = {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(functions["learn"]):
        text = lines[node.lineno - 1] if hasattr(node, "lineno") else ""
        if isinstance(node, (ast.AugAssign, ast.Expr)) and re.search(r"  # (ds|d|plus|s_t|e_|tanh)", text):
            changed = [*lines[: node.lineno - 1], " " * node.col_offset + "pass", *lines[node.lineno :]]
            found[text.strip()[:50]] = "\n".join(changed)
    return found


TERMS = {  # a text and what replaces it
    "y_out * slope_h * e_c": "slope_h * e_c", " slope_h * e_c)": " e_c)",
    "np.multiply(g, slope_in, ": "np.multiply(g, g, ",
    "(h_range * h * e_c)": "(h * e_c)", "np.multiply(e_out, slope[:, G + H :], ": "np.multiply(e_out, e_out, ",
    "2 * g_range * slope_cell": "g_range * slope_cell", "e[t] * slope_of_outputs(net.options, y_k)": "e[t]",
    "0.5 * self.h_range * (1 - h * h)": "self.h_range * (1 - h * h)", "E[:, 2 * H :] = v[:, None]": "pass",
    ".sum(axis=1)\n        return np": "[:, 0]\n        return np", "s[at], E[at], vs": "s[at], vs",
}  # fmt: skip


def fails(source):
    broken = load("studies/grammar_1997.py", source)
    broken.CHECKED = ["--task 1-5 --ranges caption"]
    with np.errstate(all="ignore"):
        return broken.gradient_check() == 1


def test_the_gradient_check_fails_without_any_one_statement():
    found = statements()
    assert len(found) == 8
    assert [text for text, source in found.items() if not fails(source)] == []


@pytest.mark.parametrize("text", TERMS)
def test_the_gradient_check_fails_without_any_one_term(text):
    source = (ROOT / "studies/grammar_1997.py").read_text()
    changed = source.replace(text, TERMS[text])
    if text.startswith("s[at]"):
        changed = changed.replace("s[at], vs[t + 1, at, :U] = 0, 0, 0", "s[at], vs[t + 1, at, :U] = 0, 0")
    assert changed != source and fails(changed)


# ------------------------------------------------------------------------------------------ success and trace


@cache
def trained():
    """Networks after 900 strings."""
    row, options, net = made("--output-bias --update step", 3, 14, 25)
    for first in range(0, 900, 100):
        lab.learn(net, lab.block_of(options.seeds, first, first + 100, options), options.lr)
    return row, options, net


def test_success_and_trace_equal_plain_loops(monkeypatch):
    monkeypatch.setattr(lab, "best_outputs", lambda *_: 0.5)
    row, options, net = trained()
    right, wrong_of_few = lab.solved(net, options.seeds)
    for k, trial in [(1, 14)]:
        one, wrong, edges = lab.some(net, np.array([k])), [], {}
        strings = [string for strings in lab.reber_sets(lab.pair_of(trial)) for string in strings]
        for string in strings:
            seen = lab.forward(one, np.array(string[:-1])[:, None])
            places = set()
            for t, state in enumerate(lab.states_of(string)):
                y, legal = seen.output[t, 0, :, 0], lab.LEGAL[state]
                places |= {(state, symbol) for symbol in np.nonzero(legal)[0] if y[symbol] <= y[~legal].max()}
            wrong.append(bool(places))
            for place in places:
                edges[place] = edges.get(place, 0) + 1
        final, found = lab.trace(one, trial)
        assert right[k] == (not any(wrong)) and np.isclose(wrong_of_few[k], np.mean(wrong[: lab.FEW]))
        assert np.isclose(final["wrong"], np.mean(wrong))
        expected = {lab.STATE_NAMES[state] + lab.REBER[symbol]: n / 512 for (state, symbol), n in edges.items()}
        assert {edge: share for edge, share, _ in found["edges"]} == {
            edge: round(share, 4) for edge, share in expected.items()
        }
        assert all(0 <= value <= 1 for pair in (found["h_saturated"], found["in_open"]) for value in pair)
        assert found["best_outputs"] == ([0.5] * 3 if any(wrong) else None)


def test_the_best_outputs_are_right_if_units_show_the_state():
    x, states = lab.examined_set(0)
    one_hot = (states[:, None] == np.arange(20)[:, None]).astype(float)
    assert lab.best_outputs(one_hot, states) == 0.0
    assert lab.best_outputs(np.ones((len(x), 1, x.shape[1])), states) == 1.0
    symbols = (x[:, None] == np.arange(7)[:, None]).astype(float)
    assert lab.best_outputs(symbols, states) == 1.0  # the last symbol does not give the state


def test_wrong_sides():
    states = np.array([[1]])  # T or P
    for y, low, high in ([0, 0.5, 0.4, 0.1, 0, 0, 0], [], []), ([0, 0.5, 0.3, 0.3, 0, 0.4, 0], [2], [3, 5]):
        sides = lab.on_wrong_side(np.array(y)[None, None, :, None], states)
        assert [np.nonzero(side[0, 0, :, 0])[0].tolist() for side in sides] == [low, high]


# ------------------------------------------------------------------------------------------------------ runs


def run(folder, line):
    assert lab.main([*line.split(), "--out", str(folder), "--force"]) == 0
    weights = {name: array for name, array in np.load(folder / "snapshots.npz").items() if "/weights/" in name}
    return json.loads((folder / "results.json").read_text()), weights


@pytest.mark.parametrize("line", ["--update step --recurrence in-from-all --output-bias", "--no-reset --task 1-4"])
def test_a_trial_alone_and_among_thirty_is_the_same_to_the_bit(line, tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "best_outputs", lambda *_: 0.0)
    line += " --steps 40 --test-every 20 --eval-every 20"
    found, thirty = run(tmp_path / "thirty", f"{line} --seeds 0-29")
    for trial in 0, 17:
        mine, alone = run(tmp_path / "alone", f"{line} --seeds {trial}")
        for name, array in alone.items():
            assert array[0].tobytes() == thirty[name][trial].tobytes()
        (name,) = mine["runs"]
        for part in "final", "trace":
            for key, values in mine["runs"][name][part].items():
                assert values == found["runs"][name][part][key][trial : trial + 1]


def test_a_quick_run_leaves_its_files(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lab, "best_outputs", lambda *_: 0.5)
    found, weights = run(tmp_path, "--quick")
    assert found["experiment"] == lab.EXPERIMENT and found["seeds"] == [0, 1, 2]
    run_ = found["runs"]["1-5"]
    assert run_["sequences_seen"] == [400] * 3 and run_["rules"] == [{"sequences": [None] * 3}]
    assert run_["history"]["step"] == [0, 200, 400] and len(run_["history"]["wrong"][1]) == 3
    assert weights["1-5/weights/R"].shape == (3, 12, 12) and weights["1-5/weights/A"].shape == (3, 7, 7)
    assert (tmp_path / "results.json").stat().st_size < 60_000 and "276" in capsys.readouterr().out
    with np.load(tmp_path / "snapshots.npz") as arrays:  # the weights give the recorded outputs
        net = lab.Network(lab.ROWS["1-5"], options_of(lab), lab.init_theta(lab.ROWS["1-5"], options_of(lab)))
        theta = np.concatenate([weights[f"1-5/weights/{name}"][0].ravel() for name in net.shapes])[None]
        seen = lab.forward(lab.Network(lab.ROWS["1-5"], options_of(lab), theta), arrays["1-5/x"])
        assert np.allclose(seen.output[:, 0], arrays["1-5/output"], atol=1e-3)


def test_trials_are_frozen_when_they_are_solved(tmp_path, monkeypatch):
    def solved(net, trials):
        return np.array([trial == 14 for trial in trials]), np.zeros(len(trials))

    monkeypatch.setattr(lab, "solved", solved)
    monkeypatch.setattr(lab, "best_outputs", lambda *_: 0.5)
    found, weights = run(tmp_path, "--quick --seeds 3,14,25 --steps 200")
    assert found["runs"]["1-5"]["rules"] == [{"sequences": [None, 100, None]}]
    assert found["runs"]["1-5"]["sequences_seen"] == [200, 100, 200]


@pytest.mark.parametrize("line, message", [
    ("--task 6a", "argument --task: invalid choice"),
    ("--input-biases x", "argument --input-biases: 'x' is not random"),
    ("--input-biases 1,2", "argument --input-biases: give one number, or 3"), ("--resume", "argument --resume: not"),
    ("--test-every 30 --eval-every 100", "argument --eval-every: not a multiple of 30"),
    ("--record 40", "argument --record: 40 is not one of the seeds"), ("--lr 0", "argument --lr: '0' is not"),
    ("--output-gates none --output-biases 0", "argument --output-biases: there are no gates"),
    ("--seeds 3-1", "argument --seeds/--seed/--trials: '3-1' does not parse"),
])  # fmt: skip
def test_bad_options_exit_with_status_2_and_one_clear_line(line, message, capsys):
    with pytest.raises(SystemExit) as stop:
        lab.main(line.split())
    assert stop.value.code == 2 and message in capsys.readouterr().err.splitlines()[-1]


def test_distinct_strings():
    for pair in range(3):
        training, testing = lab.reber_sets(pair, "distinct")
        assert len({tuple(string) for string in training + testing}) == 512
        assert len({tuple(string) for string in lab.reber_sets(pair)[0]}) < 128
