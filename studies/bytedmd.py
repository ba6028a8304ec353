"""The measure of data movement ByteDMD, and a machine that writes programs of scalar instructions.

Values live in a stack, the least recently used at the bottom. An element has b bytes. To read an element
costs ceil(sqrt(d)) for each of its bytes, where d is the depth of the byte in the stack, from 1 at the top. Computing
and writing cost nothing, and neither do constants. The rules, as the program of github.com/cybertronai/ByteDMD has them
(commit 2cc2a62):

- Before the start, arguments are pushed from the last to the first, each one's elements in order.
- An instruction prices all its inputs in the stack as it was before; an input that occurs twice is paid twice. Then its
  distinct inputs move to the top in the order of reading, and its output is pushed.
- A value that no later instruction reads leaves the stack at once, and what is below moves up. Results live to the end.
"""

import math
from collections import namedtuple

import numpy as np

# ------------------------------------------------------------------------------------------------ the measure

# A program of N instructions. arguments: the sizes of the arguments, in order. Their elements have the numbers 0, 1 and
# so on in order; the output of instruction i has the number (sum of arguments) + i. reads (N, 2): the numbers of the
# inputs of each instruction, -1 for a constant and where there is no second input. results: numbers of values that live
# to the end.
Program = namedtuple("Program", "arguments reads results")


def depths(program):
    """The depths of all reads, in elements from 1 at the top: (N, 2), 0 where there is no read.

    A touch is a moment at which an element comes to the top: its push, or a read. It is recorded if the element is read
    again or is a result; from then until its next read the element is at the depth of this touch. The depth is the
    number of elements whose touches are not older and that are still alive: all that are alive, without those that are
    older and alive. Touch k' is older and alive when touch k is read next if k' < k and its next read is not earlier.
    So the depth needs one count for each touch, of the earlier touches with a later (or the same) next read.
    """
    n_arguments, reads = sum(program.arguments), np.asarray(program.reads).reshape(-1, 2)
    n = len(reads)
    # All touches in order: of arguments as they are pushed; then, for each instruction, of its inputs and its output.
    ends = np.cumsum(program.arguments)
    pushed = [np.arange(end - size, end) for end, size in zip(ends, program.arguments)][::-1]
    repeated = reads[:, 0] == reads[:, 1]  # an input that occurs twice moves to the top once
    rows = np.column_stack([reads[:, 0], np.where(repeated, -1, reads[:, 1]), n_arguments + np.arange(n)])
    element = np.concatenate([*pushed, rows.ravel()]) if n_arguments else rows.ravel()
    when = np.concatenate([np.full(n_arguments, -1), np.repeat(np.arange(n), 3)])  # the instruction of each touch
    is_read = np.concatenate([np.zeros(n_arguments, bool), np.tile([True, True, False], n)])
    real = element >= 0
    element, when, is_read = element[real], when[real], is_read[real]
    # The next read of each touch: the next touch of the same element.
    by_element = np.argsort(element, kind="stable")
    same = element[by_element[1:]] == element[by_element[:-1]]
    follows = np.full(len(element), -1)  # the touch at the next read, -1 if there is none
    follows[by_element[:-1][same]] = by_element[1:][same]
    read_next = np.where(follows >= 0, when[follows], n)  # the instruction of the next read, n if there is none
    lives = (follows >= 0) | np.isin(element, program.results)
    kept = np.flatnonzero(lives)
    when_kept, next_kept = when[kept], read_next[kept]
    # Alive before instruction i: touches of earlier instructions, without those whose next read was earlier.
    pushes, reads_before = (np.searchsorted(np.sort(of), np.arange(n)) for of in (when_kept, next_kept))
    alive = pushes - reads_before
    older = earlier_with_no_smaller(next_kept)
    of_touch = np.zeros(len(element), int)  # the depth at which the next read finds the touch
    found = next_kept < n
    of_touch[kept[found]] = alive[next_kept[found]] - older[found]
    of_read = np.zeros(len(element), int)
    of_read[follows[kept[found]]] = of_touch[kept[found]]
    result = np.zeros((n, 2), int)
    places = np.flatnonzero(is_read)
    columns = np.tile([0, 1], n)[(rows[:, :2] >= 0).ravel()]
    result[when[places], columns] = of_read[places]
    result[repeated & (reads[:, 0] >= 0), 1] = result[repeated & (reads[:, 0] >= 0), 0]
    return result


def earlier_with_no_smaller(values):
    """For each of values (n,): how many earlier ones are not smaller. O(n log n), bit by bit from the highest.

    At each bit, values that agree in all higher bits form a group, in the order of the array. An earlier value of the
    group with bit 1 is larger than a value with bit 0.
    """
    n = len(values)
    rank = np.empty(n, int)  # distinct: of equal values the earlier ranks higher
    rank[np.lexsort((-np.arange(n), values))] = np.arange(n)
    count, order, n_bits = np.zeros(n, int), np.arange(n), max(1, n - 1).bit_length()
    for bit in range(n_bits - 1, -1, -1):
        ranks = rank[order]
        ones = (ranks >> bit) & 1
        before = np.cumsum(ones) - ones  # ones before, in the whole array
        group = ranks >> (bit + 1)
        first = np.flatnonzero(np.diff(group, prepend=-1))  # where groups start: they are in ascending order
        size = np.diff(np.append(first, n))
        start, before_group = np.repeat(first, size), np.repeat(before[first], size)
        ones_before = before - before_group
        count[order] += np.where(ones == 0, ones_before, 0)
        zeros = np.repeat(np.add.reduceat(1 - ones, first), size)
        place = np.where(ones == 0, np.arange(n) - ones_before, start + zeros + ones_before)
        order[place] = order.copy()
    return count


def slow_depths(program):
    """Like depths, with a list as the stack: the rules as they are written, in O(N) for each read."""
    n_arguments = sum(program.arguments)
    reads = [[int(k) for k in row] for row in program.reads]
    last = {k: i for i, row in enumerate(reads) for k in row if k >= 0} | dict.fromkeys(program.results, len(reads))
    ends, stack, found = np.cumsum(program.arguments), [], []  # the top of the stack is its last element
    for end, size in reversed([*zip(ends, program.arguments)]):
        stack += [k for k in range(end - size, end) if k in last]
    for i, row in enumerate(reads):
        found.append([len(stack) - stack.index(k) if k >= 0 else 0 for k in row])
        for k in dict.fromkeys(k for k in row if k >= 0):
            stack.remove(k)
            stack += [k] * (last[k] > i)
        stack += [n_arguments + i] * (n_arguments + i in last)
    return np.array(found, int).reshape(-1, 2)


def cost(depth, size=1):
    """The cost of reads at depths (elements, from 1; 0: no read) of elements with size bytes."""
    depth = np.asarray(depth)
    of_depth = np.zeros(depth.max(initial=0) + 1, int)
    bytes_from_top = np.arange(1, (len(of_depth) - 1) * size + 1)
    of_depth[1:] = ceil_sqrt(bytes_from_top).reshape(-1, size).sum(axis=1)
    return of_depth[depth]


def ceil_sqrt(n):
    """ceil(sqrt(n)) of whole numbers, exactly."""
    root = np.sqrt(n).astype(int)
    root += (root + 1) ** 2 <= n
    root -= root**2 > n
    return root + (root**2 < n)


# ------------------------------------------------------------------------------------------------ the machine

OPERATIONS = {  # what an instruction does with its inputs x and y (or the constant y)
    "+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y, "/": lambda x, y: x / y,
    "from": lambda x, y: y - x, "into": lambda x, y: y / x, "max": max, "sigma": lambda x, _: 1 / (1 + math.exp(-x)),
    "hard": lambda x, _: min(max(0.2 * x + 0.5, 0.0), 1.0), "hard slope": lambda y, _: 0.2 * (0 < y < 1),
    "tanh": lambda x, _: math.tanh(x), "exp": lambda x, _: math.exp(x), "sqrt": lambda x, _: math.sqrt(x),
}  # fmt: skip
CODES = {name: code for code, name in enumerate(OPERATIONS)}


class Machine:
    """Writes a program: arithmetic with its Numbers appends instructions, element after element in C order.

    argument makes Numbers; all arguments come before the first instruction. mark names the instructions that follow.
    """

    def __init__(self):
        self.sizes, self.blocks, self.marks, self.tags, self.n, self.n_arguments = [], [], [], [], 0, None

    def argument(self, tag, *shape):
        """Numbers of this shape, an argument of the program. tag: what they are; see tagged."""
        assert self.n_arguments is None, "an argument after the first instruction"
        first, size = sum(self.sizes), math.prod(shape)
        self.sizes.append(size)
        return self.tag(tag, Numbers(self, first + np.arange(size).reshape(shape)))

    def tag(self, name, numbers):
        """Say what these Numbers are."""
        self.tags.append((name, numbers.number.ravel()))
        return numbers

    def mark(self, *name):
        """Give the instructions from here on a name."""
        self.marks.append((self.n, name))

    def next_number(self):
        """The number of the output of the next instruction."""
        if self.n_arguments is None:
            self.n_arguments = sum(self.sizes)
        return self.n_arguments + self.n

    def write(self, code, first, second=-1, constant=np.nan):
        """Append an instruction for each element of the arrays of codes and inputs. Returns the numbers of outputs."""
        start = self.next_number()
        arrays = np.broadcast_arrays(first, second, code, constant)
        self.blocks.append([array.ravel() for array in arrays])
        self.n += arrays[0].size
        return start + np.arange(arrays[0].size).reshape(arrays[0].shape)

    def program(self, *results):
        """The program whose results are these Numbers."""
        first, second, *_ = (np.concatenate(of) for of in zip(*self.blocks))
        numbers = np.concatenate([of.number.ravel() for of in results])
        return Program(list(self.sizes), np.stack([first, second], axis=1), numbers)

    def named(self):
        """[(name, slice of instructions)], in order."""
        starts = [start for start, _ in self.marks] + [self.n]
        return [(name, slice(start, end)) for (start, name), end in zip(self.marks, starts[1:])]

    def tagged(self):
        """The names of tags, and for every number of the program the index of its tag; index 0 is "other"."""
        names = ["other", *dict.fromkeys(name for name, _ in self.tags)]
        found = np.zeros(self.next_number(), np.int8)
        for name, numbers in self.tags:
            found[numbers] = names.index(name)
        return names, found

    def run(self, *arguments):
        """Execute the program one instruction after the other. Returns the values of all numbers."""
        values = [float(x) for argument in arguments for x in np.ravel(argument)]
        assert len(values) == sum(self.sizes), "the sizes of the arguments"
        functions = list(OPERATIONS.values())
        for block in self.blocks:
            for first, second, code, constant in zip(*(array.tolist() for array in block)):
                values.append(functions[code](values[first], values[second] if second >= 0 else constant))
        return np.array(values)


class Numbers:
    """An array of the numbers of values in the program of a machine."""

    def __init__(self, machine, number):
        self.machine, self.number = machine, number

    def __getitem__(self, key):
        return Numbers(self.machine, self.number[key])

    def __len__(self):
        return len(self.number)

    @property
    def T(self):
        return Numbers(self.machine, self.number.T)

    def reshape(self, *shape):
        return Numbers(self.machine, self.number.reshape(*shape))

    def transpose(self, *axes):
        return Numbers(self.machine, self.number.transpose(*axes))

    def apply(self, operation, other=None):
        """Numbers of an operation on each element and, if it has two inputs, other: Numbers or a constant."""
        inputs = [other.number] if isinstance(other, Numbers) else [] if other is None else [-1, other]
        return Numbers(self.machine, self.machine.write(CODES[operation], self.number, *inputs))

    def __add__(self, other):
        return self.apply("+", other)

    def __sub__(self, other):
        return self.apply("-", other)

    def __rsub__(self, constant):
        return self.apply("from", constant)

    def __mul__(self, other):
        return self.apply("*", other)

    def __truediv__(self, other):
        return self.apply("/", other)

    def __rtruediv__(self, constant):
        return self.apply("into", constant)

    __radd__, __rmul__ = __add__, __mul__


def joined(*parts):
    """Numbers one after the other along the first axis; no instruction."""
    return Numbers(parts[0].machine, np.concatenate([part.number for part in parts]))


def contract(left, right, initial=None, order="ijs"):
    """initial + left right^T: the sums over s of left[i, s] right[j, s], each product added at once to its sum.

    left (I, S), right (J, S), initial (I, J), or None for 0. order: the loops from the outermost to the innermost.
    """
    machine, (I, S), J = left.machine, left.number.shape, len(right)
    sizes = {"i": I, "j": J, "s": S}
    grid = np.indices([sizes[axis] for axis in order]).reshape(3, -1)
    i, j, s = (grid[order.index(axis)] for axis in "ijs")
    adds = np.ones(len(s), bool) if initial else s > 0  # whether the product is added to a sum
    last = machine.next_number() + np.cumsum(1 + adds) - 1  # the output of the last instruction of each (i, j, s)
    sums = np.empty((I, J, S), int)
    sums[i, j, s] = last
    before = sums[i, j, s - 1]
    if initial:
        before = np.where(s == 0, np.broadcast_to(initial.number, (I, J))[i, j], before)
    pairs = np.empty((len(s), 2, 3), int)  # (first, second, code) of the product and of the sum
    pairs[:, 0] = np.stack([left.number[i, s], right.number[j, s], np.full(len(s), CODES["*"])], axis=1)
    pairs[:, 1] = np.stack([before, last - 1, np.full(len(s), CODES["+"])], axis=1)
    first, second, code = pairs[np.stack([np.ones_like(adds), adds], axis=1)].T
    machine.write(code, first, second)
    return Numbers(machine, sums[:, :, -1])


def total(x):
    """The sum of the elements of x (n,), from the first to the last."""
    result = x[0]
    for k in range(1, len(x)):
        result = result + x[k]
    return result
