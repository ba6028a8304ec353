"""The tables of the benchmarks, from results/benchmarks/."""

import json
import math
import sys

from studies.report import ROOT, table


def benchmark(name):
    """Read results/benchmarks/NAME.json. Exits with status 1 and one line if it is missing or damaged."""
    path = ROOT / "results" / "benchmarks" / f"{name}.json"
    try:
        results = json.loads(path.read_text())
        if (results["benchmark"], results["schema"]) != (name, 1):
            sys.exit(f"{path} is not of benchmarks/{name}.py, schema 1")
        return results
    except FileNotFoundError:
        sys.exit(f"{path} is missing; to make it: python3 benchmarks/{name}.py")
    except (OSError, ValueError, KeyError, TypeError):
        sys.exit(f"{path} is damaged, or not of this program")


def beside(found, name):
    """A contestant's milliseconds per seed, and ours / theirs. A star: its network is only the nearest to ours."""
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
    """Seconds before the second step: imports, and the first step (its range over networks and numbers of seeds)."""
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
    """The parts of the time with the most seeds: calls (timed when empty), arithmetic (timed in C), the rest."""
    results = benchmark("step_time")
    rows = [["forward and backward", "seeds", "ours, ms", "NumPy calls", "time of as many calls on two numbers"]]
    rows[0] += ["million multiplications", "million tanh", "time of this arithmetic in C", "the rest"]
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
    """The median time of runs. The text says if there were not three runs."""
    once = "" if len(runs["seconds"]) == 3 else " (one run)" if not runs["stopped"] else " (stopped)"
    return f"{'> ' if runs['stopped'] else ''}{runs['median_s']:.1f}{once}"


def bench_scaling():
    """The exponents of time in each size, and the memory of the largest T."""
    rows = [["exponent of the time", "in S (S ≥ 30)", "in T (T ≥ 200)", "in B (B ≥ 32)", "in H (H ≥ 16)",
             "memory at T = 1000, thirty seeds"]]  # fmt: skip
    for name, network in benchmark("scaling")["networks"].items():
        curves = {curve["axis"]: curve for curve in network["curves"] if curve["S"] != 1}
        memory = curves["T"]["points"][-1]["megabytes"]
        rows.append([name, *(f"{curves[axis]['exponent']:.2f}" for axis in "STBH"), f"{memory:,.0f} MB"])
    return table(*rows)


def bench_front():
    """Only the seconds of the headlines."""
    rows = [["seconds, from the shell to the end", "ours", "the same with PyTorch's steps", "with JAX's steps"]]
    for script, found in benchmark("headline")["experiments"].items():
        times = [found["by"].get(name) for name in ("ours", "PyTorch", "JAX")]
        rows.append([f"`{script}.py`", *(f"{'> ' * t['stopped']}{t['median_s']:.3g}" if t else "–" for t in times)])
    return table(*rows)


PEERS = {"PyTorch fused": "PyTorch's nn", "PyTorch by hand": "PyTorch by hand", "JAX": "JAX"}


def ratios(S, *peers):
    """Ours / theirs of a training step with S seeds, for every network and every one of peers that was measured."""
    cases = benchmark("step_time")["cases"].values()
    return [case["seeds"][S][peer]["ours_by_theirs"] for case in cases for peer in peers if peer in case["seeds"][S]]


def headline_claims():
    """Sentences on the times of whole headlines."""
    experiments = benchmark("headline")["experiments"].values()
    assert len(experiments) == 5, "the five scripts"
    assert all("Xeon" in found["environment"]["cpu"] for found in experiments), "the machine that the text names"
    for found in experiments:
        for name in "PyTorch", "JAX":
            theirs = found["by"][name]
            assert max(found["by"]["ours"]["seconds"]) < min(theirs["seconds"]), "every run of ours is faster"
    torch, jax = ([1 / found["by"][name]["ours_by_theirs"] for found in experiments] for name in ("PyTorch", "JAX"))
    seconds = sum(sum(run["seconds"]) for found in experiments for run in found["by"].values())
    assert 3000 < seconds < 4500, "about an hour"
    least, low, high = math.floor(10 * min(torch)) / 10, math.floor(100 * min(jax)) / 100, math.ceil(10 * max(jax)) / 10
    return [f"PyTorch takes at least {least} times as long, JAX {low} to {high} times"]


def report_claims():
    """Sentences of benchmarks/README.md."""
    results, scaling = benchmark("step_time"), benchmark("scaling")["networks"].values()
    cases = results["cases"]
    some = [ratio for S in ("10", "30") for ratio in ratios(S, *PEERS)]
    assert max(some) < 1 and len(some) == 2 * len(PEERS) * len(cases), "ours is faster than every peer"
    nearest = cases["timing, peephole"]["seeds"]["1"]["PyTorch fused"]
    assert not nearest["same_network"] and nearest["ours_by_theirs"] > 1 and max(ratios("1", "PyTorch by hand")) < 1
    assert sum(ratio > 1 for ratio in ratios("1", "PyTorch fused")) == 1, "in timing with peepholes only"
    jax = ratios("1", "JAX")
    assert min(jax) > 1
    limits = [case["seeds"][S][LIMITS[0]]["ours_by_theirs"] for S in ("1", "30") for case in cases.values()
              if LIMITS[0] in case["seeds"][S]]  # fmt: skip
    one, thirty = limits[: len(limits) // 2], limits[len(limits) // 2 :]
    widest = [
        [case["seeds"][S][LIMITS[1]]["ours_by_theirs"] for case in cases.values() if LIMITS[1] in case["seeds"][S]]
        for S in ("1", "30")
    ]
    assert all(
        (case["seeds"]["30"]["JAX"]["median_ms_per_seed"] > case["seeds"]["10"]["JAX"]["median_ms_per_seed"])
        == name.startswith(("timing", "multi"))
        for name, case in cases.items()
    )
    curves = [{point["S"]: point["ms"] for point in curve["points"]}
              for network in scaling for curve in network["curves"] if curve["axis"] == "S"]  # fmt: skip
    growth = [curve[30] / curve[1] for curve in curves]
    lengths = [curve["exponent"] for network in scaling for curve in network["curves"]
               if curve["axis"] == "T" and curve["S"] != 1]  # fmt: skip
    return [
        *headline_claims(),
        f"with ten or thirty seeds, our step takes {min(some):.2f} to {max(some):.2f} of the time of every peer",
        f"With one seed, our step takes {min(jax):.2f} to {max(jax):.2f} times as long as JAX's compiled step",
        f"`torch.nn` takes less time than ours in one case of {len(cases)}",
        f"With one seed, ours takes {min(one):.1f} to {max(one):.1f} times as long as the C loop; "
        f"with thirty, {min(thirty):.1f} to {max(thirty):.1f} times",
        f"With the widest vectors these factors are {min(widest[0]):.1f} to {max(widest[0]):.1f} and "
        f"{min(widest[1]):.1f} to {max(widest[1]):.1f}",
        f"thirty seeds take {min(growth):.1f} to {max(growth):.1f} times as long as one",
        f"the exponent in T is between {min(lengths):.2f} and {max(lengths):.2f}",
        f"a NumPy call on two numbers takes {results['cost_of_a_call_us']:.1f} µs",
    ]


TABLES = {
    "bench-front": bench_front,
    "bench-steps": bench_steps,
    "bench-before": bench_before,
    "bench-limit": bench_limit,
    "bench-where": bench_where,
    "bench-headline": bench_headline,
    "bench-scaling": bench_scaling,
}
CLAIMS = {"README.md": headline_claims, "benchmarks/README.md": report_claims}
