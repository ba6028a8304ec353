"""The statistics that studies share."""

import numpy as np
import pytest

from studies.report import bootstrap, compare_pairs, fisher_test, p_value, share, sign_test, wilson


def test_wilson_and_share():
    assert wilson(30, 30) == "88.6–100.0 %" and wilson(0, 30) == "0.0–11.4 %"  # 1 - 1 / (1 + n / z^2)
    assert share(27, 30) == "27/30 (74.4–96.5 %)"


def test_sign_test():
    assert sign_test(5, 0) == sign_test(0, 5) == 2 / 2**5 and sign_test(4, 4) == sign_test(0, 0) == 1
    assert sign_test(8, 2) == pytest.approx(2 * (1 + 10 + 45) / 2**10)
    assert sign_test(np.int64(54), np.int64(11)) == sign_test(54, 11) < 1e-6, "2^65 is more than 64 bits"


def test_pairs():
    assert compare_pairs([3, 1, 2, None], [1, 2, 2, 5]) == (1, 1, 1)
    assert compare_pairs(np.ones(6, bool), np.zeros(6, bool)) == (6, 0, 2 / 2**6)


def test_fisher_test():
    assert fisher_test(3, 4, 1, 4) == pytest.approx(34 / 70)  # Fisher's example of the lady tasting tea, two-sided
    assert fisher_test(30, 30, 25, 30) == pytest.approx(fisher_test(25, 30, 30, 30)) == pytest.approx(0.05219, abs=1e-5)
    assert fisher_test(0, 10, 0, 10) == fisher_test(10, 10, 10, 10) == 1


def test_bootstrap():
    values = np.random.default_rng(1).normal(3, 1, size=400)
    low, high = bootstrap(values)
    assert (low, high) == bootstrap(values) and low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)
    assert bootstrap([2, 2, 2], np.median) == (2, 2)


def test_p_values_as_text():
    assert [p_value(p) for p in (0.0001, 0.0351, 0.421, 1)] == ["p < 0.001", "p = 0.035", "p = 0.42", "p = 1"]
