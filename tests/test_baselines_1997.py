"""studies/baselines_1997.py: its networks, RTRL and BPTT, random guessing, its runs."""

import json

import numpy as np
import pytest
from conftest import ROOT, load, options_of

from studies import runner

SCRIPT = "studies/baselines_1997.py"
lab, lstm_1997 = load(SCRIPT), load("lstm_1997.py")
METHODS = ("rtrl", "bptt", "guess")
SMALL = {
    "rtrl": "--method rtrl --steps 600 --eval-every 200 --lr 4",
    "bptt": "--method bptt --p 6 --steps 600 --eval-every 200 --lr 4",
    "guess": "--method guess --steps 2000 --hidden 1 --eval-n 50",
}
every_method = pytest.mark.parametrize("method", METHODS)
X, Y = np.eye(2)


def sigma(x):
    return 1 / (1 + np.exp(-x))


def networks(p, trials=(5, 6), size=1.0):
    """Parameters (P, S) of different networks."""
    return lab.init_theta(p, trials, size)


def plain_pass(p, theta, symbols):
    """Hidden unit and outputs of the network theta (P,) at each step: lists of numbers and of (O,)."""
    w, V, A = (getattr(lab.parts(theta[:, None], p), name)[..., 0] for name in ("w", "V", "A"))
    h, hs, ys = 0.0, [], []
    for symbol in symbols[:-1]:
        h = sigma(w[symbol] + w[-1] * h)
        hs.append(h)
        ys.append(sigma(A[symbol] + V * h))
    return hs, ys


def string(p, first):
    """The symbols of a string that starts with x (0) or y (1)."""
    return [p - 1 + first, *range(p - 1), p - 1 + first]


def plain_rtrl(p, theta, firsts, rate, squared, online):
    """Parameters (P,) after sequences that start with firsts: RTRL with plain loops, for one network."""
    theta = theta.copy()
    named = lab.parts(theta[:, None], p)
    w, V, A = named.w[:, 0], named.V[:, 0], named.A[:, :, 0]
    for first in firsts:
        symbols, h, dh_dw, late = string(p, first), 0.0, np.zeros(p + 2), []
        for symbol, wanted in zip(symbols, symbols[1:]):
            source = np.zeros(p + 2)
            source[symbol], source[-1] = 1, h
            h = sigma(w[symbol] + w[-1] * h)
            dh_dw = h * (1 - h) * (source + w[-1] * dh_dw)
            y = sigma(A[symbol] + V * h)
            dz = y - np.eye(p + 1)[wanted]
            dz = dz * y * (1 - y) if squared else dz
            late.append((symbol, rate * (V @ dz) * dh_dw, rate * h * dz, rate * dz))
            for symbol, dw, dV, dA in late if online or len(late) == p else []:
                w -= dw
                V -= dV
                A[symbol] -= dA
                late = []
    return theta


# ------------------------------------------------------------------------------------------- networks, data


@pytest.mark.parametrize("p, weights", [(4, 36), (10, 144), (100, 10404)])
def test_networks_have_the_weights_of_the_paper(p, weights):
    assert lab.size_of(p) == (p + 1) ** 2 + (p + 2) + (p + 1) == weights
    theta = lab.init_theta(p, list(range(30)), 0.2)
    assert theta.shape == (weights, 30) and 0.19 < np.abs(theta).max() <= 0.2 and abs(theta.mean()) < 0.02
    assert len({tuple(network) for network in theta.T}) == 30


def test_sequences_of_task_2a_are_those_of_the_lstm():
    row = lstm_1997.ROWS["2a"]
    ours = lab.first_symbols([5, 7], 3)
    theirs = lstm_1997.draw(row, [5, 7], lstm_1997.TRAIN, 3, n=lstm_1997.CHUNK).x[0]  # (S, CHUNK), 99 for x
    assert (ours[:, 0].T == (theirs == 99)).all() and (ours.sum(axis=1) == 1).all() and lab.CHUNK == lstm_1997.CHUNK


@pytest.mark.parametrize("task", ["3a-1", "3a-2"])
def test_sequences_of_task_3a_are_those_of_the_lstm(task):
    row = lstm_1997.ROWS[task]
    ours = lab.two_sequences(lab.stream(3, lab.TEST), lab.STAGES[-1], lab.SIGNAL[task])
    theirs = lstm_1997.test_set(row, 3)
    assert (ours.x == theirs.x[:, 0]).all() and (ours.length == theirs.length).all()
    assert (ours.target == theirs.target[0]).all() and lab.TOLERANCE[task] == lstm_1997.TOLERANCE["3a"]
    ours = lab.two_sequences(lab.stream(3, lab.EVAL), 40, lab.SIGNAL[task])
    assert (ours.x == lstm_1997.draw(row, [3], lstm_1997.EVAL, n=40).x[:, 0, 0]).all()


@pytest.mark.parametrize("p", [2, 4, 9])
def test_outputs_are_those_of_a_plain_network(p):
    net = lab.Network(p, networks(p), in_place=True)
    net.start(np.eye(2))  # the first network reads x, the second y
    lab.forward(net)
    for k in 0, 1:
        hs, ys = plain_pass(p, net.theta[:, k], string(p, k))
        assert np.allclose(net.h[1:, k], hs, rtol=0, atol=1e-14) and np.allclose(net.y[:, :, k], ys, rtol=0, atol=1e-14)
        assert (net.target[:, :, k].argmax(axis=1) == string(p, k)[1:]).all() and (net.target.sum(axis=1) == 1).all()


def test_errors_on_both_strings():
    p, theta = 4, networks(4)
    found = lab.examine(lab.Network(p, theta, in_place=True))
    for k in 0, 1:
        off = [np.abs(plain_pass(p, theta[:, k], string(p, first))[1] - np.eye(p + 1)[string(p, first)[1:]])
               for first in (0, 1)]  # fmt: skip
        wanted = np.mean(off), np.max(off), max(off[0][-1].max(), off[1][-1].max())
        assert np.allclose([values[k] for values in found], wanted, rtol=1e-12)


# ------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("p", [2, 4, 30])
def test_rtrl_and_bptt_have_the_same_gradient(p, squared):
    theta = networks(p)
    rtrl, bptt = (lab.gradient(p, theta, method, squared) for method in (lab.rtrl, lab.bptt))
    assert np.allclose(rtrl, bptt, rtol=1e-9, atol=1e-13) and np.abs(rtrl).max() > 0.1


@pytest.mark.parametrize("method, online", [("rtrl", True), ("rtrl", False), ("bptt", False)])
@pytest.mark.parametrize("squared", [True, False])
def test_learning_is_that_of_a_plain_network(method, online, squared):
    p, theta, firsts = 4, networks(4), np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 1]])
    net = lab.Network(p, theta.copy(), in_place=online or method == "bptt")
    for both in firsts.T:
        lab.learn(net, np.eye(2)[both].T, lab.METHODS[method], 3.0, squared)
    for k in 0, 1:
        wanted = plain_rtrl(p, theta[:, k], firsts[k], 3.0, squared, online)
        assert np.allclose(net.theta[:, k], wanted, rtol=1e-11, atol=1e-13)
        other = plain_rtrl(p, theta[:, k], firsts[k], 3.0, squared, not online)
        assert np.abs(other - wanted).max() > 1e-3


def test_the_gradient_check_passes():
    assert lab.main(["--gradcheck"]) == 0


BROKEN = {  # lines of RTRL, then of BPTT
    "multiply(q, r, q)  #": "multiply(q, 0, q)  #",
    "add(q_x, x, q_x)  #": "add(q_x, 0, q_x)  #",
    "subtract(q_r, minus_h, q_r)": "subtract(q_r, 0, q_r)",
    "multiply(q, slope_h, q)": "multiply(q, 1, q)",
    "            multiply(dz, slope_y, dz)": "            pass",
    "add_rows(part, 0, None, dh)": "subtract(dh, dh, dh)",
    "multiply(dz, minus_h, part)": "multiply(dz, 1, part)",
    "subtract(new_A_x, dz, new_A_x)": "subtract(new_A_x, 0, new_A_x)",
    "subtract(new_w, part_w, new_w)": "add(new_w, part_w, new_w)",
    "minus_h[...] = q[...] = 0": "minus_h[...] = q[...] = 1",
    "net.new.A[net.p - 1 :] += first[:, None]": "net.new.A[net.p - 1 :] += 0 * first[:, None]",
    "        multiply(dz, y, dz)": "        pass",
    "        multiply(dz, part, dz)": "        pass",
    "multiply(V, dz, part)  # rate V dz\n    dnet": "multiply(V, 0, part)  #\n    dnet",
    "slope_h = h[1:] * (1 - h[1:])": "slope_h = h[1:]",
    "dnet[-1] *= slope_h[-1]": "dnet[-1] *= 1",
    "dnet[t] += w[-1] * dnet[t + 1]": "dnet[t] += 0",
    "dnet[t] *= slope_h[t]": "dnet[t] *= 1",
    "new.w[:middle] -= dnet[1:]": "new.w[:middle] -= dnet[:-1]",
    "-= net.first * dnet[0]": "-= dnet[0]",
    "new.w[-1] -= add_rows(h[:-1] * dnet, 0)": "new.w[-1] -= add_rows(h[1:] * dnet, 0)",
    "new.V[...] -= add_rows(part, 0)": "new.V[...] -= part[-1]",
    "new.A[:middle] -= dz[1:]": "new.A[:middle] += dz[1:]",
    "net.new_A_first -= dz[0]": "net.new_A_first -= 0",
}


@pytest.mark.parametrize("line", BROKEN)
def test_the_gradient_check_fails_if_a_line_is_wrong(line):
    source = (ROOT / SCRIPT).read_text()
    assert source.count(line) == 1
    assert load(SCRIPT, source.replace(line, BROKEN[line])).main(["--gradcheck"]) == 1


# -------------------------------------------------------------------------------------------------- guessing


def plain_answer(weights, x):
    """The last output of the first unit of a network with weights (U, U + 2) on inputs x (T,)."""
    U = len(weights)
    y = np.zeros(U)
    for x_t in x:
        y = sigma(weights[:, :U] @ y + weights[:, U] * x_t + weights[:, U + 1])
    return y[0]


def test_answers_are_those_of_a_plain_network():
    weights = lab.stream(1, 9).uniform(-4, 4, (3, 5, 6))
    batch = lab.two_sequences(lab.stream(2, 9), 7, 3)
    found = lab.errors_at_end(weights, batch)
    for g in range(6):
        for n in range(7):
            answer = plain_answer(weights[:, :, g], batch.x[: batch.length[n], n])
            assert np.isclose(found[n, g], abs(answer - batch.target[n]), rtol=1e-10, atol=1e-14)


def test_places_of_the_first_wrong_answers():
    latch = np.array([[40.0, -40, 10, 0], [-40, 40, -10, 0]])  # the first input decides which of two units stays on
    guesses = np.stack([lab.stream(k, 9).uniform(-100, 100, (2, 4)) for k in range(40)] + [latch], axis=2)
    batch = lab.two_sequences(lab.stream(3, lab.TEST), lab.STAGES[-1], 1)
    found = lab.first_wrong(guesses, batch, 0.2)
    wrong = lab.errors_at_end(guesses, batch) >= 0.2
    wanted = [np.nonzero(column)[0][0] if column.any() else lab.STAGES[-1] for column in wrong.T]
    assert found.tolist() == wanted and found[-1] == lab.STAGES[-1] > found[:-1].max()


def test_the_first_right_guess_counts(monkeypatch):
    """One guess after the other, sequence by sequence, and other numbers of guesses at a time: the same counts."""
    options = options_of(lab, "--method", "guess", "--eval-n", 20)
    weights, (guesses, sequences, wrong, error), seen = lab.guess(options, 101)
    batch = lab.two_sequences(lab.stream(101, lab.TEST), 256, 3)
    drawn = lab.stream(101, lab.TRAIN, 0).uniform(-100, 100, (lab.GUESSES, 2, 4))
    looked_at = 0
    for number, network in enumerate(drawn[:guesses], start=1):
        off = lab.errors_at_end(network[:, :, None], batch)[:, 0]
        right = (off < 0.2).all()
        looked_at += 256 if right else int((off >= 0.2).argmax()) + 1
        assert right == (number == guesses)
    assert looked_at == sequences == seen and (network == weights).all()
    fresh = lab.errors_at_end(weights[:, :, None], lab.two_sequences(lab.stream(101, lab.EVAL), 20, 3))
    assert wrong == (fresh >= 0.2).sum() and error == fresh.mean()


def test_a_trial_without_a_right_guess(tmp_path):
    results, arrays = ran(tmp_path / "run", "--method guess --steps 30 --seeds 100,101")
    found = results["runs"]["guess"]
    assert found["rules"][0]["guesses"] == [None, None] and found["history"]["solved"] == [[False, False]]
    assert min(found["sequences_seen"]) >= 30 and found["final"]["wrong"] == [None, None]
    assert np.isnan(arrays["guess/weights/R"]).all()


# ------------------------------------------------------------------------------------------------------ runs


def ran(folder, arguments, **more):
    """A run in a folder: its results and its arrays."""
    assert lab.main([*arguments.split(), "--out", str(folder)], **more) == 0
    with np.load(folder / "snapshots.npz") as arrays:
        return json.loads((folder / "results.json").read_text()), dict(arrays)


@every_method
def test_a_trial_is_the_same_alone_and_with_others(method, tmp_path):
    runs = {
        seeds: ran(tmp_path / seeds, f"{SMALL[method]} --seeds {seeds}") for seeds in ("104,101,105", "104", "101,105")
    }
    whole, alone, others = runs.values()
    for name in [name for name in whole[1] if "/weights/" in name]:
        both = np.concatenate([alone[1][name], others[1][name]])
        assert np.array_equal(whole[1][name], both, equal_nan=True)
    merged = runner.merge_values("runs", [alone[0]["runs"], others[0]["runs"]], [[0], [1, 2]], 0)
    merged[method]["wall_clock_s"] = whole[0]["runs"][method]["wall_clock_s"]
    assert merged == whole[0]["runs"]


@pytest.mark.parametrize("method", ["rtrl", "bptt"])
def test_a_trial_that_is_solved_stops_and_the_others_go_on(method, tmp_path, monkeypatch):
    monkeypatch.setitem(lab.TOLERANCE, "2a", 0.515)  # x and y cannot both be closer than 0.5 without memory
    runs = {}
    for seeds in "0-5", "3", "4":
        runs[seeds] = ran(
            tmp_path / seeds, f"--method {method} --p 3 --steps 900 --eval-every 300 --lr 1 --seeds {seeds}"
        )
    (whole, arrays), name = runs["0-5"], f"{method}/weights/A"
    found = whole["runs"][method]
    solved_at = found["rules"][0]["sequences"]
    assert len(set(solved_at)) > 1, "or else the test shows nothing"
    for seed in 3, 4:
        assert runs[str(seed)][0]["runs"][method]["rules"][0]["sequences"] == [solved_at[seed]]
        assert (runs[str(seed)][1][name][0] == arrays[name][seed]).all()
    for at, seen, largest in zip(solved_at, found["sequences_seen"], found["final"]["largest_error"]):
        assert seen == (900 if at is None else at) and (largest < 0.515) == (at is not None)


def test_a_trial_whose_weights_are_not_finite_is_frozen(monkeypatch, tmp_path):
    init_theta = lab.init_theta

    def spoiled(p, trials, init):
        theta = init_theta(p, trials, init)
        theta[0, 1] = np.nan
        return theta

    monkeypatch.setattr(lab, "init_theta", spoiled)
    found = ran(tmp_path / "run", "--steps 200 --eval-every 100 --seeds 0-2")[0]["runs"]["rtrl"]
    assert found["diverged_at_step"] == [None, 0, None] and found["sequences_seen"] == [200, 0, 200]


def test_recorded_states_are_those_of_the_weights(tmp_path):
    for method in "rtrl", "bptt":
        results, arrays = ran(tmp_path / method, f"{SMALL[method]} --seeds 5,8 --record 8")
        p = results["config"]["p"]
        flat = [arrays[f"{method}/weights/{name}"][1].ravel() for name in lab.shapes_of(p)]
        for first in 0, 1:
            hs, ys = plain_pass(p, np.concatenate(flat), string(p, first))
            assert np.allclose(arrays[f"{method}/h"][:, first], hs) and np.allclose(
                arrays[f"{method}/output"][:, :, first], ys
            )
    _, arrays = ran(tmp_path / "guess", "--method guess --seeds 100,101 --record 101 --steps 100 --eval-n 5")
    weights = [arrays[f"guess/weights/{name}"][1].reshape(2, -1) for name in "RIb"]
    for n, end in enumerate(arrays["guess/length"]):
        answer = plain_answer(np.concatenate(weights, axis=1), arrays["guess/x"][:end, n])
        assert np.isclose(arrays["guess/units"][end - 1, 0, n], answer, atol=1e-12)
        assert abs(answer - arrays["guess/target"][n]) < 0.2


def test_watch_adds_to_the_history(tmp_path):
    results, arrays = ran(tmp_path / "run", "--steps 200 --eval-every 100 --seeds 0-2",
                          watch=lambda theta: {"r": theta[:, 5]})  # fmt: skip
    assert np.shape(results["runs"]["rtrl"]["history"]["r"]) == (3, 3)
    assert np.allclose(results["runs"]["rtrl"]["history"]["r"][-1], arrays["rtrl/weights/w"][:, -1], rtol=1e-5)


@pytest.mark.parametrize("arguments, words", [
    ("--method elman", "invalid choice"), ("--method bptt --update step", "after each sequence"),
    ("--method guess --lr 1", "--lr: has no effect on --method guess"), ("--hidden 2", "--hidden: has no effect"),
    ("--method guess --task 2a", "another task"), ("--task 3a-1", "another task"), ("--p 1", "the smallest p is 2"),
    ("--eval-every 150", "not a multiple of 100"), ("--steps 100 --eval-every 200", "more than the 100 steps"),
    ("--record 30", "30 is not one of the seeds"), ("--resume", "not possible"), ("--lr 0", "not a number above 0"),
    ("--seeds 3-1", "does not parse"), ("--cost mixed", "invalid choice"),
])  # fmt: skip
def test_wrong_options_end_with_status_2(arguments, words, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        lab.main([*arguments.split(), "--out", str(tmp_path / "out")])
    assert stop.value.code == 2 and words in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_folders_of_runs():
    assert options_of(lab).out == lab.HEADLINE == options_of(lab, "--p", 4, "--seeds", "0-29").out
    assert options_of(lab, "--lr", 10).out == "runs/baselines_1997/lr-10.0"
    assert options_of(lab, "--method", "bptt").out == "runs/baselines_1997/method-bptt"


@every_method
def test_a_quick_run_leaves_the_files(method, call, tmp_path):
    done = call(SCRIPT, "--quick", "--method", method, *(["--p", "10"] if method == "bptt" else []), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{SCRIPT}: {method}") and ("estimated time: " in done.stdout) == (method != "guess")
    folder = next((tmp_path / "runs" / "baselines_1997").iterdir())
    assert sorted(path.name for path in folder.iterdir()) == ["results.json", "snapshots.npz"]
    results = json.loads((folder / "results.json").read_text())
    assert list(results) == ["schema", "experiment", "command", "config", "environment", "seeds", "runs"]
    assert results["seeds"] == [0, 1, 2] and len(results["runs"][method]["sequences_seen"]) == 3
