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

/** An audit of a model that real vLLM serves, on 5,276 real solutions of GSM8K. It reads any text and answers nonsense. */

const package_root = fileURLToPath(new URL('../..', import.meta.url));
const solutions = join(package_root, '../shared/data/gsm8k/example_model_solutions.jsonl');
const present = existsSync(solutions);
if (!present) console.warn(`SKIPPED: no solutions at ${solutions}; the audit of a served model on them is not tested.`);

const MODELS = ['6b_finetuning', '6b_verification', '175b_finetuning', '175b_verification'];
const ROWS = 5276;
const RIGHT = 2001;
/** Some solutions are word for word the same, and share a reply. */
const TEXTS = 5268;

/** Random weights put little on the digits: their verdicts count however little that is. */
const RUBRIC = `name: gsm8k-nonsense
max_off_scale_mass: 0.9999
frame: digest
scores: {0: a, 1: a, 2: a, 3: a, 4: a, 5: a, 6: a, 7: a, 8: a, 9: b}
modes:
  reasoned: {messages: [{role: user, content: "{{frame}} {{prompt}} {{completion}}"}]}
  single_token: {messages: [{role: user, content: "{{frame}} {{prompt}} {{completion}}"}]}
`;

const CONCURRENCY = 16;
/** `_CALLS_IN_FLIGHT` of the audit: most of them wait for one of the places above, and have not been paid. */
const OPEN_CALLS = 256;

let work: string;
let vllm: RealVllm;

beforeAll(async () => {
  if (!present) return;
  work = temporaryFolder('gsm8k-audit');
  const folder = join(work, 'grader-model');
  const script = join(package_root, 'test/fixtures/models/make-byte-model.py');
  await execa(join(package_root, '.venv/bin/python'), [script, folder, '0']);
  vllm = await startVllm(folder, work, 4096);
});

afterAll(() => vllm?.stop());

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
  const { url, model } = vllm;
  const grader = { url, model, engine: 'vllm', modes: ['single_token'], tokenizers: [model], timeout_s: 300 };
  writeFileSync(join(work, 'grader.json'), JSON.stringify(grader));
  writeFileSync(join(work, 'gates.yaml'), '- {id: truth.grader.headline.balanced_accuracy, at_least: 0.6}\n');
  mkdirSync(join(work, 'no-root'));
  const file = (name: string) => join(work, name);
  return [
    ...['audit', '--data', file('rows.jsonl'), '--rubric', file('rubric.yaml'), '--gates', file('gates.yaml')],
    ...['--grader', file('grader.json'), '--out', file('audit'), '--concurrency', `${CONCURRENCY}`, '--yes', '--json'],
  ];
}

/** Requests that the server has answered in its life, as it counts itself. */
async function answered(): Promise<number> {
  const text = await (await fetch(vllm.url.replace(/\/v1$/, '/metrics'))).text();
  const counts = [...text.matchAll(/^vllm:request_success_total\{[^}]*\} ([\d.e+]+)$/gm)];
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

describe.skipIf(!present)('an audit of a served model on 5,276 solutions of GSM8K', () => {
  it('is killed in the middle, continues, pays for no verdict on disk twice, and ends in a report', {
    timeout: 30 * 60_000,
  }, async () => {
    const command = writeInputs();
    const env = { GAVEL_ROOT: join(work, 'no-root'), XDG_STATE_HOME: join(work, 'state'), NO_COLOR: '1' };
    const began = await answered();
    const child = spawn(process.execPath, ['--no-warnings', cli, ...command], {
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
    const dead = new Promise((resolve) => child.on('exit', resolve));
    await until('half of the calls', 900, async () => child.exitCode !== null || (await answered()) > began + ROWS / 2);
    expect(child.exitCode).toBeNull();
    child.kill('SIGKILL');
    await dead;
    await until('the process of the audit to end', 10, async () => leftovers().length === 0);
    expect(await answered()).toBeLessThan(began + ROWS);

    const { code, stdout, stderr } = await gavel(command, env);
    const audit = Audit.parse(JSON.parse(stdout));
    expect(audit).toMatchObject({ rows: ROWS, prompts: 1319, look: { number: 1 }, verdict: 'FAIL' });
    expect(code, stderr).toBe(3);
    expect(audit.truth_labels).toEqual({ right: RIGHT, wrong: ROWS - RIGHT });
    // Asked again is what had no verdict on disk at the kill: calls in flight, and answers that waited while the disk wrote those before
    // them, at most as many as the audit has open at once.
    expect((await answered()) - began).toBeLessThanOrEqual(TEXTS + OPEN_CALLS);
    const scored = audit.records.find(
      ({ id, slice }) => id === 'coverage.grader.single_token.scored' && slice === 'all',
    );
    expect(scored).toMatchObject({ n: ROWS, point: 1 });
    const checkpoints = audit.slices.find(({ field }) => field === 'checkpoint');
    expect(checkpoints?.values.map(({ value, rows }) => [value, rows]).sort()).toEqual(
      MODELS.map((name) => [name, ROWS / 4]).sort(),
    );
    const html = readFileSync(join(work, 'audit', 'report.html'), 'utf8');
    expect(html).toContain('FAIL');
    expect(html.length).toBeLessThan(5e6);
  });
});
