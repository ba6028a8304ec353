"""The tables of the benchmarks, from results/benchmarks/."""

import json
import sys

from studies.report import ROOT, table


def benchmark(name):
    """results/benchmarks/NAME.json; exits with status 1 and one line if it is missing or damaged."""
    path = ROOT / "results" / "benchmarks" / f"{name}.json"
    try:
        results = json.loads(path.read_text())
        if (results["benchmark"], results["schema"]) != (name, 1):
            sys.exit(f"{path} is not of benchmarks/{name}.py, schema 1")
        return results
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: make bench")
    except (OSError, ValueError, KeyError, TypeError):
        sys.exit(f"{path} is damaged, or not of this program")


def beside(found, name):
    """A contestant's milliseconds for a seed, and ours / theirs; a star where its network is only the nearest."""
    if name not in found:
        return "–"
    star = "" if found[name]["same_network"] else "*"
    return f"{three_digits(found[name]['median_ms_per_seed'])}{star} (**{found[name]['ours_by_theirs']:.2f}**)"


def three_digits(value):
    return f"{value:#.3g}".rstrip(".")


def bench_steps():
    rows = [["", "seeds", "ours: median [least–most]", "PyTorch's nn", "PyTorch by hand", "JAX, compiled"]]
    for name, case in benchmark("step_time")["cases"].items():
        for S, found in case["seeds"].items():
            ours = found["ours"]
            low, middle, high = (three_digits(ours[key] / int(S)) for key in ("min_ms", "median_ms", "max_ms"))
            peers = [beside(found, peer) for peer in ("PyTorch fused", "PyTorch by hand", "JAX")]
            rows.append([name if S == "1" else "", S, f"{middle} [{low}–{high}]", *peers])
    return table(*rows)


def bench_before():
    """Seconds before the second step: imports, and the first step with its range over networks and numbers of seeds."""
    results = benchmark("step_time")
    rows = [["seconds", "ours", "PyTorch's nn", "PyTorch by hand", "JAX, compiled"]]
    imports = [results["import_s"].get(package) for package in ("numpy", "torch", "torch", "jax")]
    first = [[found[name]["first_step_s"] for case in results["cases"].values() for found in case["seeds"].values()
              if name in found] for name in ("ours", "PyTorch fused", "PyTorch by hand", "JAX")]  # fmt: skip
    rows.append(["Python and imports", *(f"{value:.2f}" if value else "–" for value in imports)])
    rows.append(["first step", *(f"{min(v):.2f}–{max(v):.2f}" if v else "–" for v in first)])
    return table(*rows)


LIMITS = "C, forward and backward", "C, 512-bit vectors"


def bench_limit():
    rows = [["forward and backward, ms a seed", "seeds", "ours", "C", "ours / C", "C, 512-bit vectors", "ours / C"]]
    for name, case in benchmark("step_time")["cases"].items():
        for S, found in case["seeds"].items():
            if LIMITS[0] not in found:
                continue
            ours, cells = found["ours, forward and backward"], []
            for limit in LIMITS:
                there = found.get(limit)
                cells += (
                    [f"{there['median_ms_per_seed']:.3f}", f"**{there['ours_by_theirs']:.1f}**"] if there else ["–"] * 2
                )
            rows.append([name if S == "1" else "", S, f"{ours['median_ms_per_seed']:.3f}", *cells])
    return table(*rows)


def bench_where():
    """Where the time of the most seeds goes: calls at the price of empty ones, arithmetic at C's pace, the rest."""
    results = benchmark("step_time")
    rows = [["forward and backward", "seeds", "ours, ms", "NumPy calls", "what as many empty ones take"]]
    rows[0] += ["million products", "million tanh", "what C takes for all of it", "the rest"]
    rows[0] += ["MB read and written by all calls"]
    for name, case in results["cases"].items():
        S = max(case["counts"], key=int)
        found, counts = case["seeds"][S], case["counts"][S]
        limits = [found[limit]["median_ms"] for limit in LIMITS if limit in found]
        ours, calls = (
            found["ours, forward and backward"]["median_ms"],
            counts["calls"] * results["cost_of_a_call_us"] / 1e3,
        )
        arithmetic = min(limits, default=None)
        rest = [f"{arithmetic:.1f} ms", f"{ours - calls - arithmetic:.1f} ms"] if limits else ["–", "–"]
        rows.append([name, S, f"{ours:.1f}", f"{counts['calls']:,}", f"{calls:.1f} ms",
                     f"{counts['multiplications'] / 1e6:.1f}", f"{counts['tanh'] / 1e6:.2f}", *rest,
                     f"{counts['bytes'] / 1e6:,.0f}"])  # fmt: skip
    return table(*rows)


def bench_headline():
    rows = [
        ["from the shell to the end, seconds", "ours", "PyTorch's steps", "ours / PyTorch", "JAX's steps", "ours / JAX"]
    ]
    for script, found in benchmark("headline")["experiments"].items():
        cells = [f"`{script}.py`", seconds_of(found["by"]["ours"])]
        for name in "PyTorch", "JAX":
            there = found["by"].get(name)
            less = "< " if there and there["stopped"] else ""
            cells += [seconds_of(there), f"**{less}{there['ours_by_theirs']:.2f}**"] if there else ["–", "–"]
        rows.append(cells)
    return table(*rows)


def seconds_of(runs):
    """The median time of runs, and how many there were if not three."""
    once = "" if len(runs["seconds"]) == 3 else " (one run)" if not runs["stopped"] else " (stopped)"
    return f"{'> ' if runs['stopped'] else ''}{runs['median_s']:.1f}{once}"


def bench_scaling():
    """Exponents of time in each size, and the memory of the largest."""
    rows = [["time grows with the power", "of S, from 30", "of T, from 200", "of B, from 32", "of H, from 16",
             "memory at T = 1000, thirty seeds"]]  # fmt: skip
    for name, network in benchmark("scaling")["networks"].items():
        curves = {curve["axis"]: curve for curve in network["curves"] if curve["S"] != 1}
        memory = curves["T"]["points"][-1]["megabytes"]
        rows.append([name, *(f"{curves[axis]['exponent']:.2f}" for axis in "STBH"), f"{memory:,.0f} MB"])
    return table(*rows)


TABLES = {"bench-steps": bench_steps, "bench-before": bench_before, "bench-limit": bench_limit,
          "bench-where": bench_where, "bench-headline": bench_headline, "bench-scaling": bench_scaling}  # fmt: skip
