"""Replicates of cells, spread over processes."""

from __future__ import annotations

import multiprocessing
import sys
import time
import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from audit_power.audited import records
from audit_power.cases import SCORED
from audit_power.cells import Cell
from audit_power.kept import Kept
from audit_power.tally import Intervals, Tally
from gavel_train.audit.gates import judge_gates, overall
from gavel_train.audit.sample import Sample
from gavel_train.audit.scope import Scope

SEED = 20260601

# Replicates that one process does at a time.
_CHUNK = 100

_SAY_EVERY_S = 10.0


def simulate(cells: Sequence[Cell], replicates: int, jobs: int, kept: Kept) -> list[Tally]:
    """A tally of each cell; chunks that are on disk are not done again."""
    tallies = [Tally() for _ in cells]
    done = kept.read()
    chunks = []
    for index, cell in enumerate(cells):
        for first in range(0, replicates, _CHUNK):
            count = min(_CHUNK, replicates - first)
            name = f"{cell.name}, {cell.size[0]} / {cell.size[1]}, {first} + {count}"
            if name in done:
                tallies[index].add(done[name])
            else:
                chunks.append((index, cell, first, count, name))
    said_at = time.monotonic()
    with multiprocessing.Pool(jobs) as pool:
        for number, (index, name, tally) in enumerate(pool.imap_unordered(_chunk, chunks), start=1):
            kept.add(name, tally)
            tallies[index].add(tally)
            if time.monotonic() - said_at >= _SAY_EVERY_S:
                said_at = time.monotonic()
                print(f"{number} of {len(chunks)} chunks of {_CHUNK} audits", file=sys.stderr)
    return tallies


def _chunk(task: tuple[int, Cell, int, int, str]) -> tuple[int, str, Tally]:
    index, cell, first, count, name = task
    return index, name, replicated(cell, first, count)


def replicated(cell: Cell, first: int, count: int) -> Tally:
    """Replicates `first` to `first + count` of a cell; each has a seed of its own."""
    began = time.process_time()
    tally = Tally()
    for number in range(first, first + count):
        seed = [SEED, zlib.crc32(cell.name.encode()), *cell.size, number]
        _replicate(cell, np.random.default_rng(seed), tally)
    tally.seconds = time.process_time() - began
    return tally


def _replicate(cell: Cell, rng: np.random.Generator, tally: Tally) -> None:
    sample = cell.grader.sample(rng, *cell.size)
    found = dict(records(sample, cell.measures))
    for name, value in cell.values.items():
        if name in found:
            tally.intervals.setdefault(name, Intervals()).see(found[name], value)
    # Gates are about the judge's coverage too, and the judge has no judge of its own.
    assert sample.judge is not None
    of_judge = dict(records(Sample(sample.rows, sample.judge, None), set(cell.measures) & {SCORED}))
    gates = judge_gates([*found.values(), *of_judge.values()], cell.gates, _scope(sample))
    for gate in gates:
        tally.by_gate.setdefault(gate.id, Counter())[gate.verdict] += 1
    tally.verdicts[overall(gates)] += 1
    tally.replicates += 1


def _scope(sample: Sample) -> Scope:
    rows, answers = sample.rows, sample.answers
    return Scope(
        headline_mode=answers.mode,
        rows=len(rows),
        prompts=len(np.unique(rows.prompt_N)),
        asked=[(answers.role, answers.mode)],
    )
