import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Audit } from '../../src/contracts/audit.ts';
import { RolloutRecord } from '../../src/contracts/stage.ts';
import { readTraces } from '../../src/ledger/reader.ts';
import { freePort } from '../../src/process/ports.ts';
import { AuditRecords } from '../../src/report/audit-records.ts';
import { readJsonLines } from '../../src/run-directory/files.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { openSandbox, type Sandbox, until } from './sandbox.ts';

/** One run from end to end on the real server, vLLM, TRL and PEFT, disturbed once; each test reads what it left. */

const RUN = 'e2e';
let sandbox: Sandbox;
let up: Awaited<ReturnType<Sandbox['up']>>;

interface Status {
  state: string;
  stage: string;
  step: number;
  checkpoint: string | null;
  processes: { role: string; pid: number }[];
  interruptions: { latest: { what: string }[] };
  verdict: string | null;
  failure: string | null;
}

const status = async (): Promise<Status> => JSON.parse((await sandbox.gavel('status', RUN, '--json')).stdout);

beforeAll(async () => {
  sandbox = await openSandbox();
  up = await sandbox.up();
});

afterAll(async () => {
  await up?.stop();
  sandbox?.close();
});

describe('a run from end to end', () => {
  it('completes although its trainer is killed in the middle of GRPO', async () => {
    const started = await sandbox.gavel('run', 'examples/poly-easy-smoke.yaml', '--run', RUN);
    expect(started.stderr).toBe('');
    expect(started.code).toBe(0);
    const trainer = await until('a first committed step of GRPO', 400, async () => {
      const now = await status();
      if (now.failure) throw new Error(`${now.failure}\n${up.output()}`);
      const { pid } = now.processes.find(({ role }) => role === 'trainer') ?? {};
      return now.checkpoint !== null && now.checkpoint >= 'step-000001' ? pid : null;
    });
    process.kill(trainer, 'SIGKILL');
    const end = await until('the run to end', 600, async () => {
      const now = await status();
      return now.state !== 'running' && now;
    });
    expect(end.failure).toBeNull();
    expect(end.state).toBe('done');
    expect(end.interruptions.latest.map(({ what }) => what)).toContain('trainer');
  });

  it('is closed to other users, file by file', () => {
    const { dir } = runPaths(sandbox.root, RUN);
    const all = readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name));
    const open = [dir, ...all].filter((path) => (statSync(path).mode & 0o077) !== 0);
    expect(open).toEqual([]);
  });

  it('keeps every trace once, and every committed rollout names its trace', async () => {
    const paths = runPaths(sandbox.root, RUN);
    const lines = readdirSync(paths.traces)
      .filter((name) => name.endsWith('.jsonl'))
      .flatMap((name) => readFileSync(join(paths.traces, name), 'utf8').trim().split('\n'))
      .filter(Boolean)
      .map((line) => JSON.parse(line).key as string);
    expect(new Set(lines).size).toBe(lines.length);
    const keys = new Set<string>();
    for await (const trace of readTraces(paths.dir)) keys.add(trace.key);
    const checkpoints = paths.stage('grpo').checkpoints;
    let rollouts = 0;
    for (const name of readdirSync(checkpoints)) {
      const file = join(checkpoints, name, 'rollouts.jsonl');
      if (!existsSync(file)) continue;
      for await (const rollout of readJsonLines(file, RolloutRecord)) {
        rollouts += 1;
        expect(rollout.trace_keys.length).toBe(1);
        for (const key of rollout.trace_keys) expect(keys).toContain(key);
      }
    }
    expect(rollouts).toBeGreaterThanOrEqual(3 * 16);
  });

  it('leaves an audit by contract and a report that needs nothing from outside', () => {
    const paths = runPaths(sandbox.root, RUN);
    const audit = Audit.parse(JSON.parse(readFileSync(paths.report.audit, 'utf8')));
    expect(audit.rows).toBe(24 * 3);
    const records = new AuditRecords(audit);
    expect(records.find('fidelity.grader.headline.quadratic_weighted_kappa')?.n).toBeGreaterThan(0);
    expect(records.asked('truth').map(({ role }) => role)).toContain('base');
    const html = readFileSync(paths.report.html, 'utf8');
    expect(html).toContain('<svg');
    expect(html).not.toMatch(/(src|href)="https?:/);
  });

  it('keeps rollouts, traces and keys out of the history', async () => {
    const { stdout } = await sandbox.temporal('workflow', 'show', '--workflow-id', `gavel/${RUN}/grpo`, '-o', 'json');
    expect(stdout.length).toBeGreaterThan(1000);
    expect(stdout).not.toContain('Check each step');
    expect(stdout).not.toContain('e2e-key');
  });

  it('refuses a second run of the same name and says what to do', async () => {
    const again = await sandbox.gavel('run', 'examples/poly-easy-smoke.yaml', '--run', RUN);
    expect(again.code).not.toBe(0);
    expect(again.stderr).toContain('--run NAME');
  });

  it('serves the grader to the openai client', async () => {
    const port = await freePort();
    const serve = sandbox.start('serve', RUN, '--port', String(port), '--override-audit');
    try {
      const client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'e2e-key', maxRetries: 0 });
      const messages = [
        { role: 'user' as const, content: 'Solve 3x+4=-5.\n-5-4=-9, -9/3=-3. Answer -3\nCheck each step.' },
      ];
      const ask = { model: `${RUN}-grader`, messages, max_tokens: 16, temperature: 0 };
      const chat = await until('the grader to answer', 300, async () => {
        if (serve.process.exitCode !== null) throw new Error(serve.output());
        // While vLLM loads, the gateway is not there yet or says 503.
        return client.chat.completions.create(ask).catch((error: unknown) => {
          const loading = error instanceof OpenAI.APIConnectionError || error instanceof OpenAI.InternalServerError;
          if (loading || error instanceof OpenAI.NotFoundError) return null;
          throw error;
        });
      });
      expect((await client.models.list()).data.map(({ id }) => id)).toContain(ask.model);
      const whole = chat.choices[0]?.message.content;
      expect(whole).toBeTruthy();
      let streamed = '';
      for await (const part of await client.chat.completions.create({ ...ask, stream: true })) {
        streamed += part.choices[0]?.delta.content ?? '';
      }
      expect(streamed).toBe(whole);
      const wrongKey = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'wrong', maxRetries: 0 });
      await expect(wrongKey.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    } finally {
      serve.process.kill('SIGINT');
      await until('gavel serve to end', 30, async () => serve.process.exitCode !== null);
    }
  });

  it('leaves no process behind', async () => {
    await up.stop();
    await until('every process to be gone', 60, async () => sandbox.leftovers().length === 0);
    expect(up.process.exitCode).not.toBeNull();
  });
});
