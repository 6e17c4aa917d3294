import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AuditOptions } from '../../../src/cli/audit/options.ts';
import { readRequest } from '../../../src/cli/audit/read-request.ts';
import { loadConfig } from '../../../src/config.ts';
import { gavel, makeRoot } from '../gavel.ts';
import { placeWith } from './outside-audit.ts';

const place = placeWith(1);
const verdicts = place.write('verdicts.jsonl', '{"row_id": "row-0", "score": 3}\n');
const out = join(place.folder, 'out');
const usage = async (...args: string[]) => {
  const { code, stdout, stderr } = await gavel(['audit', ...args], place.env);
  expect(stdout).toBe('');
  expect(code).toBe(2);
  return stderr;
};

describe('gavel audit', () => {
  it('shows its options, the plan and examples', async () => {
    const { code, stdout } = await gavel(['audit', '--help']);
    expect(code).toBe(0);
    for (const text of ['--grader <who>', '--confirm-above', 'plan [options]', 'Examples:', 'gavel audit plan --gates'])
      expect(stdout).toContain(text);
    const { stdout: plan } = await gavel(['audit', 'plan', '--help']);
    expect(plan).toMatch(/^Usage: gavel audit plan/);
    expect(plan).toContain('--expect <id=value...>');
  });

  const read = (options: Partial<AuditOptions>) =>
    readRequest(loadConfig(place.env), { concurrency: 32, confidence: 0.95, confirmAbove: 1000, ...options });
  const files = { data: place.data, out, grader: verdicts };

  it.each<[Partial<AuditOptions>, string]>([
    [{}, '--data: missing'],
    [{ data: place.data }, '--out: missing'],
    [{ data: place.data, out }, '--grader: missing'],
    [{ data: 'none.jsonl', out }, '--data: expected a file of rows at'],
    [{ ...files, grader: 'http://127.0.0.1:1/v1', graderModel: 'g' }, '--rubric: missing'],
    [{ ...files, judgeModel: 'j' }, '--judge-model: expected --judge with it'],
    [{ ...files, judgeMode: 'reasoned' }, '--judge-mode: expected --judge with it'],
    [{ ...files, confidence: 0.4 }, '--confidence: expected more than 0.5'],
    [{ ...files, out: verdicts }, '--out: expected a folder, found the file'],
  ])('refuses %j', (options, message) => {
    expect(() => read(options)).toThrow(message);
  });

  it.each(['id', 'prompt', 'completion'])(
    'refuses a row whose %s has half of an emoji, by file and line',
    async (field) => {
      const row = { id: 'r', prompt: 'p', completion: 'c' };
      const data = place.write(
        `half-${field}.jsonl`,
        [row, { ...row, [field]: '\ud83d' }].map((each) => `${JSON.stringify(each)}\n`).join(''),
      );
      const asked = ['--grader', 'http://127.0.0.1:1/v1', '--grader-model', 'g', '--rubric', place.rubric];
      expect(await usage('--data', data, '--out', out, ...asked)).toContain(`${data}:2: ${field}: Expected text`);
    },
  );

  it('counts looks under the root, and under the state of the person where there is none', () => {
    expect(read(files).looks).toBe(join(place.folder, 'state/gavel/audit-looks.jsonl'));
    const { root, remove } = makeRoot();
    try {
      const config = loadConfig({ GAVEL_ROOT: root });
      const options = { ...files, concurrency: 32, confidence: 0.95, confirmAbove: 1000 };
      expect(readRequest(config, options).looks).toBe(join(root, '.gavel', 'audit-looks.jsonl'));
    } finally {
      remove();
    }
  });

  it('takes no flag of its first form, and no mode and number that are none', async () => {
    expect(await usage('--endpoint', 'http://x/v1')).toContain("unknown option '--endpoint'");
    expect(await usage('--max-rows', '0')).toContain('Expected a whole number, at least 1, got 0.');
    expect(await usage('--mode', 'listwise')).toContain(
      'Allowed choices are reasoned, single_token, choice, pairwise.',
    );
  });

  it('names every problem of a gates file', async () => {
    const gates = place.write('gates.yaml', '- {id: a.b.c.d}\n- {at_least: 1}\n');
    const stderr = await usage('--data', place.data, '--out', out, '--grader', verdicts, '--gates', gates);
    expect(stderr).toContain(`The list of gates ${gates} cannot be used:`);
    expect(stderr).toContain('0: expected one of at_least and at_most; found neither (line 1)');
    expect(stderr).toContain('1.id: missing; expected a string');
    expect(stderr).not.toContain('GAVEL_DEBUG');
  });

  it('refuses a run directory, whose audit is its own', async () => {
    const run = join(place.folder, 'run');
    mkdirSync(run);
    writeFileSync(join(run, 'run.json'), '{}');
    expect(await usage('--data', place.data, '--out', run, '--grader', verdicts)).toContain('found the run directory');
  });

  it('names the line of a row that is none, and the row that cannot be asked about, before anything is asked', async () => {
    const torn = place.write('torn.jsonl', '{"id": "a", "prompt": "p", "completion": "c"}\n{"id": "b", "prompt": 7}\n');
    const asking = ['--out', out, '--rubric', place.rubric, '--grader', 'http://127.0.0.1:1/v1', '--grader-model', 'g'];
    expect(await usage('--data', torn, ...asking)).toContain(`${torn}:2: prompt: `);
    const pair = place.write('pair.jsonl', '{"id": "a", "prompt": "p", "completion_a": "c", "completion_b": "d"}\n');
    expect(await usage('--data', pair, ...asking)).toContain(
      'row a: completion: expected one completion for mode single_token, found a pair',
    );
    const guided = place.write(
      'guided.yaml',
      place
        .read('rubric.yaml')
        .replaceAll('{{completion}}', '{{completion}} {{ground_truth}}')
        .replace('reference_guided: false', 'reference_guided: true'),
    );
    const rest = asking.map((arg) => (arg === place.rubric ? guided : arg));
    expect(await usage('--data', place.data, ...rest)).toContain('row row-0: ground_truth: expected text');
  });
});

describe('the mark of UTF-8 before the rows', () => {
  it('is taken where an endpoint is asked, as where files are read', async () => {
    const marked = place.write('marked.jsonl', `\uFEFF${place.read('rows.jsonl')}`);
    const asking = ['--rubric', place.rubric, '--grader', 'http://127.0.0.1:1/v1', '--grader-model', 'g'];
    const stderr = await usage('--data', marked, '--out', out, ...asking, '--confirm-above', '1');
    expect(stderr).toContain('Calls: 2 (grader single_token 2).');
  });
});

describe('a file of looks that cannot be written', () => {
  it('ends the audit before its calls are counted', async () => {
    const asking = ['--rubric', place.rubric, '--grader', 'http://127.0.0.1:1/v1', '--grader-model', 'g', '--yes'];
    const { code, stderr } = await gavel(['audit', '--data', place.data, '--out', out, ...asking], {
      ...place.env,
      XDG_STATE_HOME: place.data,
    });
    expect(code).toBe(2);
    expect(stderr).toContain(`to read and write at ${join(place.data, 'gavel/audit-looks.jsonl')}, found: E`);
    expect(stderr).toContain('Nothing was asked or paid.');
    expect(stderr).not.toContain('Calls:');
    expect(existsSync(out)).toBe(false);
  });
});

describe('gavel audit plan', () => {
  it('refuses what is no expectation and no share', async () => {
    expect(await usage('plan', '--expect', 'kappa')).toContain('Expected ID=VALUE');
    expect(await usage('plan', '--power', '2')).toContain('Expected a number between 0 and 1, got 2.');
    expect(await usage('plan', '--pilot', 'none.json')).toContain('--pilot: expected the audit.json of an audit at');
  });
});
