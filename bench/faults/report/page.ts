import { cpus, totalmem } from 'node:os';
import { ALWAYS, WHERE_SERVED } from '../check/assertions.ts';
import type { SeedResult } from '../run/run-seed.ts';
import { HEARTBEAT_S, SAVE_EVERY } from '../run/small-spec.ts';
import {
  isServed,
  markdown,
  measuredOf,
  missedOf,
  reachedOf,
  struckOf,
  tableOf,
  targetsOf,
} from './campaign-report.ts';
import { rowsOf } from './cost-rows.ts';

/** `bench/faults.md`: a campaign's results, and stock TRL's under the same kills, as one page. */

/** What `stock.py` writes, as far as the page shows it. */
export interface Stock {
  settings: { steps: number; save_every: number; seed: number; count: number };
  versions: { trl: string };
  rows: {
    kind: string;
    count: number;
    completed: boolean;
    runs: number;
    runs_completed: number;
    unrecovered: number;
    steps_lost_max: number | null;
    asked_again: number;
    seconds_p50: number | null;
    seconds_p95: number | null;
    effective_share: number | null;
    equal_to_undisturbed: boolean;
    zeroed: number;
  }[];
}

export function pageOf(results: readonly SeedResult[], stock: Stock | null, command: string, jobs: number): string {
  const rows = rowsOf(results.flatMap(({ costs }) => costs));
  const violations = results.reduce((sum, each) => sum + each.violations.length, 0);
  const completed = results.filter(({ status }) => status === 'COMPLETED').length;
  const [first] = cpus();
  const served = isServed(results);
  return `# ${served ? 'Faults where servers sample the rollouts' : 'Faults: what is lost when things are killed'}

Made by

\`\`\`sh
${command}
\`\`\`

${served ? aboutServed : aboutAll}
Small models, ${SAVE_EVERY} steps between checkpoints, heartbeat timeout ${HEARTBEAT_S} s, on ${cpus().length} cores (${first?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB); seeds that ran at once: ${jobs}.

**${struckOf(results)} in ${results.length} seeds; ${completed} runs completed; ${violations === 0 ? 'every assertion holds' : `${violations} assertions do not hold`}; every final adapter ${violations === 0 ? 'equals its witness, byte for byte' : 'is compared with its witness'}.**

## What the checker asserts

It reads the run directory with a reader of its own, not with gavel's. For each assertion a test shows a broken ${served ? 'build or a broken run directory' : 'build'} that it finds.

${[...ALWAYS, ...(served ? WHERE_SERVED : [])].map((assertion) => `- ${assertion}`).join('\n')}
- every history replays, and every run ends with a result and a report

## What each kind of fault cost

${tableOf(rows)}

"Steps lost" are finished steps that had to be repeated. "Judge calls asked again" counts requests that reached the judge a second time, from the fault to the
first new commit. Most of the seconds to the first new commit pass while a new Python process imports torch, transformers and TRL. The
effective share is the time of steps that ended up in the final history, over all time from the fault to the next one: it is low because a fault comes as soon
as training goes on.${served ? ' A server of the policy takes half a minute to start, and each new node starts one.' : ''}

## Seconds that the faults measured themselves

${measuredOf(rows)}

## Targets

${targetsOf(rows, served)}

The targets are set for this machine. An assertion that does not hold fails a campaign; a target that is missed does not: it says NO here. ${missedOf(rows, served)}

## What a campaign must have seen

${reachedOf(results)}

${stock ? stockSection(stock) : ''}`
    .trimEnd()
    .concat('\n');
}

const aboutAll = `The real pipeline (Temporal server on its database file, vLLM as judge, TRL and PEFT trainers, two workers that stand for two nodes) is disturbed at seeded
moments and checked by [one checker](faults/check/checker.ts). Each run is then compared with a witness: the same stages, undisturbed, given the disturbed run's ledger.
[faults-served.md](faults-served.md) is the page of runs whose rollouts come from servers.`;

const aboutServed = `Stage GRPO of the real pipeline with \`grpo.rollout: served\` and \`max_staleness: 1\`: a vLLM samples the policy's completions through the adapter of each step,
a step ahead of the trainer (TRL and PEFT), and another vLLM is the judge. There are a Temporal server on its database file and two workers that stand for two
nodes. The run is disturbed at seeded moments and checked by [one checker](faults/check/checker.ts). It is then compared with a witness: the same stage,
undisturbed, given the disturbed run's ledger and journal. The witness ends with an error where it asks a model for a completion or a verdict.
[faults.md](faults.md) is the page of the campaign over all stages.`;

function stockSection({ settings, versions, rows }: Stock): string {
  const seconds = (value: number | null, unrecovered: number) =>
    value === null ? (unrecovered > 0 ? 'never' : '') : value.toFixed(1);
  const table = markdown(
    [
      'fault',
      'count',
      'runs completed',
      'steps lost, max',
      'judge calls asked again',
      's to the first new save, p50',
      'p95',
      'effective share',
      'rewards silently 0',
      'equals undisturbed',
    ],
    rows.map((row) => [
      row.kind === 'none' ? 'none (control)' : row.kind,
      String(row.count),
      `${row.runs_completed} of ${row.runs}`,
      row.steps_lost_max === null ? '' : String(row.steps_lost_max),
      String(row.asked_again),
      seconds(row.seconds_p50, row.unrecovered),
      seconds(row.seconds_p95, row.unrecovered),
      row.effective_share === null ? '' : `${(100 * row.effective_share).toFixed(0)}%`,
      String(row.zeroed),
      row.equal_to_undisturbed ? 'yes' : 'NO',
    ]),
  );
  // Which damage a file gets is drawn; where every draw cut it off, no run here ended on a flipped bit.
  const unnoticed = rows.some(
    ({ kind, runs_completed, equal_to_undisturbed }) =>
      kind === 'damaged-checkpoint' && runs_completed > 0 && !equal_to_undisturbed,
  );
  return `## Stock TRL under the same kills

\`GRPOTrainer\` of TRL ${versions.trl} with \`resume_from_checkpoint=True\` ([stock_trl.py](faults/stock/stock_trl.py)), the same policy, rubric and judge, ${settings.steps} steps, a checkpoint every
${settings.save_every}, started again at once by a supervisor after each death. A judge that cannot be reached gives a reward of 0, as reward functions commonly do.

${table}

After a plain kill stock TRL loses no more steps than gavel, and its resume is exact on a CPU. It asks the judge, and pays, again for every step that it
repeats, and on SIGTERM it loses the steps that it has not saved. A kill inside a save can leave a folder that \`resume_from_checkpoint=True\` takes for the
newest checkpoint, and every restart then fails on it, as it does on a truncated file.${unnoticed ? ' A flipped bit went unnoticed, and the run ended with other weights.' : ''} An
outage of the judge costs stock TRL the least time because its rewards are then zero.
`;
}
