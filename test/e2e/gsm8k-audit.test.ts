import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Audit } from '../../src/contracts/audit.ts';
import { cli, gavel } from '../cli/gavel.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type RealVllm, startVllm } from './real-vllm.ts';
import { until } from './sandbox.ts';

/** An audit of 5,276 real solutions of GSM8K by two models that real vLLM serve. They read any text and answer nonsense. */

const package_root = fileURLToPath(new URL('../..', import.meta.url));
const solutions = join(package_root, '../shared/data/gsm8k/example_model_solutions.jsonl');
const present = existsSync(solutions);
if (!present) console.warn(`SKIPPED: no solutions at ${solutions}; the audit of a served model on them is not tested.`);

const MODELS = ['6b_finetuning', '6b_verification', '175b_finetuning', '175b_verification'];
const ROWS = 5276;

/** Random weights put little on the digits: their verdicts count however little that is. */
const RUBRIC = `name: gsm8k-nonsense
max_off_scale_mass: 0.9999
frame: digest
scores: {0: a, 1: a, 2: a, 3: a, 4: a, 5: a, 6: a, 7: a, 8: a, 9: b}
modes:
  reasoned: {messages: [{role: user, content: "{{frame}} {{prompt}} {{completion}}"}]}
  single_token: {messages: [{role: user, content: "{{frame}} {{prompt}} {{completion}}"}]}
`;

let work: string;
const served: Record<string, RealVllm> = {};

beforeAll(async () => {
  if (!present) return;
  work = temporaryFolder('gsm8k-audit');
  for (const [seed, role] of ['grader', 'judge'].entries()) {
    const folder = join(work, `${role}-model`);
    const script = join(package_root, 'test/fixtures/models/make-byte-model.py');
    await execa(join(package_root, '.venv/bin/python'), [script, folder, String(seed)]);
    served[role] = await startVllm(folder, work, 4096);
  }
  // Two servers, one after the other, on a machine that may do other things too.
}, 10 * 60_000);

afterAll(() => Promise.all(Object.values(served).map((vllm) => vllm.stop())));

function writeInputs(): string[] {
  const lines = readFileSync(solutions, 'utf8').trim().split('\n');
  const rows = lines.flatMap((line, at) => {
    const { question, ...rest } = JSON.parse(line);
    return MODELS.map((name) => {
      const { solution, is_correct } = rest[name];
      return { id: `${at}-${name}`, prompt: question, completion: solution, is_correct, source: name };
    });
  });
  expect(rows).toHaveLength(ROWS);
  writeFileSync(join(work, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
  writeFileSync(join(work, 'rubric.yaml'), RUBRIC);
  for (const [role, { url, model }] of Object.entries(served)) {
    const file = { url, model, engine: 'vllm', modes: ['single_token'], tokenizers: [model], timeout_s: 300 };
    writeFileSync(join(work, `${role}.json`), JSON.stringify(file));
  }
  mkdirSync(join(work, 'no-root'));
  const files = Object.keys(served).flatMap((role) => [`--${role}`, join(work, `${role}.json`)]);
  const about = ['--data', join(work, 'rows.jsonl'), '--rubric', join(work, 'rubric.yaml')];
  return ['audit', ...about, ...files, '--out', join(work, 'audit'), '--concurrency', '16', '--yes', '--json'];
}

/** Requests that both servers have answered in their lives, as they count themselves. */
async function answered(): Promise<number> {
  const texts = await Promise.all(
    Object.values(served).map(async ({ url }) => (await fetch(url.replace(/\/v1$/, '/metrics'))).text()),
  );
  const counts = texts.flatMap((text) => [...text.matchAll(/^vllm:request_success_total\{[^}]*\} ([\d.e+]+)$/gm)]);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Processes that were started for this audit and still run. */
const leftovers = () =>
  readdirSync('/proc').filter((pid) => {
    try {
      const said = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      return /^\d+$/.test(pid) && said.includes('gavel_train.audit.external') && said.includes(work);
    } catch {
      return false;
    }
  });

describe.skipIf(!present)('an audit of two served models on 5,276 solutions of GSM8K', () => {
  it('is killed in the middle, continues, pays no call twice, and ends in a report', async () => {
    const command = writeInputs();
    const env = { GAVEL_ROOT: join(work, 'no-root'), NO_COLOR: '1' };
    const child = spawn(process.execPath, ['--no-warnings', cli, ...command], {
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
    const dead = new Promise((resolve) => child.on('exit', resolve));
    await until('half of the calls', 800, async () => child.exitCode !== null || (await answered()) > ROWS);
    expect(child.exitCode).toBeNull();
    child.kill('SIGKILL');
    await dead;
    await until('the process of the audit to end', 10, async () => leftovers().length === 0);
    const before = await answered();

    const { code, stdout, stderr } = await gavel(command, env);
    const audit = Audit.parse(JSON.parse(stdout));
    expect(code, stderr).toBe({ PASS: 0, FAIL: 3, INCONCLUSIVE: 4 }[audit.verdict]);
    expect(audit).toMatchObject({ rows: ROWS, look: { number: 1 }, truth_labels: { right: expect.any(Number) } });
    expect(audit.verdict).not.toBe('PASS');
    // Calls in flight at the kill were lost; rows that share their text share the reply.
    expect(before).toBeGreaterThan(ROWS);
    expect(await answered()).toBeLessThanOrEqual(2 * ROWS + 2 * 16);
    for (const role of ['grader', 'judge']) {
      const scored = audit.records.find(
        ({ id, slice }) => slice === 'all' && id === `coverage.${role}.single_token.scored`,
      );
      expect(scored?.n).toBe(ROWS);
      expect(scored?.point).toBeGreaterThan(0.95);
    }
    const slices = audit.slices.find(({ field }) => field === 'checkpoint');
    expect(slices?.values.map(({ value, rows }) => [value, rows]).sort()).toEqual(
      MODELS.map((name) => [name, ROWS / 4]).sort(),
    );
    const html = readFileSync(join(work, 'audit', 'report.html'), 'utf8');
    expect(html).toContain(audit.verdict);
    expect(html.length).toBeLessThan(5e6);
  });
});
