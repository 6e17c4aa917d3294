import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Audit } from '../../../src/contracts/audit.ts';
import { until } from '../../e2e/sandbox.ts';
import type { FakeJudge } from '../../gateway/fake-judge.ts';
import { cli, gavel } from '../gavel.ts';
import { model, type Place, placeWith } from './outside-audit.ts';

// Each audit starts Node and Python; on a machine that does other things too that takes many seconds.
vi.setConfig({ testTimeout: 180_000 });

const servers: FakeJudge[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function served(...args: Parameters<typeof model>): Promise<FakeJudge> {
  const server = await model(...args);
  servers.push(server);
  return server;
}

const begin = ({ data, rubric }: Place, out: string) => ['audit', '--data', data, '--out', out, '--rubric', rubric];
const as = (role: string, { url }: FakeJudge, name: string) => [`--${role}`, url, `--${role}-model`, name];

/** Processes of the audit into a folder that still run. */
const processesOf = (out: string) =>
  readdirSync('/proc').filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
      return words.includes('gavel_train.audit.external') && words.includes(out);
    } catch {
      return false;
    }
  });

/** Traces that are whole on disk: a kill can cut the last line of a segment. */
function tracesIn(out: string): number {
  const texts = readdirSync(join(out, 'traces'))
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => readFileSync(join(out, 'traces', name), 'utf8'));
  return texts.reduce((total, text) => total + text.split('\n').length - 1, 0);
}

describe('gavel audit', () => {
  it('audits endpoints from an empty folder: report, figures and traces, each key at its own host', async () => {
    const place = placeWith(40);
    const [grader, judge] = [await served(8), await served(5)];
    const out = join(place.folder, 'audit-1');
    const keys = ['--grader-key-env', 'G_KEY', '--judge-key-env', 'J_KEY'];
    const { code, stdout, stderr } = await gavel(
      [...begin(place, out), ...as('grader', grader, 'g'), ...as('judge', judge, 'j'), ...keys, '--slice', 'parity'],
      { ...place.env, G_KEY: 'g-secret', J_KEY: 'j-secret' },
    );
    const audit = Audit.parse(JSON.parse(place.read('audit-1/audit.json')));
    expect(code, stderr).toBe({ PASS: 0, FAIL: 3, INCONCLUSIVE: 4 }[audit.verdict]);
    expect(stderr).toContain('Calls: 160 (grader single_token 80, judge reasoned 80).');
    expect(audit).toMatchObject({ run: 'audit-1', rows: 80, prompts: 40, headline_mode: 'single_token' });
    expect(audit.slices.map(({ field }) => field)).toEqual(['parity']);
    expect(new Set(grader.chats.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer g-secret']));
    expect(new Set(judge.chats.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer j-secret']));
    for (const { label } of audit.measures.filter(({ part }) => part === 'truth')) expect(stdout).toContain(label);
    for (const { id } of audit.gates) expect(stdout).toContain(id);
    for (const { text } of audit.findings) expect(stdout).toContain(text);
    expect(stdout).toContain(join(out, 'report.html'));
    expect(existsSync(join(out, 'report.html'))).toBe(true);
    // No root is here, so looks are counted among what the person's programs keep.
    const looks = join(place.folder, 'state/gavel/audit-looks.jsonl');
    expect(stdout).toContain(looks);
    expect(readFileSync(looks, 'utf8').trim().split('\n')).toHaveLength(1);
    expect(readdirSync(join(place.folder, 'no-root'))).toEqual([]);
  });

  it('asks nothing again when the same command runs again, and counts no second look', async () => {
    const place = placeWith(30);
    const grader = await served(8);
    const command = [...begin(place, join(place.folder, 'a')), ...as('grader', grader, 'g'), '--json'];
    const first = await gavel(command, place.env);
    const asked = grader.chats.length;
    const second = await gavel(command, place.env);
    expect(grader.chats).toHaveLength(asked);
    expect(second.stderr).toContain('Calls: 0 (grader single_token 0); 60 more are answered already');
    const [one, two] = [first, second].map(({ stdout }) => Audit.parse(JSON.parse(stdout)));
    expect(two?.look.number).toBe(1);
    expect(two?.records.filter(({ id }) => !id.startsWith('speed.'))).toEqual(
      one?.records.filter(({ id }) => !id.startsWith('speed.')),
    );
  });

  it('goes on after kill -9, asks no row again, and leaves no process behind', async () => {
    const place = placeWith(60);
    const grader = await served(8, { delay_ms: 100 });
    const out = join(place.folder, 'killed');
    const command = [...begin(place, out), ...as('grader', grader, 'g'), '--concurrency', '4', '--json'];
    const child = spawn(process.execPath, ['--no-warnings', cli, ...command], {
      env: { ...process.env, ...place.env },
      stdio: 'ignore',
    });
    const dead = new Promise((resolve) => child.on('exit', resolve));
    while (grader.chats.length < 30) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGKILL');
    await dead;
    expect(grader.chats.length).toBeLessThan(120);
    await until('the process of the audit to end', 10, async () => processesOf(out).length === 0);
    const paid = grader.chats.length;
    const kept = tracesIn(out);
    expect(kept).toBeGreaterThan(0);
    const { stdout, stderr } = await gavel(command, place.env);
    // Only rows whose trace was not on disk are asked: calls in flight at the kill, and answers on their way to the disk.
    expect(grader.chats.length - paid).toBe(120 - kept);
    expect(stderr).toMatch(/more are answered already/);
    const audit = Audit.parse(JSON.parse(stdout));
    expect(audit.rows).toBe(120);
    expect(audit.look.number).toBe(1);
    // The second attempt wrote segments of its own.
    const epochs = readdirSync(join(out, 'traces')).map((name) => /^audit-e(\d+)-/.exec(name)?.[1]);
    expect(new Set(epochs)).toEqual(new Set(['1', '2']));
  });

  it('says how to go on where an endpoint goes away half-way, and goes on when it is back', async () => {
    const place = placeWith(30);
    const grader = await served(8, { delay_ms: 20 });
    const { port } = grader;
    const path = place.write('grader.yaml', `url: ${grader.url}\nmodel: g\noutage_limit_s: 1\nconcurrency: 2\n`);
    const command = [...begin(place, join(place.folder, 'away')), '--grader', path, '--json'];
    const first = gavel(command, place.env);
    await until('some calls', 60, async () => grader.chats.length >= 20);
    await grader.stop();
    const { code, stdout, stderr } = await first;
    expect(code, stderr).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('The grader has not answered for 1 s');
    expect(stderr).toContain('The same command again continues it');
    await grader.start(port);
    const second = await gavel(command, place.env);
    expect(Audit.parse(JSON.parse(second.stdout)), second.stderr).toMatchObject({ rows: 60, look: { number: 1 } });
    expect(grader.chats.length).toBeLessThanOrEqual(60 + 2);
  });
});

describe('an audit of files alone', () => {
  it('prints one JSON object on standard output, and says which default gates cannot be answered', async () => {
    const place = placeWith(40);
    const verdict = (at: number) => ({ row_id: `row-${at}`, score: at % 2 === 0 ? 8 : at % 7 === 0 ? 6 : 2 });
    const lines = Array.from({ length: 80 }, (_, at) => JSON.stringify(verdict(at)));
    const file = place.write('verdicts.jsonl', lines.join('\n'));
    const command = ['audit', '--data', place.data, '--out', join(place.folder, 'files'), '--grader', file, '--json'];
    const { code, stdout, stderr } = await gavel(command, place.env);
    const audit = Audit.parse(JSON.parse(stdout));
    expect(stderr).toContain('Nobody is asked');
    expect(audit).toMatchObject({ verdict: 'INCONCLUSIVE', headline_mode: 'file', threshold: 5 });
    expect(code).toBe(4);
    const open = audit.gates.filter(({ matches }) => matches.length === 0);
    expect(open.map(({ id }) => id.split('.').slice(0, 2).join('.'))).toEqual([
      'fidelity.grader',
      'teacher_wrong.grader',
      'coverage.judge',
    ]);
    for (const { reason } of open) expect(reason).toMatch(/^Expected a record/);
  });

  it('takes the threshold from a rubric, and gates from a file', async () => {
    const place = placeWith(40);
    const lines = Array.from({ length: 80 }, (_, at) => JSON.stringify({ row_id: `row-${at}`, score: at % 2 ? 2 : 8 }));
    const file = place.write('verdicts.jsonl', lines.join('\n'));
    const rubric = place.write(
      'strict.yaml',
      place.read('rubric.yaml').replace(/^(?:threshold:.*\n)?/, 'threshold: 9\n'),
    );
    const gates = place.write('gates.yaml', '- {id: truth.grader.file.balanced_accuracy, at_least: 0.9}\n');
    const command = ['audit', '--data', place.data, '--out', join(place.folder, 'f'), '--grader', file, '--json'];
    const lax = await gavel([...command, '--gates', gates], place.env);
    expect(Audit.parse(JSON.parse(lax.stdout)), lax.stderr).toMatchObject({ threshold: 5, verdict: 'PASS' });
    expect(lax.code).toBe(0);
    const strict = await gavel([...command, '--gates', gates, '--rubric', rubric], place.env);
    expect(JSON.parse(strict.stdout), strict.stderr).toMatchObject({ threshold: 9, verdict: 'FAIL' });
    expect(strict.code).toBe(3);
  });
});

describe('what costs', () => {
  it('is refused above the limit without --yes, before anything is asked or written', async () => {
    const place = placeWith(30);
    const grader = await served(8);
    const out = join(place.folder, 'dear');
    const command = [...begin(place, out), ...as('grader', grader, 'g'), '--mode', 'single_token', 'reasoned'];
    const { code, stderr } = await gavel([...command, '--confirm-above', '100'], place.env);
    expect(code).toBe(2);
    expect(stderr).toContain('Calls: 120 (grader single_token 60, grader reasoned 60).');
    expect(stderr).toMatch(
      /Tokens: about [\d,]+ prompt tokens \(4 characters each\) and at most 31,000 completion tokens/,
    );
    expect(stderr).toContain('Nothing was asked or paid.');
    expect(grader.asked).toEqual([]);
    expect(existsSync(out)).toBe(false);
  });

  it('is asked with --yes, and less of it with --max-rows', async () => {
    const place = placeWith(30);
    const grader = await served(8);
    const command = [...begin(place, join(place.folder, 'few')), ...as('grader', grader, 'g'), '--json'];
    const { stdout, stderr } = await gavel(
      [...command, '--confirm-above', '10', '--yes', '--max-rows', '20'],
      place.env,
    );
    expect(stderr).toContain('Calls: 20 ');
    expect(JSON.parse(stdout).rows).toBe(20);
    expect(grader.chats).toHaveLength(20);
  });
});
