"""The networks of the scripts as programs of scalar instructions: one training step, in the order of the equations.

training_step: networks whose cells have their own gates, of temporal_order_3bit.py, multiplication_problem.py,
timing_counting_spikes.py and information_latching.py, with backpropagation through time and Adam. training_step_97: the
networks of lstm_1997.py with output gates. The programs compute what the scripts compute, to
rounding. W has no column for the bias here; biases b and c are (rows, 1). Arrays are (rows, B); the rows of W are those
of the scripts: gate by gate, then g.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from studies.bytedmd import Machine, Numbers, contract, joined, total


@dataclass(frozen=True)
class Net:
    """A network of one of the scripts, with cells that have their own gates.

    H cells or units, D inputs, O outputs. gates: the rows of W before those of g, in order; "" for a tanh RNN.
    readout: "softmax" or "logistic" at the last step, or "linear" at every step. hard: gates are Keras's hard_sigmoid.
    """

    H: int
    D: int
    O: int
    gates: str = "oif"
    peephole: bool = False
    readout: str = "logistic"
    hard: bool = False

    @property
    def shapes(self):
        R = self.H * (len(self.gates) + 1)
        shapes = {"W": (R, self.H + self.D), "b": (R, 1), "V": (self.O, self.H), "c": (self.O, 1)}
        return shapes | ({"peep": (len(self.gates), self.H, 1)} if self.peephole else {})

    def squash(self, z):
        """A gate with net input z."""
        return z.apply("hard") if self.hard else sigma(z)

    def slope(self, y):
        """The derivative of a gate with value y."""
        return y.apply("hard slope") if self.hard else y * (1 - y)

    def rows(self, cells):
        """The rows of W of some cells, gate by gate."""
        return (self.H * np.arange(len(self.gates) + 1)[:, None] + cells).ravel()


# The order of a step. Whether the cells are computed one after the other, with all their gates, or all cells gate by
# gate; and the loops of the products, over rows i, sequences j and sources s: forward, backward, weight gradients.
ORDERS = {
    "gate by gate": (False, "jis", "jis", "sij"),  # for each sequence, row after row of W
    "cell by cell": (True, "jis", "jis", "sij"),
    "column by column": (False, "jsi", "jsi", "sji"),
    "weight by weight": (False, "isj", "isj", "ijs"),  # all sequences, before the next weight is read
}


def training_step(net, T, B=1, order="gate by gate", symbols=None, skipped=None, clip=1.0,
                  adam=(1e-3, 0.9, 0.999, 1e-8)):  # fmt: skip
    """The program of a training step: forward, backward through time, clipping and Adam's first update.

    net: see Net. B sequences of T steps go through the network side by side. order: see ORDERS. symbols (T,): if given,
    inputs are one-hot, and a step of the one sequence adds a column of W in place of a product with its input; the
    gradient of a column that no step used is one number, 0. skipped: None, or the steps at which only the input gates
    are computed and compared with a bound; h and c stay. The other steps compare theirs, too. clip: the largest norm of
    the gradient, or None. adam: learning rate, beta1, beta2, epsilon.

    Returns the machine and the results {name: Numbers}: the new parameters and moments. The order of the arguments: the
    parameters, h and c before the first step (H, B), inputs x (T, D, B), or (1,), 0, if there are symbols, targets (O,
    B) or, with outputs at every step, (T, O, B), and Adam's moments m and v of each parameter.
    """
    machine, H, every, (cells_first, *loops) = Machine(), net.H, net.readout == "linear", ORDERS[order]
    groups = np.arange(H)[:, None] if cells_first else [np.arange(H)]
    p = {name: machine.argument("weights", *shape) for name, shape in net.shapes.items()}
    h, c = (machine.argument(tag, H, B) for tag in ("outputs of cells", "states"))
    x = machine.argument("inputs", *((T, net.D, B) if symbols is None else (1,)))
    target = machine.argument("inputs", *(T,) * every, net.O, B)
    moments = {name: [machine.argument("moments", *shape) for _ in "mv"] for name, shape in net.shapes.items()}
    W = p["W"] if symbols is None else p["W"][:, :H]
    steps, outputs = {}, {}
    for t in range(T):
        machine.mark("forward", t)
        v, column = (joined(h, x[t]), None) if symbols is None else (h, p["W"][:, H + symbols[t]][:, None])
        if t in (skipped or ()):
            rows = net.gates.index("i") * H + np.arange(H)
            compared(sigma(net_inputs(W, v, p["b"], column, rows, loops[0])))
            continue
        steps[t] = [forward_step(net, p, W, v, column, c, cells, loops[0]) for cells in groups]
        if skipped is not None:
            compared(joined(*(part.i for part in steps[t])))
        h, c = (joined(*(getattr(part, name) for part in steps[t])) for name in "hc")
        machine.tag("outputs of cells", h), machine.tag("states", c)
        if every:
            outputs[t] = readout(net, contract(p["V"], h.T, p["c"], loops[0])), h  # V h_t + c
    last = max(steps, default=T - 1)
    if not every:
        outputs[last] = readout(net, contract(p["V"], h.T, p["c"], loops[0])), h  # V h_T + c
    d, dh, dc, columns = {name: [None] * len(groups) for name in p}, None, None, {}
    d["V"] = d["c"] = None
    for t in sorted({*steps, last}, reverse=True):
        machine.mark("backward", t)
        if t in outputs:
            dz = readout_error(net, outputs[t][0], target[t] if every else target, B)
            d["V"] = machine.tag("gradients", contract(dz, outputs[t][1], d["V"], loops[2]))
            d["c"] = machine.tag("gradients", plus(d["c"], over_batch(dz)))
            dh = plus(dh, contract(p["V"].T, dz.T, order=loops[1]))  # V^T dz
        if t not in steps:  # all steps are skipped
            break
        dh_before, dc_before = None, []
        for k, (cells, step) in enumerate(zip(groups, steps[t])):
            dz, dc_of_cells = backward_step(net, p, d, k, step, cells, dh[cells], dc and dc[cells])
            d["W"][k] = machine.tag("gradients", contract(dz, step.v, d["W"][k], loops[2]))  # dz_t v_t^T
            d["b"][k] = machine.tag("gradients", plus(d["b"][k], over_batch(dz)))
            if symbols is not None:
                key = k, int(symbols[t])
                columns[key] = machine.tag("gradients", plus(columns.get(key), dz))
            dc_before.append(dc_of_cells)
            if t > min(steps):
                dh_before = contract(p["W"][net.rows(cells), :H].T, dz.T, dh_before, loops[1])  # W_h^T dz_t
        dh, dc = dh_before, joined(*dc_before) if net.gates else None
    machine.mark("update")
    if not steps:
        return machine, update({name: p[name] for name in "Vc"}, d, moments, clip, adam)
    rows = [net.rows(cells) for cells in groups]
    places = np.argsort(np.concatenate(rows))  # of the rows of W in those of d
    d["W"], d["b"] = (joined(*d[name])[places] for name in "Wb")
    if symbols is not None:
        whole = np.full(p["W"].number.shape, x.number[0])  # 0, but for the columns that were used
        whole[:, :H] = d["W"].number
        for (k, symbol), of in columns.items():
            whole[rows[k], H + symbol] = of.number[:, 0]
        d["W"] = Numbers(machine, whole)
    if net.peephole:
        d["peep"] = joined(*(of.transpose(1, 0, 2) for of in d["peep"])).transpose(1, 0, 2)
    return machine, update(p, d, moments, clip, adam)


def net_inputs(W, v, b, column, rows, loop):
    """Net inputs of some rows: W v + b, and the column of the symbol."""
    z = contract(W[rows], v.T, b[rows], loop)
    return z if column is None else z + column[rows]


def forward_step(net, p, W, v, column, c_before, cells, loop):
    """A step of some cells from c_{t-1} (H, B): the values that backward needs. v, column: see net_inputs."""
    z = net_inputs(W, v, p["b"], column, net.rows(cells), loop)
    if not net.gates:
        return SimpleNamespace(v=v, h=tanh(z), c=c_before[cells])
    c_before, n = c_before[cells], len(cells)
    of = {name: z[k * n : (k + 1) * n] for k, name in enumerate(net.gates + "g")}
    peep = {name: p["peep"][k, cells] for k, name in enumerate(net.gates)} if net.peephole else {}
    gate, g = {}, tanh(of["g"])
    for name in net.gates.replace("o", ""):
        gate[name] = net.squash(of[name] + peep[name] * c_before if peep else of[name])  # + p c_{t-1}
    carried = gate["f"] * c_before if "f" in gate else c_before  # f c_{t-1}
    c = carried + gate["i"] * g  # f c_{t-1} + i g
    o = net.squash(of["o"] + peep["o"] * c if peep else of["o"])  # + p_o c_t
    squashed = tanh(c)
    return SimpleNamespace(v=v, h=o * squashed, c=c, c_before=c_before, squashed=squashed, g=g, o=o, **gate)


def compared(gates):
    """The largest of some gates minus a bound."""
    largest, *others = gates
    for other in others:
        largest = largest.apply("max", other)
    return largest - 0.5  # any constant


def backward_step(net, p, d, k, step, cells, dh, dc):
    """dz of the rows of some cells, and dc_{t-1}, from dh_t and dc_t (None for 0), the errors of the steps after.

    Adds the gradients of the peepholes to d["peep"][k], (gates, cells, 1).
    """
    if not net.gates:
        return dh * (1 - step.h * step.h), None  # dh (1 - h^2)
    peep, dz = {name: p["peep"][j, cells] for j, name in enumerate(net.gates)} if net.peephole else {}, {}
    dz["o"] = dh * step.squashed * net.slope(step.o)  # dh tanh(c) o (1 - o)
    dc = plus(dc, dh * step.o * (1 - step.squashed * step.squashed))  # dc + dh o (1 - tanh(c)^2)
    if peep:
        dc = dc + peep["o"] * dz["o"]  # + p_o dz_o
    dz["i"] = dc * step.g * net.slope(step.i)  # dc g i (1 - i)
    dz["g"] = dc * step.i * (1 - step.g * step.g)  # dc i (1 - g^2)
    dc_before = dc
    if "f" in net.gates:
        dz["f"] = dc * step.c_before * net.slope(step.f)  # dc c_{t-1} f (1 - f)
        dc_before = dc * step.f
    if peep:
        of = [over_batch(dz[name] * (step.c if name == "o" else step.c_before)) for name in net.gates]
        of = plus(d["peep"][k], joined(*of).reshape(len(of), len(cells), 1))  # dp = sum dz c
        d["peep"][k] = of.machine.tag("gradients", of)
        for name in net.gates.replace("o", ""):
            dc_before = dc_before + peep[name] * dz[name]  # + p dz
    return joined(*(dz[name] for name in net.gates + "g")), dc_before


def readout(net, z):
    """Outputs (O, B) of net inputs z (O, B)."""
    if net.readout == "linear":
        return z
    if net.readout == "logistic":
        return sigma(z)
    e = z.apply("exp")
    return e / total(e)


def readout_error(net, y, target, B):
    """The error of the net inputs of outputs y: of the squared error (logistic), of half of it (linear), of the
    cross-entropy (softmax); an average over B sequences."""
    dz = y - target
    if net.readout == "logistic":
        dz = dz * 2 * (y * (1 - y))
    return dz * (1 / B) if B > 1 else dz


def plus(before, more):
    """before + more; before may be None, for 0."""
    return more if before is None else before + more


def over_batch(x):
    """The sums (rows, 1) of x (rows, B) over sequences."""
    return total(x.T)[:, None]


def sigma(z):
    return z.apply("sigma")


def tanh(z):
    return z.apply("tanh")


def update(p, d, moments, clip, adam):
    """Clipping of the gradient d and an update of the parameters p by Adam. Returns {name: the new parameters}."""
    lr, beta1, beta2, epsilon = adam
    flat = {name: d[name].reshape(-1) for name in p}
    if clip:
        square = total(joined(*(total(of * of)[None] for of in flat.values())))
        scale = clip / square.apply("sqrt").apply("max", clip)  # clip / max(|d|, clip)
        flat = {name: of * scale for name, of in flat.items()}
    new = {}
    for name, grad in flat.items():
        m, v = (moment.reshape(-1) for moment in moments[name])
        m = m + (grad - m) * (1 - beta1)
        v = v + (grad * grad - v) * (1 - beta2)
        root = (v * (1 / (1 - beta2))).apply("sqrt") + epsilon
        new[name] = p[name].reshape(-1) - m * (lr / (1 - beta1)) / root
        new[name, "m"], new[name, "v"] = m, v
    return new


# The network of 1997 with its truncated gradient


@dataclass(frozen=True)
class Net97:
    """A network of lstm_1997.py with output gates: blocks of per_block cells, D inputs, O outputs. See Row there."""

    blocks: int
    per_block: int
    D: int
    O: int

    @property
    def H(self):
        return self.blocks * self.per_block

    @property
    def shapes(self):
        U = self.H + 2 * self.blocks
        return {"R": (U, U), "I": (U, self.D), "b": (U, 1), "V": (self.O, self.H), "c": (self.O, 1)}


def training_step_97(net, T, gradient="truncated", symbols=None, every_step=False, lr=0.5, ranges=(1, 2)):
    """The program of an update of the network of 1997 on one sequence; see training_step.

    gradient: "truncated", as in lstm_1997.py: the errors of the states reach earlier steps unchanged, so no error goes
    back through units. "forward", the same gradient as in the appendix of the paper: derivatives of the states with
    respect to the weights are summed on the way, so no value of an earlier step is read again; only with an error at
    the end. "full": backpropagation through time, also through gates and the inputs of cells. symbols (T,): if given,
    inputs are one-hot, and as in lstm_1997.py a step reads one column of I. every_step: there is an error at every
    step, not only at the end. The cost is half the squared error, the update is plain gradient descent. The order of
    the arguments: the parameters, outputs of units (U, 1) and states (H, 1) before the first step, inputs (T, D, 1) if
    there are no symbols, targets (O, 1), or (T, O, 1). ranges: of h and of g.
    """
    machine, H, n, loops = Machine(), net.H, net.blocks, ORDERS["gate by gate"][1:]
    p = {name: machine.argument("weights", *shape) for name, shape in net.shapes.items()}
    U, cells, gate = H + 2 * n, slice(n, n + H), np.arange(H) % n  # gate: the block of each cell
    y, s = machine.argument("outputs of cells", U, 1), machine.argument("states", H, 1)
    x = machine.argument("inputs", T, net.D, 1) if symbols is None else None
    target = machine.argument("inputs", *(T,) * every_step, net.O, 1)
    assert gradient != "forward" or not every_step, "sums forward in time are for an error at the end"
    steps, outputs, traces, W = [], {}, Traces97(machine, symbols, loops[2]), p["R"]
    if x:
        W = joined(p["R"].T, p["I"].T).T
    for t in range(T):
        machine.mark("forward", t)
        v = joined(y, x[t]) if x else y  # y_{t-1}, x_t
        z = contract(W, v.T, p["b"], loops[0])  # R y + b, and I^T x
        z = z if x else z + p["I"][:, symbols[t]][:, None]
        y_in, y_out, a = sigma(z[:n]), sigma(z[n + H :]), tanh(z[cells] * 0.5)
        g = a * ranges[1]  # g(net_c)
        s = machine.tag("states", s + y_in[gate] * g)  # s + y_in g
        h = tanh(s * 0.5)  # h(s) / h_range
        y = machine.tag("outputs of cells", joined(y_in, y_out[gate] * (h * ranges[0]), y_out))  # y_c = y_out h(s)
        steps.append(SimpleNamespace(v=v, y_cell=y[cells], y_in=y_in, y_out=y_out, a=a, g=g, h=h))
        if every_step or t == T - 1:
            outputs[t] = sigma(contract(p["V"], y[cells].T, p["c"], loops[0]))  # sigma(V y_c + c)
        if gradient == "forward":
            traces.add(t, state_slopes(steps[-1], gate, ranges), v)
    d, ds, dnet = Gradients97(machine, symbols, loops[2]), None, None
    for t in range(T - 1, T - 2 if gradient == "forward" else -1, -1):
        machine.mark("backward", t)
        step, dy, dy_units = steps[t], None, None
        if t in outputs:
            dz = (outputs[t] - (target[t] if every_step else target)) * (outputs[t] * (1 - outputs[t]))
            d.add("V", contract(dz, step.y_cell, d.of.get("V"), loops[2]), dz)
            dy = contract(p["V"].T, dz.T, order=loops[1]) * ranges[0]  # h_range V^T dz
        if gradient == "full" and dnet:
            dy_units = contract(p["R"].T, dnet.T, order=loops[1])  # R^T dnet_{t+1}
            dy = plus(dy, dy_units[cells] * ranges[0])
        if dy:
            ds = plus(ds, dy * step.y_out[gate] * (0.5 - 0.5 * (step.h * step.h)))  # + y_out h'(s) dy_c
            dy_out = over_cells(step.h * dy, net)  # the sum of h(s) dy_c
            dy_out = dy_out + dy_units[n + H :] if dy_units else dy_out
            dnet_out = dy_out * (step.y_out * (1 - step.y_out))
        if gradient == "forward":
            traces.into(d, ds, net)
            d.add_units("out", dnet_out, step.v, t)
            break
        of_in, of_cell = state_slopes(step, gate, ranges)
        dnet_in, dnet_cell = over_cells(of_in * ds, net), of_cell * ds
        if dy_units:
            dnet_in = dnet_in + dy_units[:n] * (step.y_in * (1 - step.y_in))
        if gradient == "full":
            dnet = joined(dnet_in, dnet_cell, dnet_out)
            d.add_units("all", dnet, step.v, t)
        else:
            d.add_units("in", joined(dnet_in, dnet_cell), step.v, t)
            if dy:
                d.add_units("out", dnet_out, step.v, t)
    machine.mark("update")
    rows = {"all": slice(0, U), "in": slice(0, n + H), "out": slice(n + H, U)}
    new = {"V": p["V"] - d.of["V"] * lr, "c": p["c"] - d.bias["V"] * lr}
    for name in [name for name in d.of if name != "V"]:
        new["R", name] = p["R"][rows[name]] - d.of[name][:, :U] * lr
        new["b", name] = p["b"][rows[name]] - d.bias[name] * lr
        if x:
            new["I", name] = p["I"][rows[name]] - d.of[name][:, U:] * lr
    for (name, symbol), of in d.columns.items():
        new["I", name, symbol] = p["I"][rows[name], symbol][:, None] - of * lr
    return machine, new


class Gradients97:
    """Gradients of a network of 1997 that are summed over steps, by groups of units; "V" has those of the outputs.

    of: {group: of the weights from v}; bias: {group: of the biases}; columns: {(group, symbol): of a column of I}.
    """

    def __init__(self, machine, symbols, loop):
        self.machine, self.symbols, self.loop = machine, symbols, loop
        self.of, self.bias, self.columns = {}, {}, {}

    def add(self, name, total, dz):
        """Set the sum of the gradients of a group's weights, and add dz to that of its biases."""
        self.of[name] = self.machine.tag("gradients", total)
        self.bias[name] = self.machine.tag("gradients", plus(self.bias.get(name), dz))

    def add_units(self, name, dnet, v, t):
        """Add dnet v^T of step t, and dnet to the column of its symbol."""
        self.add(name, contract(dnet, v, self.of.get(name), self.loop), dnet)
        if self.symbols is not None:
            key = name, int(self.symbols[t])
            self.columns[key] = self.machine.tag("gradients", plus(self.columns.get(key), dnet))


class Traces97:
    """Derivatives of the states with respect to the weights of their input gates and cells, summed forward in time.

    of, bias: with respect to weights from v, and to biases, for input gates and for cells; columns: {symbol: the same
    for a column of I}.
    """

    def __init__(self, machine, symbols, loop):
        self.machine, self.symbols, self.loop = machine, symbols, loop
        self.of, self.bias, self.columns = [None, None], [None, None], {}

    def add(self, t, slopes, v):
        """Add the derivatives of step t. slopes: see state_slopes."""
        for k, slope in enumerate(slopes):
            self.of[k] = self.machine.tag("gradients", contract(slope, v, self.of[k], self.loop))
            self.bias[k] = self.machine.tag("gradients", plus(self.bias[k], slope))
            if self.symbols is not None:
                column = self.columns.setdefault(int(self.symbols[t]), [None, None])
                column[k] = self.machine.tag("gradients", plus(column[k], slope))

    def into(self, d, ds, net):
        """Add the gradients of input gates and cells to d, for the errors ds of the states at the end."""

        def of_units(pair):
            return joined(over_cells(pair[0] * ds, net), pair[1] * ds)

        d.add("in", of_units(self.of), of_units(self.bias))
        for symbol, pair in self.columns.items():
            d.columns["in", symbol] = of_units(pair)


def state_slopes(step, gate, ranges):
    """ds/dnet of the input gate and of the input of each cell at a step, (H, 1) each."""
    y_in = step.y_in[gate]
    of_in = step.g * (step.y_in * (1 - step.y_in))[gate]  # g y_in (1 - y_in)
    return of_in, y_in * (0.5 * ranges[1] - (0.5 * ranges[1]) * (step.a * step.a))  # y_in g'(net_c)


def over_cells(x, net):
    """Sums (blocks, ...) of x (H, ...) over the cells of each block."""
    result = x[: net.blocks]
    for k in range(1, net.per_block):
        result = result + x[k * net.blocks : (k + 1) * net.blocks]
    return result
