"""Population values of measures, from the joint probabilities of truth, judge and grader.

Written apart from the measures of the product, from the definitions, so that one checks the other.
Shape suffixes: T truths, S the judge's score, O outcomes of the grader (scores, then no score).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from audit_power.world import PASSING
from gavel_train.audit.sample import SCORES, Floats

_GRID = np.arange(SCORES, dtype=np.float64)
_ERROR = np.array([0.0, 1.0])
_SAYS_RIGHT = (_GRID >= PASSING).astype(int)


def _scored(joint_TSO: Floats) -> Floats:
    scored = joint_TSO[..., :SCORES]
    return scored / scored.sum()


def _scores(joint_TSO: Floats) -> Floats:
    """Judge x grader, of the rows that the grader scored."""
    return _scored(joint_TSO).sum(axis=0)


def _labels(joint_TSO: Floats) -> Floats:
    """Truth x judge's label x grader's label."""
    label = np.eye(2)[_SAYS_RIGHT]
    return np.einsum("tso,sj,og->tjg", _scored(joint_TSO), label, label)


def _kappa(table: Floats, distance: Floats) -> float:
    expected = np.outer(table.sum(axis=1), table.sum(axis=0))
    return float(1 - (table * distance).sum() / (expected * distance).sum())


def _correlation(table: Floats, rows: Floats, columns: Floats) -> float:
    one, other = table.sum(axis=1), table.sum(axis=0)
    rows = rows - one @ rows
    columns = columns - other @ columns
    return float(rows @ table @ columns / np.sqrt((one @ rows**2) * (other @ columns**2)))


def _mid_ranks(probability: Floats) -> Floats:
    return np.cumsum(probability) - probability / 2


def _spearman(joint_TSO: Floats) -> float:
    table = _scores(joint_TSO)
    return _correlation(table, _mid_ranks(table.sum(axis=1)), _mid_ranks(table.sum(axis=0)))


def _kendall_tau_b(joint_TSO: Floats) -> float:
    table = _scores(joint_TSO)
    sign = np.sign(np.subtract.outer(_GRID, _GRID))
    agreement = np.einsum("ij,kl,ik,jl->", table, table, sign, sign)
    untied = [1 - (side**2).sum() for side in (table.sum(axis=1), table.sum(axis=0))]
    return float(agreement / np.sqrt(untied[0] * untied[1]))


def _recalls(joint_TSO: Floats) -> Floats:
    """Share of wrong and of right completions that the grader calls so."""
    truth_grader = _labels(joint_TSO).sum(axis=1)
    return np.diag(truth_grader) / truth_grader.sum(axis=1)


def _auroc(joint_TSO: Floats) -> float:
    wrong, right = (side / side.sum() for side in _scored(joint_TSO).sum(axis=1))
    above = np.sign(np.subtract.outer(_GRID, _GRID)) / 2 + 0.5
    return float(right @ above @ wrong)


def _errors_by_truth(joint_TSO: Floats) -> Floats:
    """Truth x judge's error x grader's error, over all rows; no score is an error."""
    judge_errs_TSJ = np.eye(2)[np.stack([_SAYS_RIGHT, 1 - _SAYS_RIGHT])]
    none = np.ones((2, 1), dtype=int)
    grader_errs_TOG = np.eye(2)[np.hstack([np.stack([_SAYS_RIGHT, 1 - _SAYS_RIGHT]), none])]
    return np.einsum("tso,tsj,tog->tjg", joint_TSO, judge_errs_TSJ, grader_errs_TOG)


def _errors(joint_TSO: Floats) -> Floats:
    """Judge's error x grader's error."""
    return _errors_by_truth(joint_TSO).sum(axis=0)


def _balanced_difference(joint_TSO: Floats) -> float:
    errors = _errors_by_truth(joint_TSO)
    gain = (errors[:, 1, 0] - errors[:, 0, 1]) / errors.sum(axis=(1, 2))
    return float(gain.mean())


def _mean_score_distance(joint_TSO: Floats, distance: Callable[[Floats], npt.ArrayLike]) -> float:
    apart = np.asarray(distance(_GRID[None, :] - _GRID[:, None]), dtype=np.float64)
    return float((_scores(joint_TSO) * apart).sum())


POPULATION: dict[str, Callable[[Floats], float]] = {
    "fidelity.quadratic_weighted_kappa": lambda joint: _kappa(
        _scores(joint), np.subtract.outer(_GRID, _GRID) ** 2
    ),
    "fidelity.exact": lambda joint: _mean_score_distance(joint, lambda apart: apart == 0),
    "fidelity.within_1": lambda joint: _mean_score_distance(joint, lambda apart: abs(apart) <= 1),
    "fidelity.mean_absolute_error": lambda joint: _mean_score_distance(joint, abs),
    "fidelity.bias": lambda joint: _mean_score_distance(joint, lambda apart: apart),
    "fidelity.spearman": _spearman,
    "fidelity.kendall_tau_b": _kendall_tau_b,
    "fidelity.label_agreement": lambda joint: float(np.trace(_labels(joint).sum(axis=0))),
    "fidelity.label_cohens_kappa": lambda joint: _kappa(_labels(joint).sum(axis=0), 1 - np.eye(2)),
    "truth.balanced_accuracy": lambda joint: float(_recalls(joint).mean()),
    "truth.accuracy": lambda joint: float(np.trace(_labels(joint).sum(axis=1))),
    "truth.true_positive_rate": lambda joint: float(_recalls(joint)[1]),
    "truth.true_negative_rate": lambda joint: float(_recalls(joint)[0]),
    "truth.cohens_kappa": lambda joint: _kappa(_labels(joint).sum(axis=1), 1 - np.eye(2)),
    "truth.auroc": _auroc,
    "teacher_wrong.follows_truth": lambda joint: float(_errors(joint)[1, 0] / _errors(joint)[1].sum()),
    "teacher_wrong.strays": lambda joint: float(_errors(joint)[0, 1] / _errors(joint)[0].sum()),
    "teacher_wrong.error_correlation": lambda joint: _correlation(_errors(joint), _ERROR, _ERROR),
    "teacher_wrong.balanced_accuracy_difference": _balanced_difference,
    "teacher_wrong.accuracy_difference": lambda joint: float(
        _errors(joint)[:, 0].sum() - _errors(joint)[0].sum()
    ),
    "coverage.scored": lambda joint: float(joint[..., :SCORES].sum()),
}
