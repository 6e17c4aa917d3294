import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesOf } from '../../bench/faults/observe/processes.ts';
import type { SeedResult } from '../../bench/faults/run/run-seed.ts';

/** A short fault campaign on real parts: eight faults, two seeds, every assertion, and the witness. The long one is `npm run faults`. */

const package_root = fileURLToPath(new URL('../..', import.meta.url));
const KINDS = [
  'newest checkpoint damaged',
  'worker told to end (SIGTERM)',
  'judge away',
  'trainer killed',
  'worker killed',
  'gateway killed',
  'workflow worker killed',
  'run cancelled and resumed',
];
let out: string;
let results: SeedResult[];
let said: string;

beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), 'gavel-faults-'));
  const args = ['--seed', '102', '--seeds', '2', '--count', '4', '--jobs', '2', '--kinds', KINDS.join(','), '--json'];
  const main = join(package_root, 'bench/faults/main.ts');
  const { stdout, stderr } = await execa(process.execPath, ['--no-warnings', main, ...args, '--out', out], {
    reject: false,
    cancelSignal: AbortSignal.timeout(14 * 60_000),
    forceKillAfterDelay: 1000,
  });
  said = stderr;
  results = JSON.parse(stdout);
}, 15 * 60_000);
afterAll(() => rmSync(out, { recursive: true, force: true }));

describe('a short fault campaign', () => {
  it('completes every run and breaks no assertion', () => {
    expect(
      results.flatMap(({ violations }) => violations),
      said,
    ).toEqual([]);
    expect(results.map(({ status }) => status)).toEqual(['COMPLETED', 'COMPLETED']);
  });

  it('struck with every kind of fault that it was given', () => {
    const struck = results.flatMap(({ costs }) => costs.map(({ kind }) => kind));
    expect(struck.length).toBeGreaterThanOrEqual(7);
    expect(KINDS.filter((kind) => !struck.includes(kind)).length).toBeLessThanOrEqual(1);
  });

  it('loses no more than it promises', () => {
    const costs = results.flatMap((result) => result.costs);
    for (const { kind, steps_lost } of costs) {
      const allowed = kind === 'newest checkpoint damaged' ? 6 : /SIGTERM|judge|gateway|workflow/.test(kind) ? 0 : 3;
      expect(steps_lost, kind).toBeLessThanOrEqual(allowed);
    }
  });

  it('leaves no process and no file behind', () => {
    for (const { seed } of results) expect(processesOf(join(out, `seed-${seed}`, 'root'))).toEqual([]);
  });
});
