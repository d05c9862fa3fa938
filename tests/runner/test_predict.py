"""What a method's predict returns is checked before anything is computed from it."""

from __future__ import annotations

import pytest
import torch

from benchmark.runner.predict import check_scores


@pytest.mark.parametrize(
    "scores, error, words",
    [
        ([[0.5]], TypeError, "list"),
        (torch.zeros(2, 4), ValueError, r"\(N, C\) = \(2, 3\)"),
        (torch.zeros(2, 3, dtype=torch.int64), TypeError, "int64"),
        (torch.tensor([[0.0, float("nan"), 1], [float("inf"), 0, 0]]), ValueError, "2 of 6"),
    ],
)
def test_what_is_no_score_is_named(scores, error, words):
    with pytest.raises(error, match=words):
        check_scores(scores, (2, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_scores_are_a_copy_in_single_precision(dtype):
    given = torch.arange(6, dtype=dtype).reshape(2, 3).requires_grad_()
    found = check_scores(given, (2, 3))
    with torch.no_grad():
        given += 1  # such as by a later hook of the method
    assert found.dtype == "float32" and found.tolist() == [[0, 1, 2], [3, 4, 5]]
