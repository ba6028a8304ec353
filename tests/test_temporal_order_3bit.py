"""temporal_order_3bit.py: data, training, measures, records. tests/test_runs.py has the tests of all scripts."""

import json

import numpy as np
import pytest
from conftest import ROOT, load, options_of

from studies import report
from studies import temporal_order_3bit as study

SCRIPT = "temporal_order_3bit.py"
SOURCE = (ROOT / SCRIPT).read_text()
SHORT = "--steps 30 --eval-every 10 --eval-n 40 --T 12 --batch 8 --snapshot-every 10".split()


@pytest.fixture(scope="module")
def lab():
    return load(SCRIPT)


# ------------------------------------------------------------------------------------------------------ data


@pytest.mark.parametrize("T", [5, 6, 9, 50, 100, 200, 500])
def test_sequences_follow_the_specification(lab, T):
    n, ranges = 4000, lab.marker_ranges(T)
    symbols, labels = lab.make_batch(np.random.default_rng(0), np.full(n, T), ranges)
    assert symbols.shape == (T, n) and labels.shape == (n,)
    assert (symbols[0] == 6).all() and (symbols[-1] == 7).all(), "B first, E last"
    markers = (symbols == 4) | (symbols == 5)
    assert (markers.sum(axis=0) == 2).all()
    t1 = markers.argmax(axis=0)
    t2 = T - 1 - markers[::-1].argmax(axis=0)
    for t, (first, last) in zip((t1, t2), ranges):
        assert set(t) == set(range(first, last + 1)), "every step of the range occurs, and no other step"
    first, second = symbols[t1, np.arange(n)], symbols[t2, np.arange(n)]
    assert (
        [("XX", "XY", "YX", "YY")[label] for label in labels]
        == np.char.add(*np.array(list(lab.SYMBOLS))[[first, second]])
    ).all()
    assert np.abs(np.bincount(labels, minlength=4) / n - 0.25).max() < 0.03
    noise = symbols[1:-1][~markers[1:-1]]
    assert noise.max() <= 3
    assert np.abs(np.bincount(noise, minlength=4) / noise.size - 0.25).max() < 0.02
    assert abs(np.mean((t1 - t1.mean()) * (t2 - t2.mean()))) <= 0.05 * t1.std() * t2.std(), "t1, t2 are independent"


def test_the_writeup_and_the_paper_have_their_ranges(lab):
    assert lab.marker_ranges(50) == ((3, 12), (25, 40))
    options = options_of(lab, "--paper-lengths", "--seeds", "0,1")
    symbols, labels, lengths = lab.draw_population(options, (lab.TRAIN, 0), 8, 8 * 400)
    assert set(lengths) == set(range(100, 111))
    for k, T in enumerate(lengths):
        block = symbols[:T, :, 8 * k : 8 * k + 8]
        markers = (block == 4) | (block == 5)
        assert (block[-1] == 7).all() and (block[:-1] != 7).all()
        assert (markers.sum(axis=0) == 2).all()
        assert markers[10:21].any(axis=0).all() and markers[50:61].any(axis=0).all()


def test_held_out_sequences_do_not_depend_on_training(lab):
    symbols = [lab.held_out(options_of(lab, "--seeds", seeds, "--steps", steps, "--eval-every", every))[0][0]
               for seeds, steps, every in (("5", 100, 10), ("3,5", 7, 3))]  # fmt: skip
    assert (symbols[0][:, 0] == symbols[1][:, 1]).all()


# ------------------------------------------------------------------------------------------------- gradients


def test_parameter_counts(lab):
    kinds = ("lstm",), ("rnn",), ("lstm", 4, 4, True), ("lstm", 4, 2)
    assert [lab.Cell(*kind).P for kind in kinds] == [176, 72, 228, 124]


def test_the_gradient_check_has_every_variant(lab, capsys):
    assert lab.gradient_check() == 0
    lines = capsys.readouterr().out.splitlines()
    variants = ["rnn", "lstm", "lstm, forget gate", "lstm, 2 blocks", "lstm, 2 blocks, forget gate"]
    found = [line.split(" largest")[0].rstrip() for line in lines]
    assert found == [f"{variant}, spans of {span}" for variant in variants for span in (8, 3)]
    assert len({line.index(" largest") for line in lines}) == 1, "columns are aligned"


# ------------------------------------------------------------------------------------------------------ runs


def accuracy_after_training(lab):
    options = options_of(lab, "--T", 10, "--steps", 250, "--batch", 16, "--eval-n", 128, "--seeds", "0-3")
    result, _ = lab.train(lab.Cell("lstm"), options)
    return min(result["final"]["val_accuracy"])


def test_training_learns_from_the_labels(lab):
    assert accuracy_after_training(lab) >= 0.95


@pytest.mark.parametrize(
    "right, wrong", [("labels[:, batch], options", "labels[:, :B], options"), ("self.theta - lr", "self.theta + lr")]
)
def test_broken_training_does_not_learn(right, wrong):
    assert SOURCE.count(right) == 1
    assert accuracy_after_training(load(SCRIPT, SOURCE.replace(right, wrong))) < 0.9


def test_confusion_agrees_with_accuracy(quick):
    results = json.loads((quick(SCRIPT) / "run" / "results.json").read_text())
    for run in results["runs"].values():
        confusion = np.array(run["confusion"])
        assert confusion.shape == (3, 4, 4) and (confusion.sum(axis=(1, 2)) == 128).all()
        assert np.allclose(confusion.trace(axis1=1, axis2=2) / 128, run["final"]["val_accuracy"])


@pytest.mark.parametrize("arguments", ["--T 12", "--T 12 --forget-gate", "--T 50 --blocks 2", "--paper-lengths"])
def test_weights_rebuild_the_recorded_outputs(call, tmp_path, arguments):
    done = call(SCRIPT, "--steps", 20, "--eval-n", 40, "--batch", 8, "--out", tmp_path, *arguments.split())
    assert done.returncode == 0, done.stderr
    arrays = np.load(tmp_path / "snapshots.npz")

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    for kind in "lstm", "rnn":
        x, weights = arrays[f"{kind}/x"], {name: arrays[f"{kind}/weights/{name}"][0].astype(float) for name in "WVb"}
        W, H = weights["W"], weights["V"].shape[1]
        blocks = 2 if "--blocks" in arguments else H
        gates = {"rnn": "", "lstm": "ifo" if "--forget-gate" in arguments else "io"}[kind]
        for n in range(4):
            h, c = np.zeros(H), np.zeros(H)
            for t, symbol in enumerate(x[:, n]):
                z = W @ np.concatenate([h, np.arange(8) == symbol, [1]])
                gate = {
                    g: np.repeat(sigmoid(z[k * blocks : (k + 1) * blocks]), H // blocks) for k, g in enumerate(gates)
                }
                candidate = np.tanh(z[len(gates) * blocks :])
                c = gate.get("f", 1) * c + gate.get("i", 0) * candidate
                h = gate["o"] * np.tanh(c) if gates else candidate
                assert np.allclose(arrays[f"{kind}/h"][-1, t, :, n], h, atol=1e-5)
                for name, value in gate.items():
                    assert np.allclose(arrays[f"{kind}/{name}"][-1, t, :, n], value, atol=1e-5)
                if gates:
                    assert np.allclose(arrays[f"{kind}/c"][-1, t, :, n], c, atol=1e-5)
            logits = weights["V"] @ h + weights["b"][:, 0]
            assert np.allclose(arrays[f"{kind}/p"][-1, :, n], np.exp(logits) / np.exp(logits).sum(), atol=1e-5)


def test_measures_agree_with_a_slow_count(lab):
    options = options_of(lab, *SHORT, "--seeds", "0,1", "--eval-n", 128)
    theta = 0.5 * np.random.default_rng(0).standard_normal((2, 176))
    net, batches = lab.Network(lab.Cell("lstm"), theta, 12, lab.EVAL_BATCH, backward=False), lab.held_out(options)
    measures = study.measure_lstm(net, batches)
    symbols, labels = batches[0]
    lab.forward(net, symbols)
    at, off = [], []
    for t, n in np.ndindex(12, 128):
        if symbols[t, 1, n] in (4, 5):
            at.append(max(net.row["i"][t, :, 1, n]))
        elif symbols[t, 1, n] < 4:
            off.append(max(net.row["i"][t, :, 1, n]))
    assert len(at) == 2 * 128 and len(off) == 8 * 128
    assert np.isclose(measures["gate_selectivity"][1], np.mean(at) / np.mean(off))
    signs = [tuple(net.c[12, :, 1, n] > 0) for n in range(128)]
    seen = {
        s: np.bincount([labels[1, m] for m in range(64) if signs[m] == s] or [0], minlength=4).argmax() for s in signs
    }
    assert np.isclose(measures["sign_accuracy"][1], np.mean([seen[signs[n]] == labels[1, n] for n in range(64, 128)]))


def test_output_gates_agree_with_a_slow_count(lab):
    options = options_of(lab, *SHORT, "--seeds", "0,1", "--eval-n", 256)
    theta = 0.5 * np.random.default_rng(0).standard_normal((2, 176))
    net, batches = lab.Network(lab.Cell("lstm"), theta, 12, lab.EVAL_BATCH, backward=False), lab.held_out(options)
    after, last = study.output_gates(net, batches)
    assert len(batches) == 2 and after.shape == last.shape == (4, 2, 4)
    between, at_end = [], []
    for symbols, labels in batches:
        lab.forward(net, symbols)
        for n in np.flatnonzero(labels[1] == 2):
            second = max(t for t in range(12) if symbols[t, 1, n] in (4, 5))
            between += [net.row["o"][t, 3, 1, n] for t in range(second + 1, 11)]
            at_end.append(net.row["o"][11, 3, 1, n])
    assert np.isclose(after[3, 1, 2], np.mean(between)) and np.isclose(last[3, 1, 2], np.mean(at_end))


def test_initial_parameters(lab):
    for arguments in ("lstm", 4, 4, False), ("lstm", 4, 2, True), ("rnn",):
        cell = lab.Cell(*arguments)
        theta = lab.init_theta(cell, options_of(lab, "--seeds", "0-299", "--dtype", "float64", "--input-gate-bias", -1))
        p = lab.views(theta, cell.shapes)
        bias, n = p.W[:, :, -1], cell.blocks
        assert (p.b == 0).all() and (bias[:, len(cell.gates) * n :] == 0).all()
        for k, gate in enumerate(cell.gates):
            assert (bias[:, k * n : (k + 1) * n] == {"i": -1, "f": 1, "o": 0}[gate]).all()
        weights = np.concatenate([p.W[:, :, :-1].ravel(), p.V.ravel()])
        assert abs(weights.std() - 0.1) < 0.002 and abs(weights.mean()) < 0.002


# -------------------------------------------------------------------------------------------------- renderers


def test_renderers_agree_with_each_other_and_with_the_report():
    pictures, gif = (load(f"{folder}/{SCRIPT}") for folder in ("visualize", "make_gifs"))
    assert pictures.LIMIT == gif.LIMIT, "one scale of colours for cell states"
    assert (pictures.NEAR_ZERO, pictures.CLOSED, pictures.OPEN) == (study.NEAR_ZERO, study.CLOSED, study.OPEN)
    for k, n in (0, 30), (17, 30), (30, 30):
        low, high = (f"{100 * end:.1f}" for end in pictures.wilson(k, n))
        assert report.wilson(k, n) == f"{low}–{high} %"


@pytest.mark.parametrize(
    "seen, words",
    [
        ([0, 320, 640, 2240, 3840], "snapshots every 320 sequences at first, every 1,600 later"),
        ([0, 320, 640, 960], "4 snapshots"),
        ([0, 320, 1920, 2240], "4 snapshots"),
    ],
)
def test_the_gif_says_that_snapshots_are_denser_at_first(seen, words):
    assert load(f"make_gifs/{SCRIPT}").spacing(np.array(seen)) == words


def test_an_output_that_opens_at_the_last_step_is_held_back():
    held_back = load(f"visualize/{SCRIPT}").held_back
    x = np.array([[6, 6], [4, 5], [0, 0], [5, 1], [1, 2], [2, 4], [7, 7]])  # the second sequence has no step between
    o = np.full((7, 2, 2), 0.05)
    o[-1] = 0.9
    o[5, 0, 0] = 0.2  # a mean of 0.125
    assert held_back(x, o).tolist() == [[1, 0]]
    o[-1, 1, 0] = 0.4
    assert held_back(x, o).tolist() == []


def test_the_gif_starts_and_ends_with_its_last_snapshot(lab, tmp_path):
    gif = load(f"make_gifs/{SCRIPT}")
    assert (
        lab.main(["--quick", "--steps", "3", "--snapshot-every", "1", "--cells", "lstm", "--out", str(tmp_path)]) == 0
    )
    found = {}
    for most in 1, 3, 60:
        _, (*_, title), draw, n = gif.animate(*gif.load_run(tmp_path, gif.EXPERIMENT, ""), most)
        said = []
        for frame in range(n):
            draw(frame)
            said.append(title.get_text().split()[-3])
        found[most] = said
        gif.plt.close("all")
    assert found == {1: ["96"], 3: ["96", "0", "96"], 60: ["96", "0", "32", "64", "96"]}


def test_renderers_accept_runs_with_other_options(lab, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pictures, gif = (load(f"{folder}/{SCRIPT}") for folder in ("visualize", "make_gifs"))
    short = ["--quick", "--steps", "3", "--out", "run", "--force"]
    tiny = "--cells lstm --hidden 1 --batch 1 --eval-n 1 --T 5 --lr 1e39".split()  # it diverges
    assert lab.main([*short, *tiny]) == 0
    assert [renderer.main(["--run", "run"]) for renderer in (pictures, gif)] == [0, 0]
    assert lab.main([*short, "--cells", "rnn"]) == 0
    assert pictures.main(["--run", "run"]) == 0 and "no LSTM" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="^run has no LSTM to animate$"):
        gif.main(["--run", "run"])
