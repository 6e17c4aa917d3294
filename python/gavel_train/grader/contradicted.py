"""Which traces the verifier contradicts: the judge passes what the verifier fails, or fails what it passes.

The judge passes a completion where `p_pass` is above 0.5, which is its score against the rubric's threshold
where no probabilities are known. The verifier's word is that of the task on the same completion. Of a pair
in which it gives one completion more, it contradicts a judge that does not prefer that one; of two that it
gives the same, it has no word.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from gavel_train.contracts import TaskSpec, Trace
from gavel_train.run.directory import read_prompts
from gavel_train.tasks import verifier_of

# The votes of a panel on one completion lie near each other in the ledger.
_REMEMBERED = 1 << 14

# Whether the verifier contradicts a trace; None where it has no word on it.
Contradicts = Callable[[Trace], bool | None]


def contradictions_of(run_dir: Path, task: TaskSpec) -> Contradicts:
    """Return what compares a trace with the verifier, by the ground truth of the training prompts alone.

    A trace on any other prompt, or with a verdict that neither passes, fails nor prefers, has no word of the
    verifier.
    """
    split = run_dir / "data" / "train.jsonl"
    rows = {row.prompt: row for row in read_prompts(run_dir, "train")} if split.is_file() else {}
    verify = verifier_of(task)

    @lru_cache(maxsize=_REMEMBERED)
    def word(prompt: str, completion: str) -> float | None:
        row = rows.get(prompt)
        return None if row is None else verify(completion, row)

    def contradicts(trace: Trace) -> bool | None:
        if trace.preference is not None and trace.opponent is not None:
            one, other = (word(trace.prompt, text) for text in (trace.completion, trace.opponent))
            if one is None or other is None or one == other:
                return None
            return trace.preference.label != ("A" if one > other else "B")
        if trace.p_pass is None:
            return None
        verifier = word(trace.prompt, trace.completion)
        return None if verifier is None else (trace.p_pass > 0.5) != (verifier > 0.5)

    return contradicts
