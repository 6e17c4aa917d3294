"""Which of the judge's votes count: those that made the verdict of their rollout, and not the overruled ones.

What a panel made of its votes is the gateway's to say; the rollouts of GRPO's checkpoints hold its word.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gavel_train.contracts import LedgerSegment, PanelSpec, RolloutRecord
from gavel_train.run.checkpoints import ROLLOUTS
from gavel_train.run.directory import read_rows
from gavel_train.run.ledger import PlacedTrace, read_traces


def judge_traces(run_dir: Path, ledger: Sequence[LedgerSegment]) -> Iterable[PlacedTrace]:
    """The judge's scored votes on training rollouts; those on audit rows are in the same ledger."""
    traces = read_traces(run_dir, ledger, stage="grpo", role="judge", verdict="scored")
    return (placed for placed in traces if placed.trace.occasion.startswith("grpo:"))


def counted_traces(run_dir: Path, ledger: Sequence[LedgerSegment], panel: PanelSpec) -> Iterable[PlacedTrace]:
    """Those votes on rollouts that the panel scored; of a majority, those that gave its score.

    Of a pair, those whose two orders say the same: a grader taught the others would learn to prefer a
    position. Votes on rollouts that no checkpoint recorded do not count, since the panel's word on them is
    not known.
    Without a threshold a single vote is the panel's word, and no record is read.
    """
    traces = consistent(judge_traces(run_dir, ledger))
    if panel.votes == 1 and panel.confidence_threshold == 0:
        return traces
    scores = _scores_of_rollouts(run_dir)
    if panel.combine == "majority":
        return (each for each in traces if scores.get(each.trace.key) == each.trace.score)
    return (each for each in traces if each.trace.key in scores)


def consistent(traces: Iterable[PlacedTrace]) -> Iterator[PlacedTrace]:
    """Yield traces of pairs where both orders of a vote say the same, both when the second is there.

    Traces of single completions pass. Those of a pair whose other order was never scored are left out.
    """
    waiting: dict[tuple[str, ...], PlacedTrace] = {}
    for placed in traces:
        preference = placed.trace.preference
        if preference is None:
            yield placed
            continue
        trace = placed.trace
        # grpo:4:0:1-vs-3:ab:0 and grpo:4:0:1-vs-3:ba:0. A step that is sampled again may have other texts.
        occasion = trace.occasion.replace(f":{preference.order}:", ":")
        pair = occasion, trace.prompt, trace.completion, trace.opponent or ""
        other = waiting.get(pair)
        if (
            other is None
            or other.trace.preference is None
            or other.trace.preference.order == preference.order
        ):
            waiting[pair] = placed
            continue
        del waiting[pair]
        if other.trace.preference.label == preference.label:
            yield other
            yield placed


def _scores_of_rollouts(run_dir: Path) -> dict[str, int]:
    """The panel's score by the key of each vote that it had, of all rollouts in checkpoints that it scored.

    A checkpoint of a superseded epoch says nothing else of a key than that of the next: the ledger answers.
    """
    scores: dict[str, int] = {}
    for path in sorted((run_dir / "grpo" / "checkpoints").glob(f"*/{ROLLOUTS}")):
        try:
            records = read_rows(path, RolloutRecord)
        except ValueError as error:
            print(f"{error}: its rollouts teach nothing", file=sys.stderr)
            continue
        for record in records:
            if record.verdict == "scored" and record.score is not None:
                scores |= dict.fromkeys(record.trace_keys, record.score)
    return scores
