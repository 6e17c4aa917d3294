import { SOMETIMES } from './events.ts';
import { type Row, rowsOf } from './measure.ts';
import type { SeedResult } from './seed.ts';

/** The campaign as a person reads it: what held, what was reached, and what each kind of fault cost. */

export function reportOf(results: readonly SeedResult[]): { text: string; ok: boolean } {
  const faults = results.reduce((sum, { costs }) => sum + costs.length, 0);
  const violations = results.flatMap(({ seed, violations }) => violations.map((violation) => ({ seed, ...violation })));
  const rows = rowsOf(results.flatMap(({ costs }) => costs));
  const reached = SOMETIMES.map((what) => ({
    what,
    times: results.reduce((sum, each) => sum + each.reached.filter((one) => one.what === what).length, 0),
  }));
  // A handful of faults cannot reach everything; a campaign must.
  const campaign = faults >= 100;
  const missing = campaign ? reached.filter(({ times }) => times === 0) : [];
  const text = [
    `${faults} faults in ${results.length} seeds: ${violations.length === 0 ? 'every assertion holds' : `${violations.length} violations`}.`,
    '',
    tableOf(rows),
    '',
    measuredOf(rows),
    '',
    'Reached:',
    ...reached.map(({ what, times }) => `- ${what}: ${times} times`),
    ...(missing.length > 0 ? ['', `NEVER REACHED: ${missing.map(({ what }) => what).join(', ')}`] : []),
    ...(violations.length > 0 ? ['', 'Violations:'] : []),
    ...violations.map(({ seed, assertion, detail }) => `- seed ${seed}: ${assertion}: ${detail}`),
  ].join('\n');
  return { text, ok: violations.length === 0 && missing.length === 0 };
}

export function tableOf(rows: readonly Row[]): string {
  return markdown(
    [
      'fault',
      'count',
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
      `${row.steps_lost_max} (${row.steps_lost_allowed})`,
      String(row.asked_again),
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

const number = (value: number | null) => (value === null ? '' : value.toFixed(1));

export function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  return [head, head.map((_, index) => (index === 0 ? '---' : '--:')), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
