"""A step of lstm_1997.py's headline, row 6a, in PyTorch and in JAX: one sequence for each trial, truncated gradient.

Truncated means: outputs of units that a unit receives count as inputs (detach, stop_gradient), so errors flow back only
through the cell states. The script removes trials that have met their rule. For JAX their places are padded, so the
step is compiled once.
"""

from contestants import np, split


def sizes(row):
    """The numbers of gates of one kind, of cells and of all units, and the gate of each cell."""
    blocks, H = row.kind.blocks, row.kind.H
    return blocks, H, 2 * blocks + H, np.tile(np.arange(blocks), row.kind.per_block)


RANGES = {"equations": (1, 2), "caption": (2, 1)}  # of h and g


def step_of_units(row, net, s, tanh, sigmoid, concatenate):
    """Outputs of all units (..., U) and states (..., H), from net inputs (..., U) and the previous states."""
    (blocks, H, _, gate), (h_range, g_range) = sizes(row), RANGES[row.reading.ranges]
    y_in, y_out = sigmoid(net[..., :blocks]), sigmoid(net[..., blocks + H :])
    s = s + y_in[..., gate] * g_range * tanh(net[..., blocks : blocks + H] / 2)
    return concatenate([y_in, y_out[..., gate] * h_range * tanh(s / 2), y_out], -1), s


class Jax:
    name = "JAX"

    def __init__(self, row, S, T):
        import jax

        jax.config.update("jax_enable_x64", True)  # the script's default
        jnp, (blocks, H, U, _) = jax.numpy, sizes(row)
        self.S, self.T = S, T

        def cost(theta, x, end, target):  # for one trial: theta (P,), x (T,) symbols, target (O,)
            p = split(theta, row.kind.shapes)
            inputs = p["I"][x] + p["b"][:, 0]

            def step(carry, given):
                y, s = step_of_units(row, given + p["R"] @ jax.lax.stop_gradient(carry[0]), carry[1],
                                     jnp.tanh, jax.nn.sigmoid, jnp.concatenate)  # fmt: skip
                return (y, s), y[blocks : blocks + H]

            _, cells = jax.lax.scan(step, (jnp.zeros(U), jnp.zeros(H)), inputs)
            y = jax.nn.sigmoid(p["V"] @ cells[end] + p["c"][:, 0])
            return 0.5 * jnp.square(target - y).sum(), (y, target - y)

        def update(theta, x, end, target, rate, present):
            grad, (y, e) = jax.grad(cost, has_aux=True)(theta, x, end, target)
            return theta - rate * present * grad, y, e

        self.compiled = jax.jit(jax.vmap(update, in_axes=(0, 1, 0, 1, None, None)))

    def update(self, theta, x, end, target, rate, present):
        """New parameters, outputs (O, S) and errors (O, S)."""
        S, T = len(theta), len(x)
        fill = np.arange(self.S) % S
        x = np.pad(x, ((0, self.T - T), (0, 0)))[:, fill]
        theta, y, e = self.compiled(theta[fill], x, end[fill], target[:, fill], rate, present)
        return np.asarray(theta)[:S], np.asarray(y)[:S].T, np.asarray(e)[:S].T


class Torch:
    name = "PyTorch"

    def __init__(self, row, S, T):
        import torch

        torch.set_num_threads(1)
        self.torch, self.row = torch, row

    def update(self, theta, x, end, target, rate, present):
        torch, row, (blocks, H, U, _) = self.torch, self.row, sizes(self.row)
        theta = torch.from_numpy(theta).requires_grad_()
        p, S = split(theta, row.kind.shapes), len(theta)
        inputs = p["I"][torch.arange(S), torch.from_numpy(x.astype(np.int64))] + p["b"][..., 0]  # (T, S, U)
        y, s, cells = theta.new_zeros(S, U), theta.new_zeros(S, H), []
        for given in inputs.unbind(0):
            z = torch.baddbmm(given[..., None], p["R"], y.detach()[..., None])[..., 0]
            y, s = step_of_units(row, z, s, torch.tanh, torch.sigmoid, torch.cat)
            cells.append(y[:, blocks : blocks + H])
        last = torch.stack(cells)[torch.from_numpy(end), torch.arange(S)]
        y = torch.sigmoid((p["V"] @ last[..., None])[..., 0] + p["c"][..., 0])
        e = torch.from_numpy(np.ascontiguousarray(target.T)) - y
        (0.5 * e.square().sum()).backward()
        with torch.no_grad():
            theta -= rate * torch.from_numpy(present) * theta.grad
        return theta.detach().numpy(), y.detach().numpy().T, e.detach().numpy().T


def replace_update(module, kind):
    """Make lstm_1997.py train with the steps of a peer. Exits if the first step differs from the script's own."""
    own, made = module.update, []

    def update(net, batch, rate, present):
        end, target = (
            batch.length[:, 0] - 1,
            batch.target[0, :, :, 0] if batch.target.ndim == 4 else batch.target[..., 0],
        )
        first = not made
        if first:
            assert net.row.kind.output_gates and batch.x.ndim == 3 and not net.row.every_step, "only for rows like 6a"
            made.append(kind(net.row, len(net.theta), 112))
        before = net.theta.copy()
        theta, y, e = made[0].update(
            net.theta.copy(), batch.x[..., 0], end, target, net.theta.dtype.type(rate), present
        )
        if first:
            own(net, batch, rate, present)
            error = np.linalg.norm(theta - net.theta) / np.linalg.norm(net.theta - before)
            if not error < 1e-4:
                raise SystemExit(f"{kind.name} computes something else: a change of parameters is off by {error:.1e}")
        net.theta[...] = theta
        return y[None], e[None]

    module.update = update


PEERS = {"JAX": Jax, "PyTorch": Torch}
