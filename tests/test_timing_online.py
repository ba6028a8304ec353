"""studies/timing_online.py: its sequences, its truncated and full gradients, its training, its runs."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT, load, options_of

from studies import runner

SCRIPT = "studies/timing_online.py"
lab, batches = load(SCRIPT), load("timing_counting_spikes.py")
CELLS = ((True, True), (False, True), (True, False), (False, False))  # peepholes, forget gates
KINDS = [(*cell, gradient, output) for cell in CELLS for gradient, output in (
    ("truncated", "linear"), ("truncated", "logistic"), ("full", "linear"))]  # fmt: skip
SHORT = "--T", "24", "--D-min", "3", "--D-max", "6", "--eval-n", "64"


def sigma(x):
    return 1 / (1 + np.exp(-x))


def named(theta, cell):
    """The parameters of one network (P,) by name, as the equations have them."""
    p = lab.views(theta[None], cell.shapes)
    peep = p.peep[0] if cell.peephole else np.zeros((len(cell.gates), cell.hidden))
    return SimpleNamespace(W=p.W[0], V=p.V[0, 0], b=p.b[0, 0, 0], peep=dict(zip(cell.gates, peep)))


def plain_forward(p, gates, x, logistic):
    """The equations of the docstring for one sequence x (T,). Returns the steps, each with its v, c_before, c, ..."""
    H, steps = len(p.V), []
    h, c, nothing = np.zeros(H), np.zeros(H), np.zeros(H)
    for x_t in x:
        s = SimpleNamespace(v=np.array([*h, x_t, 1.0]), c_before=c)
        z = dict(zip(gates + "g", np.split(p.W @ s.v, len(gates) + 1)))
        s.i = sigma(z["i"] + p.peep["i"] * c)
        s.f = sigma(z["f"] + p.peep["f"] * c) if "f" in gates else nothing + 1
        s.g = np.tanh(z["g"])
        s.c = c = s.f * c + s.i * s.g
        s.o = sigma(z["o"] + p.peep["o"] * c)
        s.h = h = s.o * np.tanh(c)
        s.y = sigma(p.V @ h + p.b) if logistic else p.V @ h + p.b
        steps.append(s)
    return steps


def plain_gradient(p, cell, steps, target, logistic, full):
    """The gradient (P,) for one sequence, step by step backward in time."""
    gates, H = cell.gates, cell.hidden
    dW, dV, db, dpeep = np.zeros_like(p.W), np.zeros(H), 0, {gate: np.zeros(H) for gate in gates}
    dc_from_after, dh_from_after = np.zeros(H), np.zeros(H)
    for s, wanted in zip(reversed(steps), reversed(target)):
        dy = (s.y - wanted) * (s.y * (1 - s.y) if logistic else 1)
        dV, db = dV + dy * s.h, db + dy
        dh, tanh_c = p.V * dy + dh_from_after, np.tanh(s.c)
        dz = {"o": dh * tanh_c * s.o * (1 - s.o)}
        dc = dh * s.o * (1 - tanh_c**2) + dc_from_after + (p.peep["o"] * dz["o"] if full else 0)
        dz |= {"i": dc * s.g * s.i * (1 - s.i), "f": dc * s.c_before * s.f * (1 - s.f), "g": dc * s.i * (1 - s.g**2)}
        all_dz = np.concatenate([dz[name] for name in gates + "g"])
        dW += np.outer(all_dz, s.v)
        for gate in gates:
            dpeep[gate] += dz[gate] * (s.c if gate == "o" else s.c_before)
        dc_from_after = dc * s.f
        if full:
            dc_from_after = dc_from_after + sum(p.peep[gate] * dz[gate] for gate in gates if gate != "o")
            dh_from_after = p.W[:, :H].T @ all_dz
    peep = [dpeep[gate] for gate in gates] if cell.peephole else []
    return np.concatenate([dW.ravel(), dV, [db], *peep])


# ------------------------------------------------------------------------------------------ sequences, networks


def test_sequences_and_initial_weights_are_those_of_the_experiment():
    ours, theirs = options_of(lab, "--seeds", "5,7"), options_of(batches, "--seeds", "5,7", "--recipe", "writeup")
    assert batches.CHUNK * theirs.batch == lab.CHUNK and theirs.batch == 32
    for k in 0, 3:
        drawn = lab.draw_population(ours, (lab.TRAIN, k), lab.CHUNK)
        wanted = batches.draw_population(theirs, batches.training_key(theirs, k), batches.CHUNK * theirs.batch)
        assert all((a == b).all() and a.dtype == b.dtype for a, b in zip(drawn, wanted))
    held_out = lab.draw_population(ours, (lab.EVAL, 7), lab.EVAL_BATCH)
    assert all((a == b).all() for a, b in zip(held_out, batches.held_out(theirs)[7]))
    for peephole, forget_gate in CELLS:
        theta = lab.init_theta(lab.Cell(8, 1, peephole, forget_gate), ours)
        assert (theta == batches.init_theta(batches.Cell(8, 1, peephole, forget_gate), theirs)).all()


@pytest.mark.parametrize("peephole, forget_gate", CELLS)
def test_outputs_and_measures_are_those_of_the_experiment(peephole, forget_gate):
    ours, theirs = (options_of(script, "--seeds", "5,7", "--eval-n", "100") for script in (lab, batches))
    cell = lab.Cell(8, 1, peephole, forget_gate)
    theta = lab.stream(1).standard_normal((2, cell.P)).astype("float32")
    sequences = batches.held_out(theirs)
    with np.errstate(all="raise"):
        found = lab.evaluate(lab.Network(cell, theta, 150, 64), sequences, ours)
        wanted = batches.evaluate(batches.Network(cell, theta, 150, 64), sequences, theirs)
    assert np.allclose(found[0], wanted[0], rtol=1e-4) and (found[1] == wanted[1]).all()


# ------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("peephole, forget_gate, gradient, output", KINDS)
def test_the_gradient_is_that_of_a_plain_network(peephole, forget_gate, gradient, output):
    options, cell = options_of(lab, *SHORT, "--seeds", "3,4"), lab.Cell(5, 1, peephole, forget_gate)
    theta, logistic, full = 0.7 * lab.stream(2).standard_normal((2, cell.P)), output == "logistic", gradient == "full"
    x, y = lab.draw_population(options, (lab.TRAIN, 0), 2)
    net = lab.Network(cell, theta, options.T, 2, logistic)
    lab.backward(net, lab.squared_error(lab.forward(net, x), y, logistic)[1], full)
    for s in range(2):
        p = named(theta[s], cell)
        passes = [plain_forward(p, cell.gates, x[:, 0, s, n], logistic) for n in range(2)]
        wanted = sum(plain_gradient(p, cell, passes[n], y[:, s, n], logistic, full) for n in range(2))
        assert np.allclose(net.grad[s], wanted, rtol=1e-10, atol=1e-13) and np.abs(wanted).min() > 0


@pytest.mark.parametrize("peephole, forget_gate", CELLS)
def test_the_full_gradient_is_that_of_the_experiment(peephole, forget_gate):
    options, cell = options_of(lab, "--seeds", "3,4"), lab.Cell(8, 1, peephole, forget_gate)
    theta = 0.3 * lab.stream(2).standard_normal((2, cell.P))
    x, y = lab.draw_population(options, (lab.TRAIN, 0), 3)
    ours, theirs = lab.Network(cell, theta, 150, 3), batches.Network(cell, theta, 150, 3)
    lab.backward(ours, lab.squared_error(lab.forward(ours, x), y)[1], full=True)
    batches.backward(theirs, batches.squared_error(batches.forward(theirs, x), y)[1])
    assert np.allclose(ours.grad, theirs.grad, rtol=1e-9, atol=1e-12)


def test_the_gradient_check_passes(capsys):
    assert lab.main(["--gradcheck"]) == 0
    assert capsys.readouterr().out.count(": ok") == 16


BROKEN = {
    "return loss, dy * y * (1 - y) if logistic else dy": "return loss, dy * (1 - y) if logistic else dy",
    "a[0, R], a[1:, R] = 0, dy": "a[1:, R] = dy",
    "    a[-1, :R] = 0  # dz_T": "    pass  # dz_T",
    "np.multiply(p.V[:, 0].T[..., None], dy[:, None], out=net.dh)": "net.dh[...] = dy[:, None]",
    "np.multiply(o, 1 - tanh_c * tanh_c, out=net.dh_dc)": "np.copyto(net.dh_dc, o)",
    "np.multiply(net.h, 1 - o, out=o)": "np.copyto(o, net.h)",
    "np.subtract(i, ig * g, out=g)": "np.copyto(g, i)",
    "np.multiply(ig, 1 - i, out=i)": "np.copyto(i, ig)",
    "np.copyto(net.f[:-1], f)": "pass",
    "np.multiply(net.c[:-1] * f, 1 - f, out=f)": "np.multiply(net.c[1:] * f, 1 - f, out=f)",
    "multiply(net.dh_dc, net.dh, net.dc[:-1])": "np.copyto(net.dc[:-1], net.dh)",
    "        multiply(f_after, dc_after, part)  # f_{t+1} dc_{t+1}\n        add(dc, part, dc)  # dc_t = dh_t":
        "        add(dc, dc_after, dc)  # dc_t = dh_t",
    "add(dc, part, dc)  # dc_t = dh_t dh_t/dc_t + f": "pass  #",
    "multiply(dz_o, net.dh, dz_o)": "pass",
    "multiply(net.dz_ifg, net.dc[:-1, None], net.dz_ifg)": "pass",
    "net.dh_dc += p[0] * net.row": "net.dh_dc += 0 * net.row",
    "W_h_T_times(dz_after, received)": "pass",
    "add(dh, part, dh)": "pass",
    "multiply(dh_dc, dh, dc)": "np.copyto(dc, dh)",
    "multiply(p_if, dz_if_after, pdz)": "pass",
    "add(dc, pdz_of_gate, dc)": "pass",
    "        multiply(f_after, dc_after, part)  # f_{t+1} dc_{t+1}\n        add(dc, part, dc)  # dc_t = dc_t":
        "        add(dc, dc_after, dc)  # dc_t = dc_t",
    "add(dc, part, dc)  # dc_t = dc_t so far + f": "pass  #",
    "multiply(dz_o, dh, dz_o)": "pass",
    "multiply(dz_ifg, dc, dz_ifg)": "pass",
    "dM[:, :R], dM[:, R:, :H], dM[:, R:, -1:]": "dM[:, :R], dM[:, R:, :H], 0 * dM[:, R:, -1:]",
    "dz[:, :H, :-1] * c[:, :, 1:]": "dz[:, :H, :-1] * c[:, :, :-1]",
    "* c[:, None]  # dz_i c": "* (c + 1)[:, None]  # dz_i c",
    "(full_errors if full else truncated_errors)(net)": "truncated_errors(net)",
}  # fmt: skip


@pytest.mark.parametrize("line", BROKEN)
def test_the_gradient_check_fails_if_a_call_is_wrong(line):
    source = (ROOT / SCRIPT).read_text()
    assert source.count(line) == 1
    broken = load(SCRIPT, source.replace(line, BROKEN[line]))
    with np.errstate(all="ignore"):
        assert broken.main(["--gradcheck"]) == 1


# -------------------------------------------------------------------------------------------------- training


def ran(folder, *arguments):
    """A run in a folder: its results and its arrays."""
    assert lab.main([*map(str, arguments), "--out", str(folder)]) == 0
    with np.load(folder / "snapshots.npz") as arrays:
        return json.loads((folder / "results.json").read_text()), dict(arrays)


def weights(arrays, variant):
    """The parameters (S, P) of a variant in the arrays of a run."""
    found = [array for name, array in arrays.items() if name.startswith(f"{variant}/weights/")]
    return np.concatenate([array.reshape(len(array), -1) for array in found], axis=1)


@pytest.mark.parametrize("words", [
    "--peep --momentum 0.5 --clip 0.05", "--no-peep --gradient full --schedule cosine",
    "--peep --no-forget-gate --output logistic",
])  # fmt: skip
def test_training_is_that_of_a_plain_network(tmp_path, monkeypatch, words):
    monkeypatch.setattr(lab, "CHUNK", 4)
    words = [*SHORT, *words.split(), "--seeds", "3", "--steps", "6", "--lr", "0.05", "--dtype", "float64"]
    options, (results, arrays) = options_of(lab, *words), ran(tmp_path / "run", *words, "--eval-every", "3")
    (variant,), logistic, full = results["runs"], options.output == "logistic", options.gradient == "full"
    cell = lab.Cell(8, 1, options.peep, options.forget_gate)
    theta, losses, clipped = lab.init_theta(cell, options)[0], [], 0
    change = np.zeros_like(theta)
    for n in range(6):
        x, y = lab.make_batch(lab.stream(3, lab.TRAIN, n // 4), 4, options)
        x, y, p = x[:, 0, n % 4], y[:, n % 4], named(theta, cell)
        steps = plain_forward(p, cell.gates, x, logistic)
        losses.append(np.mean([(s.y - wanted) ** 2 for s, wanted in zip(steps, y)]))
        grad = plain_gradient(p, cell, steps, y, logistic, full)
        norm = np.linalg.norm(grad)
        if options.clip and norm > options.clip:
            grad, clipped = grad * options.clip / norm, clipped + 1
        rate = 0.05 * ((1 + math.cos(math.pi * n / 6)) / 2 if options.schedule == "cosine" else 1)
        change = options.momentum * change - rate * grad
        theta = theta + change
    assert np.allclose(weights(arrays, variant)[0], theta, rtol=0, atol=1e-12)
    assert np.abs(theta - lab.init_theta(cell, options)[0]).max() > 1e-3 and bool(clipped) == bool(options.clip)
    history = results["runs"][variant]["history"]
    assert history["step"] == [0, 3, 6]
    assert np.allclose(np.ravel(history["train_loss"][1:]), [np.mean(losses[:3]), np.mean(losses[3:])], rtol=1e-5)


@pytest.mark.parametrize("words", ["", "--gradient full --no-forget-gate", "--output logistic --dtype float64"])
def test_a_seed_is_the_same_alone_and_with_others(words, tmp_path):
    words = [*SHORT, *words.split(), "--steps", "40", "--eval-every", "20", "--clip", "1", "--seeds"]
    runs = {seeds: ran(tmp_path / seeds, *words, seeds) for seeds in ("4,0,9", "4", "0,9")}
    whole = runs["4,0,9"]
    for name in [name for name in whole[1] if "/weights/" in name]:
        assert (whole[1][name][:1] == runs["4"][1][name]).all() and (whole[1][name][1:] == runs["0,9"][1][name]).all()
    merged = runner.merge_values("runs", [runs[seeds][0]["runs"] for seeds in ("4", "0,9")], [[0], [1, 2]], 0)
    for variant in merged:
        merged[variant]["wall_clock_s"] = whole[0]["runs"][variant]["wall_clock_s"]
    assert merged == whole[0]["runs"]
    assert all((whole[1][name] == array).all() for name, array in runs["4"][1].items() if "/weights/" not in name)


def test_short_tasks_are_learned(tmp_path):
    words = "--T 9 --D-min 1 --D-max 2 --lr 0.02 --steps 3000 --seeds 1,2"
    results, _ = ran(tmp_path / "run", *words.split(), "--no-peep", "--eval-n", "64")
    history, final = (results["runs"]["vanilla"][name] for name in ("history", "final"))
    assert (np.array(history["train_loss"][-1]) < np.array(history["train_loss"][1])).all()
    assert min(final["solve_rate"]) > 0.9 > max(history["solve_rate"][0])
    assert final == {name: history[name][-1] for name in ("test_mse", "solve_rate")}


def test_a_seed_that_diverges_is_frozen(tmp_path):
    words = *SHORT, "--seeds", "3,4", "--no-peep", "--steps", "400", "--eval-every", "200"
    results, arrays = ran(tmp_path / "run", *words, "--lr", "5")
    run = results["runs"]["vanilla"]
    assert all(0 < at < 400 for at in run["diverged_at_step"]) and run["sequences_seen"] == run["diverged_at_step"]
    assert np.isfinite(weights(arrays, "vanilla")).all() and run["final"]["solve_rate"] == [None, None]


def test_one_seed_diverges_and_the_other_goes_on():
    options, cell = options_of(lab, *SHORT, "--seeds", "3,4"), lab.Cell()
    theta = lab.init_theta(cell, options)
    theta[1, 0] = np.nan
    start, alive, net = theta.copy(), np.ones(2, bool), lab.Network(cell, theta, options.T, 1)
    x, y = lab.draw_population(options, (lab.TRAIN, 0), 1)
    with np.errstate(all="ignore"):
        lab.update(net, theta, np.zeros_like(theta), x, y, options, 0, alive)
    assert alive.tolist() == [True, False] and (theta[0] != start[0]).any() and np.isfinite(theta[0]).all()
    assert np.array_equal(theta[1], start[1], equal_nan=True)


def test_first_reached():
    history = {"step": [0, 10, 20], "solve_rate": [[0, 0, 1], [0.99, 0.5, 0], [0, 0.98, 0]]}
    assert lab.first_reached(history, lab.SOLVED, 1) == [10, None, 0]


# ------------------------------------------------------------------------------------------------------ runs


@pytest.mark.parametrize("words", ["", "--no-forget-gate --output logistic --gradient full"])
def test_recorded_weights_rebuild_the_network(tmp_path, words):
    words = [*SHORT, *words.split(), "--seeds", "4,9", "--record", "9", "--steps", "60", "--eval-every", "60"]
    results, arrays = ran(tmp_path / "run", *words)
    gates, H, G = "oi" if "--no-forget-gate" in words else "oif", 8, 2 if "--no-forget-gate" in words else 3
    shapes = {"x": (24, 1, 4), "y": (24, 4), "output": (24, 4), "c": (24, H, 4), "weights/W": (2, (G + 1) * H, 10),
              "weights/V": (2, 1, H), "weights/b": (2, 1, 1)}  # fmt: skip
    wanted = {f"{variant}/{name}": shape for variant in results["runs"] for name, shape in shapes.items()}
    assert {name: array.shape for name, array in arrays.items()} == wanted | {"peephole/weights/peep": (2, G, H)}
    for variant in results["runs"]:
        W, V, b = (arrays[f"{variant}/weights/{name}"][1].astype(float) for name in "WVb")
        peep = arrays[f"{variant}/weights/peep"][1] if variant == "peephole" else np.zeros((G, H))
        p = SimpleNamespace(W=W, V=V[0], b=b[0, 0], peep=dict(zip(gates, peep)))
        for n in range(4):
            steps = plain_forward(p, gates, arrays[f"{variant}/x"][:, 0, n], "logistic" in words)
            assert np.allclose([s.y for s in steps], arrays[f"{variant}/output"][:, n], rtol=0, atol=1e-5)
            assert np.allclose([s.c for s in steps], arrays[f"{variant}/c"][:, :, n], rtol=1e-4, atol=1e-5)
            first, second = np.flatnonzero(arrays[f"{variant}/x"][:, 0, n])
            assert np.flatnonzero(arrays[f"{variant}/y"][:, n]) == [2 * second - first]


@pytest.mark.parametrize("arguments, words", [
    (["--resume"], "python3 -m studies run -- studies/timing_online.py"), (["--record", "30"], "30 is not one of"),
    (["--steps", "10", "--eval-every", "20"], "--eval-every: more than the 10 steps"),
    (["--gradient", "half"], "invalid choice"),
    (["--lr", "0"], "'0' is not a number above 0"), (["--seeds", "3-1"], "does not parse"),
    (["--momentum", "1"], "--momentum: a number of at least 0 and below 1"), (["--momentum", "nan"], "--momentum: "),
    (["--T", "100"], "the least is 2 * D_max + 1 = 121"), (["--D-min", "61"], "61 is more than --D-max 60"),
    (["--clip", "-1"], "'-1' is not a number above 0"), (["--forget-gate-bias", "inf"], "a finite number is wanted"),
    (["--peephole-std", "-1"], "--peephole-std: "), (["--output", "tanh"], "invalid choice"),
])  # fmt: skip
def test_wrong_options_end_with_status_2(arguments, words, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        lab.main([*arguments, "--out", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and words in error.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_folder_with_another_run_is_kept(tmp_path, capsys):
    words = [*SHORT, "--no-peep", "--seeds", "3", "--steps", "5", "--eval-every", "5", "--out", str(tmp_path)]
    assert lab.main(words) == 0
    with pytest.raises(SystemExit) as stop:
        lab.main([*words, "--lr", "0.5"])
    assert stop.value.code == 2 and "--force replaces it" in capsys.readouterr().err
    assert lab.main([*words, "--lr", "0.5", "--force"]) == 0


def test_folders_of_runs():
    assert options_of(lab).out == lab.HEADLINE == "results/timing_counting_spikes/online/headline"
    folder = "runs/timing_online/no-peep-gradient-full-lr-0.5"
    assert options_of(lab, "--lr", "0.5", "--no-peep", "--gradient", "full").out == folder
    assert options_of(lab, "--quick").out == "runs/timing_online/quick"


def test_a_run_from_the_command_line(call, tmp_path):
    done = call(SCRIPT, "--quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{SCRIPT}: truncated, --quick") and "estimated time: " in done.stdout
    folder = tmp_path / "runs" / "timing_online" / "quick"
    assert sorted(path.name for path in folder.iterdir()) == ["results.json", "snapshots.npz"]
    results = json.loads((folder / "results.json").read_text())
    assert results["schema"] == 1 and results["experiment"] == "timing_online" and results["seeds"] == [0, 1, 2]
    for run in results["runs"].values():
        assert run["history"]["step"] == [0, 200, 400, 600] and run["sequences_seen"] == [600] * 3
        assert np.shape(run["history"]["solve_rate"]) == (4, 3) and len(run["sequences_to_99"]) == 3
