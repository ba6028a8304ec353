"""The contestants of the benchmarks: a training step of an experiment's network, in NumPy and in other libraries.

A contestant trains the networks of one case for S seeds. It uses the batches and the recipe of the experiment: forward,
backward, clipping of each seed's gradient by its norm, Adam.

    ours             the script itself, by its function update
    PyTorch fused    nn.LSTM or nn.RNN, nn.Linear, clip_grad_norm_, Adam(fused=True); one seed after another. If
                     PyTorch has no such network, it is the nearest one, with forget gates and without peepholes. (On
                     this kind of machine nn.LSTM is one call with its own backward pass; nn.RNN contains a loop.)
    PyTorch by hand  the cell's equations, automatic differentiation, Adam(fused=True); all seeds in one product
    JAX              the same equations in lax.scan, the whole step compiled by jit, vmap over seeds
    C                limit.c: forward and backward only, one seed after another

disagreement measures the difference between a contestant and ours with the same cell. All run on one core.
"""

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))


def pin():
    """Keep this process and its children on one core, so that no library runs several threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def environment():
    """The environment record of the scripts. dirty: benchmarks or scripts differ from the commit."""
    found = CASES["temporal order, LSTM"].module.environment()
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "benchmarks", ":(glob)*.py"], cwd=HERE.parent,
                             capture_output=True)  # fmt: skip
    versions = {name: version(name) for name in ("torch", "jax") if importlib.util.find_spec(name)}
    return found | {"dirty": None if found["dirty"] is None else changed.returncode != 0} | versions


@dataclass(frozen=True)
class Case:
    """Networks of one kind with the sizes of an experiment's headline. T, B and H can be changed."""

    script: str
    T: int
    B: int = 32
    H: int = 8
    variant: tuple = ()  # the arguments of the script's Cell

    @cached_property
    def module(self):
        return importlib.import_module(self.script)

    @cached_property
    def cell(self):
        sizes = {"hidden": self.H} | ({"blocks": self.H} if self.script == "temporal_order_3bit" else {})
        return self.module.Cell(**dict(self.variant), **sizes)

    @property
    def D(self):
        return getattr(self.module, "D", 1)

    @property
    def O(self):
        return getattr(self.module, "O", 1)

    def options(self, S):
        """The options of the script for seeds 0 to S - 1."""
        words = ["--seeds", f"0-{S - 1}", "--batch", self.B, "--hidden", self.H]
        if self.script == "multiplication_problem":
            words += ["--T-min", self.T, "--T-max", self.T]
        else:
            words += ["--T", self.T]
        if self.script == "timing_counting_spikes" and self.T < 150:  # a sequence must have room for two distances
            words += ["--D-min", 2, "--D-max", self.T // 3]
        return self.module.parse_options([str(word) for word in words])[0]

    def draw(self, options, chunk):
        """Inputs and targets of a chunk of training batches for all seeds. The last axis has all batches."""
        m, n = self.module, self.module.CHUNK * self.B
        if self.script == "temporal_order_3bit":
            return m.draw_population(options, (m.TRAIN, chunk), self.B, n)[:2]
        if self.script == "multiplication_problem":
            pairs, marked = m.draw_population(options.seeds, (m.TRAIN, chunk), np.full(n, self.T))
            return pairs, m.TARGETS[options.task](marked)
        return m.draw_population(options, m.training_key(options, chunk), n)


CASES = {
    "temporal order, LSTM": Case("temporal_order_3bit", T=50, H=4, variant=(("kind", "lstm"),)),
    "temporal order, RNN": Case("temporal_order_3bit", T=50, H=4, variant=(("kind", "rnn"),)),
    "multiplication": Case("multiplication_problem", T=30),
    "timing, peephole": Case("timing_counting_spikes", T=150, variant=(("peephole", True),)),
    "timing, vanilla": Case("timing_counting_spikes", T=150, variant=(("peephole", False),)),
}


class Contestant:
    """S networks of a case in training. They start from the initial state of the script.

    A subclass has step_on(x, y), one training step, and gradient_of(x, y), the gradient (S, P) without clipping. needs:
    the package that it imports, or None. fits(cell): whether it has such a network.
    """

    needs = None
    whole_step = True

    def __init__(self, case, S, cell=None, options=None, state=None):
        self.case, self.S, self.cell, self.module = case, S, cell or case.cell, case.module
        self.options = options or case.options(S)
        self.state = state or self.module.Adam(self.module.init_theta(self.cell, self.options))
        self.steps, self.chunk = self.state.step, None
        self.clip = getattr(self.options, "clip", None) or getattr(self.module, "CLIP", np.inf)
        self.beta2 = getattr(self.options, "beta2", None) or self.module.BETA2
        self.set_up()

    @classmethod
    def fits(cls, cell):
        return True

    def set_up(self):
        pass

    def batch(self, k):
        """Batch k of the chunk, as views: inputs (T, [D,] S, B) and targets ([T,] S, B)."""
        chunk, k = divmod(k, self.module.CHUNK)
        if chunk != self.chunk:
            self.chunk, self.drawn = chunk, self.case.draw(self.options, chunk)
        return [array[..., k * self.case.B : (k + 1) * self.case.B] for array in self.drawn]

    def rate(self):
        m, options = self.module, self.options
        return m.learning_rate(options, self.steps) if hasattr(m, "learning_rate") else options.lr

    def epsilon(self):
        keras = getattr(self.module, "EPSILON", None)  # Keras adds it to the root of the uncorrected moment
        return keras / (1 - self.beta2 ** (self.steps + 1)) ** 0.5 if keras else 1e-8

    def step(self):
        """One training step: batch, forward, backward, clipping, Adam."""
        self.step_on(*self.batch(self.steps))
        self.steps += 1

    def finish(self):
        """Wait until all computations have ended."""

    def theta(self):
        """The parameters, (S, P), in the script's order."""
        return self.state.theta.copy()


class Ours(Contestant):
    name = "ours"

    def set_up(self):
        self.net = self.module.Network(self.cell, self.state.theta, self.case.T, self.case.B)
        self.alive = np.ones(self.S, bool)

    def step_on(self, x, y):
        self.module.update(self.net, self.state, x, y, self.options, self.alive)

    def gradient_of(self, x, y):
        m, net, B = self.module, self.net, self.case.B
        loss = getattr(m, "cross_entropy", None) or m.squared_error
        _, d_out = loss(m.forward(net, x), y)
        m.backward(net, *([len(x)] if y.ndim == 2 else []), d_out / B)
        return net.grad


class OursWithoutUpdate(Ours):
    """Forward and backward only, as in the C loop."""

    name = "ours, forward and backward"
    whole_step = False

    def set_up(self):
        super().set_up()
        self.fixed = self.batch(0)

    def step(self):
        self.gradient_of(*self.fixed)


# --------------------------------------------------------------------------------------------- the equations


def split(theta, shapes):
    """Named parts of parameters theta (..., P), in the order of shapes."""
    named, start = {}, 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        named[name] = theta[..., start:stop].reshape(*theta.shape[:-1], *shape)
        start = stop
    return named


def by_seed(x):
    """Inputs in the order of the peers, (T, S, [D,] B), from inputs of the scripts, (T, [D,] S, B)."""
    return x.swapaxes(1, 2) if x.ndim == 4 else x


def to_features(case, x):
    """Inputs (T, ..., D, B) from inputs of by_seed. Symbols (T, ..., B) become one-hot vectors."""
    if case.script == "temporal_order_3bit":
        return x[..., None, :] == np.arange(case.D)[:, None]
    return x[..., None, :] if case.script == "information_latching" else x


def lstm_step(cell, rows, c, peep, sigmoid, tanh):
    """h and c from the net inputs, (..., H, B) for each gate and g, and from the previous c. For PyTorch and JAX.

    peep: the peephole weights (..., H, 1) of each gate, or None.
    """
    row = dict(zip(cell.gates + "g", rows))
    weight = dict(zip(cell.gates, peep)) if peep else {}

    def gate(name, c):
        return sigmoid(row[name] + weight[name] * c if weight else row[name])

    kept = gate("f", c) * c if "f" in row else c
    c = kept + gate("i", c) * tanh(row["g"])
    return gate("o", c) * tanh(c), c


def seed_axis(y):
    return y.ndim - 2


# --------------------------------------------------------------------------------------------------- PyTorch


class TorchByHand(Contestant):
    name = "PyTorch by hand"
    needs = "torch"

    def set_up(self):
        import torch

        torch.set_num_threads(1)
        self.torch = torch
        theta = self.state.theta[0] if self.S == 1 else self.state.theta
        self.parameters = torch.tensor(theta, requires_grad=True)
        self.adam = torch.optim.Adam([self.parameters], betas=(0.9, self.beta2), eps=1e-8, fused=True)

    def loss(self, x, y):
        torch, case, cell, x = self.torch, self.case, self.cell, by_seed(x)
        if self.S == 1:
            x, y = x[:, 0], y.squeeze(seed_axis(y))
        x, y = torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.ascontiguousarray(y))
        if case.script == "temporal_order_3bit":
            x = x[..., None, :] == torch.arange(case.D, dtype=torch.uint8)[:, None]
        elif case.script == "information_latching":
            x = x[..., None, :]
        p, H = split(self.parameters, cell.shapes), cell.hidden
        W_h, inputs = p["W"][..., :H], p["W"][..., H:-1] @ x.float() + p["W"][..., -1:]
        product = torch.addmm if self.S == 1 else torch.baddbmm
        sigmoid = (lambda z: (0.2 * z + 0.5).clamp(0, 1)) if getattr(cell, "hard", False) else torch.sigmoid
        peep = p["peep"][..., None].unbind(-3) if "peep" in p else None
        h = c = torch.zeros(*inputs.shape[1:-2], H, case.B)
        outputs = []
        for z in inputs.unbind(0):
            z = product(z, W_h, h)
            if not cell.gates:
                h = torch.tanh(z)
            else:
                h, c = lstm_step(cell, z.unflatten(-2, (-1, H)).unbind(-3), c, peep, sigmoid, torch.tanh)
            outputs.append(h)
        return self.torch_loss(p["V"], p["b"], outputs, y)

    def torch_loss(self, V, b, outputs, y):
        if self.case.script == "timing_counting_spikes":
            error = (V @ self.torch.stack(outputs) + b)[..., 0, :] - y
            return 0.5 * error.square().sum() / self.case.B
        out = V @ outputs[-1] + b
        if self.case.script == "multiplication_problem":
            return (self.torch.sigmoid(out[..., 0, :]) - y).square().sum() / self.case.B
        return self.torch.nn.functional.cross_entropy(out.movedim(-2, 1) if self.S > 1 else out.T, y,
                                                      reduction="sum") / self.case.B  # fmt: skip

    def step_on(self, x, y):
        self.adam.zero_grad()
        self.loss(x, y).backward()
        grad = self.parameters.grad
        if self.clip < np.inf:
            grad.mul_(self.clip / grad.norm(dim=-1, keepdim=True).clamp(min=self.clip))
        self.adam.param_groups[0]["lr"], self.adam.param_groups[0]["eps"] = self.rate(), self.epsilon()
        self.adam.step()

    def gradient_of(self, x, y):
        self.adam.zero_grad()
        self.loss(x, y).backward()
        return self.parameters.grad.numpy().reshape(self.S, -1).copy()

    def theta(self):
        return self.parameters.detach().numpy().reshape(self.S, -1).copy()


class TorchFused(Contestant):
    name = "PyTorch fused"
    needs = "torch"

    def __init__(self, case, S, cell=None, **given):
        super().__init__(case, S, self.nearest(cell or case.cell), **given)

    @staticmethod
    def nearest(cell):
        """The cell itself, or the nearest cell for which PyTorch has a fused network."""
        if not cell.gates:
            return cell
        return replace(cell, forget_gate=True, **({"peephole": False} if hasattr(cell, "peephole") else {}))

    def set_up(self):
        import torch

        torch.set_num_threads(1)
        self.torch, H, gates = torch, self.cell.hidden, self.cell.gates + "g"
        self.rows = np.concatenate(
            [gates.index(gate) * H + np.arange(H) for gate in ("ifgo" if len(gates) > 1 else "g")]
        )
        self.networks = []
        for theta in self.state.theta:
            p = split(theta, self.cell.shapes)
            recurrent = (torch.nn.LSTM if len(gates) > 1 else torch.nn.RNN)(self.case.D, H)
            read_out = torch.nn.Linear(H, self.case.O)
            W = p["W"][self.rows]
            values = W[:, H:-1], W[:, :H], W[:, -1], np.zeros(len(W), W.dtype), p["V"], p["b"][:, 0]
            parameters = [*recurrent.parameters(), *read_out.parameters()]
            for parameter, value in zip(parameters, values):
                parameter.data.copy_(torch.from_numpy(np.ascontiguousarray(value)))
            parameters[3].requires_grad_(False)  # PyTorch's second bias is not needed
            del parameters[3]
            adam = torch.optim.Adam(parameters, betas=(0.9, self.beta2), eps=1e-8, fused=True)
            self.networks.append((recurrent, read_out, parameters, adam))

    def losses(self, x, y):
        """The losses of the networks, one seed after another."""
        torch, case, F, x = self.torch, self.case, self.torch.nn.functional, by_seed(x)
        if case.script == "temporal_order_3bit":
            x = torch.eye(case.D)[torch.from_numpy(x.transpose(1, 0, 2).astype(np.int64))]  # (S, T, B, D)
        else:
            x = torch.from_numpy(np.ascontiguousarray(x.transpose(1, 0, 3, 2), np.float32))
        y = torch.from_numpy(np.ascontiguousarray(np.moveaxis(y, seed_axis(y), 0)))
        for x_s, y_s, (recurrent, read_out, _, _) in zip(x, y, self.networks):
            h, _ = recurrent(x_s)
            if case.script == "timing_counting_spikes":
                yield 0.5 * (read_out(h)[..., 0] - y_s).square().sum() / case.B
            elif case.script == "multiplication_problem":
                yield F.mse_loss(torch.sigmoid(read_out(h[-1])[:, 0]), y_s)
            else:
                yield F.cross_entropy(read_out(h[-1]), y_s)

    def step_on(self, x, y):
        for loss, (_, _, parameters, adam) in zip(self.losses(x, y), self.networks):
            adam.zero_grad()
            loss.backward()
            self.torch.nn.utils.clip_grad_norm_(parameters, self.clip)
            adam.param_groups[0]["lr"] = self.rate()
            adam.step()

    def in_our_order(self, values):
        flat = np.zeros((self.S, self.cell.P), np.float32)
        for row, (W_x, W_h, bias, V, b) in zip(flat, values):
            p = split(row, self.cell.shapes)
            p["W"][self.rows] = np.column_stack([W_h, W_x, bias])
            p["V"][...], p["b"][:, 0] = V, b
        return flat

    def gradient_of(self, x, y):
        for loss, (_, _, _, adam) in zip(self.losses(x, y), self.networks):
            adam.zero_grad()
            loss.backward()
        return self.in_our_order([[p.grad.numpy() for p in parameters] for _, _, parameters, _ in self.networks])

    def theta(self):
        return self.in_our_order([[p.detach().numpy() for p in parameters] for _, _, parameters, _ in self.networks])


# ------------------------------------------------------------------------------------------------------- JAX


class Jax(Contestant):
    name = "JAX"
    needs = "jax"

    def set_up(self):
        import jax

        self.jax, jnp, case, cell, clip, beta2 = jax, jax.numpy, self.case, self.cell, self.clip, self.beta2
        ragged = getattr(self.options, "T_min", case.T) < case.T
        every_h = case.script == "timing_counting_spikes" or ragged
        hard = getattr(cell, "hard", False)
        sigmoid = (lambda z: jnp.clip(0.2 * z + 0.5, 0, 1)) if hard else jax.nn.sigmoid

        def loss(theta, x, y, last):  # one seed: theta (P,), x (T, [D,] B); last: the answer's step
            p, H = split(theta, cell.shapes), cell.hidden
            x = to_features(case, x).astype(theta.dtype)
            W_h, inputs = p["W"][:, :H], p["W"][:, H:-1] @ x + p["W"][:, -1:]

            peep = list(p["peep"][..., None]) if "peep" in p else None

            def step(carry, z):
                h, c = carry
                z = z + W_h @ h
                if not cell.gates:
                    h = jnp.tanh(z)
                else:
                    rows, squash = z.reshape(-1, H, case.B), sigmoid
                    if peep is None:  # one sigmoid for all gates
                        rows, squash = [*sigmoid(z[:-H]).reshape(-1, H, case.B), z[-H:]], lambda gate: gate
                    h, c = lstm_step(cell, rows, c, peep, squash, jnp.tanh)
                return (h, c), h if every_h else None

            zeros = jnp.zeros((H, case.B), theta.dtype)
            (h, _), outputs = jax.lax.scan(step, (zeros, zeros), inputs)
            if case.script == "timing_counting_spikes":
                return 0.5 * jnp.square((p["V"] @ outputs + p["b"])[:, 0] - y).sum() / case.B
            out = p["V"] @ (outputs[last] if every_h else h) + p["b"]
            if case.script == "multiplication_problem":
                return jnp.square(jax.nn.sigmoid(out[0]) - y).mean()
            return -jnp.take_along_axis(jax.nn.log_softmax(out, axis=0), y[None], axis=0).mean()

        def training_step(theta, m, v, x, y, last, rate, number, epsilon):
            grad = jax.grad(loss)(theta, x, y, last)
            if clip < np.inf:
                grad = grad * (clip / jnp.maximum(jnp.linalg.norm(grad), clip))
            m, v = m + 0.1 * (grad - m), v + (1 - beta2) * (grad * grad - v)
            root = jnp.sqrt(v / (1 - beta2**number)) + epsilon
            return theta - rate / (1 - 0.9**number) * m / root, m, v

        gradient = jax.grad(loss)
        if self.S > 1:
            of_y = 1 if case.script == "timing_counting_spikes" else 0
            training_step = jax.vmap(training_step, in_axes=(0, 0, 0, 1, of_y, None, None, None, None))
            gradient = jax.vmap(gradient, in_axes=(0, 1, of_y, None))
        self.compiled, self.gradient = jax.jit(training_step, donate_argnums=(0, 1, 2)), jax.jit(gradient)
        theta = self.state.theta[0] if self.S == 1 else self.state.theta
        self.trained = tuple(jnp.array(array) for array in (theta, 0 * theta, 0 * theta))

    def data(self, x, y):
        """The arguments of the compiled functions. Shorter sequences are padded, so one compilation is enough."""
        x, last = by_seed(x), len(x) - 1
        if len(x) < self.case.T:
            x = np.concatenate([x, np.zeros((self.case.T - len(x), *x.shape[1:]), x.dtype)])
        return (x[:, 0], y.squeeze(seed_axis(y)), last) if self.S == 1 else (x, y, last)

    def step_on(self, x, y):
        self.trained = self.compiled(*self.trained, *self.data(x, y), self.rate(), self.steps + 1.0, self.epsilon())

    def finish(self):
        self.jax.block_until_ready(self.trained)

    def gradient_of(self, x, y):
        return np.asarray(self.gradient(self.trained[0], *self.data(x, y))).reshape(self.S, -1)

    def theta(self):
        return np.array(self.trained[0]).reshape(self.S, -1)


# --------------------------------------------------------------------------------------------------------- C


def build(flags, macros, library):
    """Compile limit.c. Returns whether this succeeded."""
    sizes = [f"-D{name}={value}" for name, value in macros.items()]
    command = ["gcc", *flags, "-fPIC", "-shared", *sizes, str(HERE / "limit.c"), "-o", str(library), "-lmvec", "-lm"]
    return subprocess.run(command, capture_output=True).returncode == 0


@cache
def compiler_works():
    """Whether gcc can compile the loop with tanh from libmvec."""
    macros = {"T": 2, "B": 32, "D": 1, "H": 4, "O": 1, "READOUT": 2, "ROW_I": 0, "ROW_O": 1, "ROW_G": 2}
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "limit.so"
        made = shutil.which("gcc") is not None and build(Limit.flags, macros, library)
        return made and re.search(rb"_ZGV\w+_tanhf", library.read_bytes()) is not None


class Limit(Contestant):
    name = "C, forward and backward"
    whole_step = False
    flags = ("-O3", "-march=native", "-ffast-math")

    @classmethod
    def fits(cls, cell):
        return bool(cell.gates) and not getattr(cell, "peephole", False) and compiler_works()

    def set_up(self):
        case, cell = self.case, self.cell
        readout = {"temporal_order_3bit": 0, "multiplication_problem": 1, "timing_counting_spikes": 2}[case.script]
        sizes = {"T": case.T, "B": case.B, "D": case.D, "H": cell.hidden, "O": case.O, "READOUT": readout}
        rows = {f"ROW_{name.upper()}": k for k, name in enumerate(cell.gates + "g")}
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "limit.so"
            if not build(self.flags, sizes | rows, library):
                raise RuntimeError(f"gcc cannot compile limit.c with {sizes | rows}")
            self.run = ctypes.CDLL(str(library)).training_step
        self.run.restype = ctypes.c_float
        self.grad = np.zeros_like(self.state.theta)
        self.prepare(*self.batch(0))

    def prepare(self, x, y):
        x = np.ascontiguousarray(np.moveaxis(to_features(self.case, by_seed(x)), 1, 0), np.float32)
        y = np.ascontiguousarray(np.moveaxis(y, seed_axis(y), 0), np.float32)
        self.held = x, y
        self.pointers = [
            [array.ctypes.data_as(ctypes.c_void_p) for array in arrays]
            for arrays in zip(self.state.theta, x, y, self.grad)
        ]

    def step(self):
        for arrays in self.pointers:
            self.run(*arrays)

    def gradient_of(self, x, y):
        self.prepare(x, y)
        self.step()
        return self.grad


class WideLimit(Limit):
    name = "C, 512-bit vectors"
    flags = (*Limit.flags, "-mprefer-vector-width=512")

    @classmethod
    def fits(cls, cell):
        cpu = Path("/proc/cpuinfo")
        return super().fits(cell) and cpu.exists() and "avx512f" in cpu.read_text()


CONTESTANTS = (Ours, TorchFused, TorchByHand, Jax, OursWithoutUpdate, Limit, WideLimit)


def available():
    """The contestants that can run here, and the missing packages of the others."""
    missing = sorted({c.needs for c in CONTESTANTS if c.needs and importlib.util.find_spec(c.needs) is None})
    return [c for c in CONTESTANTS if c.needs not in missing], missing


def disagreement(contestant, steps=3):
    """The difference between a contestant and ours: the larger of two relative errors, over all seeds.

    The first is of the gradient of the first batch: the largest difference divided by the largest gradient. The second
    is of the parameters after some training steps, if the contestant trains: the norm of the difference divided by the
    norm of the change. This function trains the contestant.
    """
    ours = Ours(contestant.case, contestant.S, contestant.cell)
    wanted, got = ours.gradient_of(*ours.batch(0)).copy(), contestant.gradient_of(*contestant.batch(0))
    error = float(np.abs(got - wanted).max() / np.abs(wanted).max())
    if not contestant.whole_step:
        return error
    before = ours.theta()
    for _ in range(steps):
        ours.step()
        contestant.step()
    change, difference = ours.theta() - before, contestant.theta() - ours.theta()
    return max(error, float(np.linalg.norm(difference) / np.linalg.norm(change)))
