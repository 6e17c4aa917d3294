"""Measure the models on fresh problems: `python -m recipe.measure` in `models` writes `figures.json`."""

import argparse
import json
from collections import Counter
from pathlib import Path

import torch

from gavel_train.tasks.poly_easy import make_splits, verify
from recipe.answering import Answerer

MODELS = Path(__file__).resolve().parent.parent


def main() -> None:
    """Sample the policy, have the judge grade it and ask the untrained base for digits; write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument(
        "--policy", type=Path, default=MODELS / "poly-easy-policy", help="a trained policy, say"
    )
    options = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(options.seed)
    figures = measure(options.rows, options.seed, options.policy)
    text = json.dumps(figures, indent=2)
    print(text)
    if options.policy == MODELS / "poly-easy-policy":
        (MODELS / "figures.json").write_text(text + "\n")


def measure(rows: int, seed: int, policy_folder: Path) -> dict:
    """Rates as fractions of rows; `judge_wrong` is score >= 5 against the verifier."""
    problems = make_splits({}, {"audit": rows}, seed, MODELS)["audit"]
    prompts = [row["prompt"] for row in problems]
    policy, judge = Answerer(policy_folder), Answerer(MODELS / "poly-easy-judge")
    base = Answerer(MODELS / "poly-easy-grader-base")
    completions = policy.sample(prompts)
    greedy = policy.sample(prompts, temperature=0)
    graded = list(zip(prompts, completions, strict=True))
    _, scores = judge.reason(graded)
    right = [verify(c, row["ground_truth"]) for c, row in zip(completions, problems, strict=True)]
    on_slice = [_negative_square(row) for row in problems]
    scored = [i for i, score in enumerate(scores) if score is not None]
    wrong = {i: right[i] != (scores[i] >= 5) for i in scored}
    return {
        "rows": rows,
        "policy_sampled_right": _rate(right),
        "policy_greedy_right": _rate(
            [verify(c, row["ground_truth"]) for c, row in zip(greedy, problems, strict=True)]
        ),
        "policy_sampled_right_by_kind": {
            kind: _rate([r for r, row in zip(right, problems, strict=True) if row["meta"]["kind"] == kind])
            for kind in sorted({row["meta"]["kind"] for row in problems})
        },
        "judge_unparseable": rows - len(scored),
        "judge_scores": {
            str(score): round(count / len(scored), 3)
            for score, count in sorted(Counter(scores[i] for i in scored).items())
        },
        "judge_wrong": _rate(list(wrong.values())),
        "judge_wrong_on_squares_of_negative_x": _rate([w for i, w in wrong.items() if on_slice[i]]),
        "judge_wrong_elsewhere": _rate([w for i, w in wrong.items() if not on_slice[i]]),
        "share_of_squares_of_negative_x": _rate(on_slice),
        "untrained_base_mass_on_digits": round(float(base.digit_mass(graded).mean()), 4),
    }


def _negative_square(row: dict) -> bool:
    return row["meta"]["kind"] == "evaluate" and row["meta"]["numbers"][3] < 0


def _rate(flags: list[bool]) -> float:
    return round(sum(flags) / max(1, len(flags)), 3)


if __name__ == "__main__":
    main()
