"""Data movement: the measure against rules and a slow stack, programs against the scripts, questions and pictures."""

import json
import math
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import ROOT, load, options_of

import information_latching as latching
import lstm_1997
import multiplication_problem as multiplication
import temporal_order_3bit as temporal_order
import timing_counting_spikes as timing
from studies import bytedmd, data_movement
from studies.movement_programs import ORDERS, Net, Net97, training_step, training_step_97

T = 7

# ------------------------------------------------------------------------------------------------ the measure


@pytest.mark.parametrize("case", data_movement.by_hand(), ids=lambda case: case[0])
def test_depths_and_costs_are_those_worked_out_by_hand(case):
    _, program, reads, price, price4 = case
    for find in bytedmd.depths, bytedmd.slow_depths:
        found = find(program)
        assert [depth for depth in found.ravel().tolist() if depth] == reads and bytedmd.cost(found).sum() == price
        assert price4 in (None, bytedmd.cost(found, 4).sum())


def test_depths_of_random_programs_are_those_of_a_slow_stack():
    rng = np.random.default_rng(1)
    programs = [data_movement.random_program(rng) for _ in range(300)]
    assert any((program.reads[:, 0] == program.reads[:, 1]).any() for program in programs), "an input occurs twice"
    for program in programs:
        np.testing.assert_array_equal(bytedmd.depths(program), bytedmd.slow_depths(program))


def test_an_input_that_occurs_twice_is_paid_twice_and_moves_once():
    program = bytedmd.Program([3], np.array([(0, 0), (1, 3)]), [0])  # the stack: 0 below 1; 2 is never read
    assert bytedmd.depths(program).tolist() == [[2, 2], [3, 1]]


def test_cost_is_the_rounded_root_of_the_depth_of_each_byte():
    assert bytedmd.cost([0, 1, 2, 4, 5, 9, 10]).tolist() == [0, 1, 2, 2, 3, 3, 4]
    by_byte = [sum(math.ceil(math.sqrt(byte)) for byte in range(4 * d - 3, 4 * d + 1)) for d in range(1, 50)]
    assert bytedmd.cost(np.arange(1, 50), 4).tolist() == by_byte
    n = np.array([2**52 - 1, 2**52, 2**52 + 1])
    assert bytedmd.ceil_sqrt(n).tolist() == [math.isqrt(int(k) - 1) + 1 for k in n]


def test_earlier_with_no_smaller_counts():
    values = np.random.default_rng(2).integers(0, 20, 200)
    expected = [int((values[:k] >= value).sum()) for k, value in enumerate(values)]
    assert bytedmd.earlier_with_no_smaller(values).tolist() == expected


def test_the_check_fails_if_a_depth_is_wrong(monkeypatch, capsys):
    assert data_movement.main(["--check"]) == 0
    assert "1000 of 1000 random programs" in capsys.readouterr().out
    right = bytedmd.depths
    monkeypatch.setattr(data_movement, "depths", lambda program: right(program) + (right(program) > 3))
    assert data_movement.main(["--check"]) == 1


# ---------------------------------------------------------------------------------------------- the programs


@pytest.mark.parametrize("order", ["ijs", "jis", "sij", "isj", "jsi", "sji"])
def test_contract_computes_the_product_in_any_order(order):
    rng = np.random.default_rng(0)
    A, B, C = (rng.standard_normal(shape) for shape in ((2, 3), (4, 3), (2, 1)))
    machine = bytedmd.Machine()
    left, right, start = (machine.argument(name, *of.shape) for name, of in zip("ABC", (A, B, C)))
    product = bytedmd.contract(left, right, order=order)
    more = bytedmd.contract(left, right, start, order)
    values = machine.run(A, B, C)
    np.testing.assert_allclose(values[product.number], A @ B.T)
    np.testing.assert_allclose(values[more.number], C + A @ B.T)


def in_program(module, theta, shapes):
    """Parameters (1, P) of a script as arguments of a program: the bias is no column of W."""
    of = module.views(theta, shapes)
    found = {"W": of.W[0][:, :-1], "b": of.W[0][:, -1:], "V": of.V[0], "c": of.b[0]}
    return found | ({"peep": of.peep[0][..., None]} if "peep" in shapes else {})


def temporal_order_case(B, rng, *words):
    options = options_of(temporal_order, "--seeds", 0, "--dtype", "float64", *words)
    kind = "rnn" if "rnn" in words else "lstm"
    cell = temporal_order.Cell(kind=kind, hidden=options.hidden, forget_gate=options.forget_gate and kind == "lstm")
    gates = ("ifo" if cell.forget_gate else "io") if kind == "lstm" else ""
    symbols, labels = rng.integers(0, 8, (T, 1, B)).astype(np.uint8), rng.integers(0, 4, (1, B))
    x = (symbols == np.arange(8)[:, None]).astype(float)
    return SimpleNamespace(
        module=temporal_order, options=options, cell=cell, net=Net(cell.hidden, 8, 4, gates, readout="softmax"),
        batch=(symbols, labels), x=x, target=labels == np.arange(4)[:, None], clip=temporal_order.CLIP,
        adam=(temporal_order.learning_rate(options, 0), 0.9, options.beta2, 1e-8),
    )  # fmt: skip


def multiplication_case(B, rng, *words):
    options = options_of(multiplication, "--seeds", 0, "--dtype", "float64", *words)
    cell = multiplication.Cell(hidden=options.hidden, forget_gate=options.forget_gate)
    x, target = rng.standard_normal((T, 2, 1, B)), rng.random((1, B))
    return SimpleNamespace(
        module=multiplication, options=options, cell=cell,
        net=Net(cell.hidden, 2, 1, "oif" if cell.forget_gate else "oi"), batch=(x, target), x=x, target=target,
        clip=multiplication.CLIP, adam=(multiplication.learning_rate(options, 0), 0.9, multiplication.BETA2, 1e-8),
    )  # fmt: skip


def timing_case(B, rng, variant, *words):
    options = options_of(timing, "--seeds", 0, "--dtype", "float64", *words)
    cell = timing.Cell(options.hidden, 1, variant == "peephole", options.forget_gate)
    x, target = rng.standard_normal((T, 1, 1, B)), rng.random((T, 1, B))
    net = Net(cell.hidden, 1, 1, "oif" if cell.forget_gate else "oi", cell.peephole, "linear")
    return SimpleNamespace(
        module=timing, options=options, cell=cell, net=net, batch=(x, target), x=x, target=target, clip=options.clip,
        adam=(timing.learning_rate(options, 0), 0.9, timing.BETA2, 1e-8),
    )  # fmt: skip


def latching_case(B, rng, kind, *words):
    options = options_of(latching, "--seeds", 0, "--dtype", "float64", *words)
    cell = latching.Cell(kind, 1, T, "sigmoid" not in words)
    x, labels = rng.standard_normal((T, 1, B)), rng.integers(0, 2, (1, B))
    net = Net(1, 1, 2, {"srnn": "", "lstm": "ifo", "lstm-1997": "io"}[kind], readout="softmax", hard=cell.hard)
    epsilon = latching.EPSILON / math.sqrt(1 - latching.BETA2)
    return SimpleNamespace(
        module=latching, options=options, cell=cell, net=net, batch=(x, labels), x=x,
        target=labels == np.arange(2)[:, None], clip=None, adam=(options.lr, 0.9, latching.BETA2, epsilon),
    )  # fmt: skip


CASES = {
    "temporal order": (temporal_order_case,),
    "temporal order, forget gates": (temporal_order_case, "--forget-gate"),
    "temporal order, RNN": (temporal_order_case, "--cells", "rnn"),
    "multiplication": (multiplication_case,),
    "multiplication of 1997": (multiplication_case, "--no-forget-gate"),
    "timing, peepholes": (timing_case, "peephole"),
    "timing, no peepholes": (timing_case, "vanilla"),
    "timing, peepholes, no forget gates": (timing_case, "peephole", "--no-forget-gate"),
    "latching, simple unit": (latching_case, "srnn"),
    "latching, LSTM": (latching_case, "lstm"),
    "latching, LSTM of 1997, logistic": (latching_case, "lstm-1997", "--gates", "sigmoid"),
}


@pytest.mark.parametrize("name", CASES)
def test_programs_compute_what_the_scripts_compute(name):
    (make, *words), rng = CASES[name], np.random.default_rng(0)
    for B in (1, 2):
        case = make(B, rng, *words)
        theta = 0.5 * rng.standard_normal((1, case.cell.P))
        before = in_program(case.module, theta.copy(), case.cell.shapes)
        script_net, alive = case.module.Network(case.cell, theta, T, B), np.ones(1, bool)
        case.module.update(script_net, case.module.Adam(theta), *case.batch, case.options, alive)
        after = in_program(case.module, theta, case.cell.shapes)
        for order in ORDERS:
            machine, new = training_step(case.net, T, B, order, clip=case.clip, adam=case.adam)
            zeros = [np.zeros(shape) for shape in [(case.net.H, B)] * 2]
            moments = [np.zeros(shape) for shape in case.net.shapes.values() for _ in "mv"]
            parameters = [before[key] for key in case.net.shapes]
            values = machine.run(*parameters, *zeros, case.x, case.target, *moments)
            for key in case.net.shapes:
                np.testing.assert_allclose(values[new[key].number], after[key].ravel(), rtol=0, atol=1e-10)
        if "temporal" not in name or B > 1:
            continue
        for order in ORDERS:
            symbols = case.batch[0][:, 0, 0]
            machine, new = training_step(case.net, T, order=order, symbols=symbols, clip=case.clip, adam=case.adam)
            values = machine.run(*parameters, *zeros, [0], case.target, *moments)
            for key in case.net.shapes:
                np.testing.assert_allclose(values[new[key].number], after[key].ravel(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["1-4", "1-5", "2c-1", "3a-1", "4-1", "6a", "6b"])
@pytest.mark.parametrize("gradient", ["truncated", "forward", "full"])
def test_programs_of_1997_compute_what_the_script_computes(name, gradient):
    rng, row = np.random.default_rng(0), lstm_1997.ROWS[name]
    of_script = "full" if gradient == "full" else "truncated"
    row = lstm_1997.replace(row, reading=row.reading._replace(gradient=of_script))
    kind, net = row.kind, Net97(row.kind.blocks, row.kind.per_block, row.kind.inputs, row.kind.outputs)
    theta = 0.5 * rng.standard_normal((1, len(row.present))) * row.present

    def parameters(theta):
        of = {key: value[0] for key, value in vars(lstm_1997.views(theta.copy(), kind.shapes)).items()}
        return of | {"I": of["I"].T}

    before, has = parameters(theta), parameters(row.present[None])
    batch = lstm_1997.draw(row, [3], lstm_1997.RECORD, n=1)
    batch.x, batch.length = batch.x[:T], np.full_like(batch.length, T)
    target, is_symbol = batch.target[:, 0], batch.x.ndim == 3
    if row.every_step:
        batch.target = batch.target[:T]
        target = batch.target == np.arange(kind.outputs)[:, None]
    lstm_1997.update(lstm_1997.Network(row, theta, T), batch, kind.rate, row.present)
    after, H, n = parameters(theta), net.H, net.blocks
    rows = {"all": slice(None), "in": slice(0, n + H), "out": slice(n + H, None)}
    if gradient == "forward" and row.every_step:
        with pytest.raises(AssertionError, match="an error at the end"):
            training_step_97(net, T, gradient, every_step=True)
        return
    for symbols in (None, batch.x[:, 0, 0]) if is_symbol else (None,):
        x = (batch.x == np.arange(kind.inputs)[:, None]) if is_symbol else batch.x[:, :, 0]
        inputs = [x] if symbols is None else []
        machine, new = training_step_97(net, T, gradient, symbols, row.every_step, lr=kind.rate)
        zeros = np.zeros((H + 2 * n, 1)), np.zeros((H, 1))
        values = machine.run(*(before[key] for key in net.shapes), *zeros, *inputs, target)
        found = {key: value.copy() for key, value in before.items()}
        for key, of in new.items():
            name, group, *symbol = (key, "all") if isinstance(key, str) else key
            place = (rows[group], symbol) if symbol else rows[group]
            found[name][place] = values[of.number]
        for key in found:  # the program has all weights and biases
            np.testing.assert_allclose(found[key] * has[key], after[key] * has[key], rtol=0, atol=1e-12)


def test_a_skipped_step_leaves_outputs_states_and_gradients_as_they_are():
    net, rng = Net(2, 3, 2, "io", readout="softmax"), np.random.default_rng(0)
    x, target, skipped = rng.standard_normal((T, 3, 1)), np.array([[1.0], [0]]), {2, 5}
    parameters = [rng.standard_normal(shape) for shape in net.shapes.values()]
    rest = [np.zeros(shape) for shape in net.shapes.values() for _ in "mv"]
    found = []
    for steps, leave in (range(T), skipped), ([t for t in range(T) if t not in skipped], None):
        machine, new = training_step(net, len(steps), skipped=leave)
        values = machine.run(*parameters, *np.zeros((2, 2, 1)), x[list(steps)], target, *rest)
        found.append(np.concatenate([values[new[key].number].ravel() for key in net.shapes]))
    np.testing.assert_allclose(*found)
    machine, new = training_step(net, T, skipped=set(range(T)))
    assert "W" not in new and machine.n > 0


# --------------------------------------------------------------------------------------- questions, pictures


def test_the_sizes_are_those_of_the_headlines():
    labs = {"temporal": temporal_order, "multiplication": multiplication, "timing,": timing, "latching,": latching}
    steps_of = {
        temporal_order: lambda options: [options.T], multiplication: lambda options: [options.T_max],
        timing: lambda options: [options.T], latching: lambda options: options.lengths,
    }  # fmt: skip
    for name, (net, steps) in data_movement.NETS.items():
        lab = labs[name.split()[0]]
        options = options_of(lab)
        assert net.H == options.hidden and steps in steps_of[lab](options), name
    kind = lstm_1997.ROWS["6a"].kind
    assert data_movement.NET_6A == Net97(kind.blocks, kind.per_block, kind.inputs, kind.outputs)


def test_kinds_phases_and_steps_add_up():
    net, steps = Net(2, 3, 1, "oif", True, "linear"), 5
    found = data_movement.step_of(net, steps)
    for phase, kinds in found["kinds"].items():
        assert sum(price for _, price in kinds.values()) == found["cost"][phase]
        assert set(kinds) <= set(data_movement.KINDS)
    assert sum(reads for kinds in found["kinds"].values() for reads, _ in kinds.values()) == found["reads"]
    forward, P = found["kinds"]["forward"], sum(math.prod(shape) for shape in net.shapes.values())
    assert forward["weights"][0] == steps * P, "each parameter once at every step"
    assert forward["states of the step before"][0] == steps * 3 * net.H, "f, p_i and p_f times c_{t-1}"
    assert found["kinds"]["update"]["moments"][0] == 4 * P, "m and v, twice each"


def test_a_network_without_a_bound_runs_as_in_the_script():
    options = options_of(temporal_order, "--seeds", 3)
    cell = temporal_order.Cell(kind="lstm", hidden=options.hidden, forget_gate=False)
    theta = np.random.default_rng(0).standard_normal((1, cell.P)).astype(np.float32)
    ((symbols, labels), *_) = temporal_order.held_out(options)
    net = temporal_order.Network(cell, theta, len(symbols), symbols.shape[2], backward=False)
    classes = temporal_order.forward(net, symbols).argmax(axis=1)[0]
    weights = [getattr(temporal_order.views(theta, cell.shapes), key)[0] for key in "WVb"]
    left_out, right = data_movement.run_with_skips(*weights, symbols[:, 0], labels[0], 0)
    assert not left_out.any() and (right == (classes == labels[0])).mean() > 0.99
    assert data_movement.run_with_skips(*weights, symbols[:, 0], labels[0], 1)[0].all()


def test_committed_costs_are_those_of_the_programs():
    found = json.loads((ROOT / "results" / "data_movement" / "results.json").read_text())
    net, steps = data_movement.NETS["temporal order, LSTM"]
    fresh = {
        ("networks", "temporal order, LSTM"): data_movement.step_of(net, steps) | {"T": steps},
        ("networks", "row 1-5 of 1997, truncated"): data_movement.row_of_1997("1-5"),
        ("lengths", "timing, with peepholes", "10"): data_movement.step_of(
            data_movement.NETS["timing, with peepholes"][0], 10
        ),
        ("sizes", "1"): data_movement.step_of(Net(1, 8, 4, "io", readout="softmax"), steps),
        ("orders", "weight by weight", "2"): data_movement.step_of(net, steps, 2, "weight by weight"),
    }
    for path, step in fresh.items():
        committed = found
        for key in path:
            committed = committed[key]
        assert committed == json.loads(temporal_order.to_json(step)), path
    assert list(found["orders"]) == list(ORDERS)
    bounds = found["skipping"]["bounds"]
    assert list(map(float, bounds)) == [0, *data_movement.BOUNDS]
    left_out = np.array([of["distractors"] for of in bounds.values()])
    assert not left_out[0].any() and left_out[-1].min() > 0.5


def test_the_command_writes_the_questions_that_are_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data_movement, "QUESTIONS", {"sizes": lambda: {"1": 2}, "orders": lambda: {"3": 4}})
    assert data_movement.main(["sizes", "--out", str(tmp_path)]) == 0
    assert data_movement.main(["orders", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert (found["sizes"], found["orders"], found["experiment"]) == ({"1": 2}, {"3": 4}, "data_movement")
    with pytest.raises(SystemExit):
        data_movement.main(["nonsense"])


def test_the_renderer_says_what_is_wrong(tmp_path, call):
    done = call("visualize/data_movement.py", "--run", tmp_path)
    assert done.returncode == 1 and "to make it: python3 -m studies.data_movement" in done.stderr
    (tmp_path / "results.json").write_text('{"experiment": "other", "schema": 1}')
    done = call("visualize/data_movement.py", "--run", tmp_path)
    assert done.returncode == 1 and "of other" in done.stderr and len(done.stderr.splitlines()) == 1


def test_pictures_show_every_kind_and_network():
    module, found = load("visualize/data_movement.py"), json.loads(
        (ROOT / "results" / "data_movement" / "results.json").read_text())  # fmt: skip
    assert set(module.KINDS) == set(data_movement.KINDS) - {"moments", "values of the update"}
    with plt.rc_context():
        plt.style.use(ROOT / "visualize" / "lab.mplstyle")
        figures = [draw(found) for draw in (module.what_is_read, module.growth, module.skipping)]
    median = figures[2].axes[0].lines[30].get_ydata()
    for place, bound in zip(median, data_movement.BOUNDS):
        of = found["skipping"]["bounds"][str(bound)]
        assert place == np.median(50 * np.add(of["first_half"], of["second_half"]))
    for figure in figures:
        plt.close(figure)
