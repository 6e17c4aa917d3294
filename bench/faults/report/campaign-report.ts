import { SOMETIMES, SOMETIMES_SERVED, type Sometimes } from '../observe/event-log.ts';
import type { SeedResult } from '../run/run-seed.ts';
import { HEARTBEAT_S, SAVE_EVERY } from '../run/small-spec.ts';
import { type Row, rowsOf } from './cost-rows.ts';

/** The campaign as a person reads it: what held, what was reached, and what each kind of fault cost. */

export function reportOf(results: readonly SeedResult[]): { text: string; ok: boolean } {
  const faults = results.reduce((sum, { costs }) => sum + costs.length, 0);
  const violations = results.flatMap(({ seed, violations }) => violations.map((violation) => ({ seed, ...violation })));
  const rows = rowsOf(results.flatMap(({ costs }) => costs));
  const reached = wantedOf(results).map((what) => ({ what, times: timesReached(results, what) }));
  // A handful of faults cannot reach everything; a campaign must.
  const campaign = faults >= (isServed(results) ? 25 : 100);
  const missing = campaign ? reached.filter(({ times }) => times === 0) : [];
  const text = [
    `${struckOf(results)} in ${results.length} seeds: ${violations.length === 0 ? 'every assertion holds' : `${violations.length} violations`}.`,
    '',
    tableOf(rows),
    '',
    measuredOf(rows),
    '',
    targetsOf(rows, isServed(results)),
    '',
    missedOf(rows, isServed(results)),
    '',
    'Reached:',
    reachedOf(results),
    ...(missing.length > 0 ? ['', `NEVER REACHED: ${missing.map(({ what }) => what).join(', ')}`] : []),
    ...(violations.length > 0 ? ['', 'Violations:'] : []),
    ...violations.map(({ seed, assertion, detail }) => `- seed ${seed}: ${assertion}: ${detail}`),
  ].join('\n');
  return { text, ok: violations.length === 0 && missing.length === 0 };
}

/** How many faults struck, and how many were dealt where the part of the run that they were for was over before. */
export function struckOf(results: readonly SeedResult[]): string {
  const struck = results.reduce((sum, { costs }) => sum + costs.length, 0);
  const dealt = results.reduce((sum, each) => sum + each.dealt, 0);
  return struck === dealt ? `${struck} faults` : `${struck} faults (of ${dealt} dealt)`;
}

export function tableOf(rows: readonly Row[]): string {
  return markdown(
    [
      'fault',
      'count',
      'where',
      'steps lost, max (allowed)',
      'judge calls asked again',
      's to the new trainer, p95',
      's to the first new commit, p50',
      'p95',
      'effective share',
    ],
    rows.map((row) => [
      row.kind,
      String(row.count),
      row.where,
      `${row.steps_lost_max} (${row.steps_lost_allowed})`,
      row.asked_again === null ? 'not counted' : String(row.asked_again),
      number(row.to_trainer_p95),
      number(row.to_commit_p50),
      number(row.to_commit_p95),
      row.effective_share === null ? '' : `${(100 * row.effective_share).toFixed(0)}%`,
    ]),
  );
}

/** What the faults measured themselves: how soon children were gone, a hang was found, a worker left. */
export function measuredOf(rows: readonly Row[]): string {
  const lines = rows
    .filter(({ kind }) => kind !== 'all')
    .flatMap(({ kind, measured }) =>
      Object.entries(measured).map(([name, { p50, max, n }]) => [
        kind,
        name.replaceAll('_', ' '),
        String(n),
        number(p50),
        number(max),
      ]),
    );
  return markdown(['fault', 'seconds until', 'count', 'p50', 'max'], lines);
}

/** How often each of the "sometimes" came about. */
export function reachedOf(results: readonly SeedResult[]): string {
  return wantedOf(results)
    .map((what) => `- ${what}: ${timesReached(results, what)} times`)
    .join('\n');
}

const timesReached = (results: readonly SeedResult[], wanted: Sometimes) =>
  results.reduce((sum, { reached }) => sum + reached.filter(({ what }) => what === wanted).length, 0);

/** Whether servers sampled the rollouts of all of its seeds. */
export const isServed = (results: readonly SeedResult[]) =>
  results.length > 0 && results.every(({ scenario }) => scenario === 'served');

const wantedOf = (results: readonly SeedResult[]): readonly Sometimes[] =>
  isServed(results) ? SOMETIMES_SERVED : SOMETIMES;

interface Target {
  kind: string;
  what: string;
  seen: number | null;
  limit: number;
  unit: string;
}

function targets(rows: readonly Row[], served: boolean): Target[] {
  const row = (kind: string) => rows.find((each) => each.kind === kind);
  const measured = (kind: string, name: string) => row(kind)?.measured[name]?.max ?? null;
  const lines: [string, string, number | null, number, string][] = [
    ['worker killed', 'children gone', measured('worker killed', 'children_gone'), 1, 's'],
    ['worker killed', 'next attempt', row('worker killed')?.to_epoch_max ?? null, HEARTBEAT_S + 2, 's'],
    ['worker killed', 'steps lost', row('worker killed')?.steps_lost_max ?? null, SAVE_EVERY, ''],
    ['trainer killed', 'new trainer', row('trainer killed')?.to_trainer_max ?? null, 5, 's'],
    ['vLLM killed', 'found', measured('vLLM killed', 'found'), 5, 's'],
    ['vLLM killed', 'no orphans', measured('vLLM killed', 'no_orphans'), 5, 's'],
    ['vLLM engine killed', 'found', measured('vLLM engine killed', 'found'), 5, 's'],
    ['vLLM engine killed', 'no orphans', measured('vLLM engine killed', 'no_orphans'), 5, 's'],
    ['policy server killed', 'found', measured('policy server killed', 'found'), 5, 's'],
    ['policy engine killed', 'found', measured('policy engine killed', 'found'), 5, 's'],
    ['worker told to end (SIGTERM)', 'steps lost', row('worker told to end (SIGTERM)')?.steps_lost_max ?? null, 0, ''],
    ['worker told to end (SIGTERM)', 'worker gone', measured('worker told to end (SIGTERM)', 'worker_gone'), 28, 's'],
    [
      'worker told to end (SIGTERM)',
      'next attempt after the worker has gone',
      measured('worker told to end (SIGTERM)', 'attempt_after_worker'),
      2,
      's',
    ],
    [
      'Temporal server killed',
      'attempt after its return (away 20 s and more)',
      measured('Temporal server killed', 'attempt_after_return'),
      10,
      's',
    ],
    [
      'newest checkpoint damaged',
      'steps lost',
      row('newest checkpoint damaged')?.steps_lost_max ?? null,
      2 * SAVE_EVERY,
      '',
    ],
    ['run cancelled and resumed', 'children gone', measured('run cancelled and resumed', 'children_gone'), 5, 's'],
  ];
  // A campaign of served rollouts has targets for the kinds that it has.
  const own = lines.filter(([kind]) => !served || row(kind) !== undefined);
  return own.map(([kind, what, seen, limit, unit]) => ({ kind, what, seen, limit, unit }));
}

const isMissed = ({ seen, limit }: Target) => seen !== null && seen > limit;
const worstOf = ({ seen, unit }: Target) =>
  seen === null ? 'not seen' : unit === '' ? String(seen) : `${seen.toFixed(1)} ${unit}`;
const limitOf = ({ limit, unit }: Target) => (unit === '' ? String(limit) : `${limit} ${unit}`);

/** The targets that were set for this machine, and what was seen. */
export function targetsOf(rows: readonly Row[], served = false): string {
  return markdown(
    ['fault', 'target', 'worst seen', 'limit', 'met'],
    targets(rows, served).map((target) => [
      target.kind,
      target.what,
      worstOf(target),
      limitOf(target),
      target.seen === null ? '' : isMissed(target) ? 'NO' : 'yes',
    ]),
  );
}

/** One sentence: which targets were missed. */
export function missedOf(rows: readonly Row[], served = false): string {
  const missed = targets(rows, served).filter(isMissed);
  if (missed.length === 0) return 'None that was seen is missed.';
  const each = missed.map((target) => `${target.kind}, ${target.what} (${worstOf(target)}, limit ${limitOf(target)})`);
  return `Missed: ${each.join('; ')}.`;
}

const number = (value: number | null) => (value === null ? '' : value.toFixed(1));

export function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  return [head, head.map((_, index) => (index === 0 ? '---' : '--:')), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
