import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { gavel, makeRoot } from './gavel.ts';

const { root, remove } = makeRoot();
const inRoot = { GAVEL_ROOT: root };
afterAll(remove);
mkdirSync(join(root, 'runs/alone'), { recursive: true });

describe.concurrent('help', () => {
  it('lists the commands and the exit codes', async () => {
    const { code, stdout, stderr } = await gavel(['--help']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    for (const name of [
      'demo',
      'up',
      'down',
      'worker',
      'rubric',
      'fit',
      'verify',
      'run',
      'watch',
      'status',
      'report',
      'traces',
      'export',
      'audit',
      'serve',
      'doctor',
    ]) {
      expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
    }
    expect(stdout).toMatch(/3 +the audit's verdict is FAIL/);
  });

  it.each(['fit', 'run', 'up', 'worker', 'status', 'traces', 'export', 'audit', 'serve', 'demo'])(
    'describes %s',
    async (name) => {
      const { code, stdout } = await gavel([name, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`^Usage: gavel ${name}`));
      expect(stdout).not.toContain('--supervised');
    },
  );
});

describe.concurrent('wrong usage', () => {
  it('suggests the nearest command and exits with 2', async () => {
    const { code, stderr } = await gavel(['stauts']);
    expect(code).toBe(2);
    expect(stderr).toContain("unknown command 'stauts'");
    expect(stderr).toContain('Did you mean status?');
  });

  it('names the argument that is missing', async () => {
    const { code, stderr } = await gavel(['run']);
    expect(code).toBe(2);
    expect(stderr).toContain("missing required argument 'spec'");
  });

  it('refuses a run name that climbs out', async () => {
    const { code, stderr } = await gavel(['status', '../x'], inRoot);
    expect(code).toBe(2);
    expect(stderr).toContain('Expected a run name');
    expect(stderr).toContain('"../x"');
  });

  it('refuses a score that is none', async () => {
    const { code, stderr } = await gavel(['traces', 'x', '--min-score', '12'], inRoot);
    expect(code).toBe(2);
    expect(stderr).toContain('Expected a score from 0 to 9, got 12.');
  });
});

describe.concurrent('gavel run', () => {
  it('names every wrong field of a spec with its line and exits with 2', async () => {
    const path = join(root, 'bad.yaml');
    writeFileSync(path, 'run: x\npolicyy: {model: m}\ngrpo: {steps: -1}\n');
    const { code, stderr } = await gavel(['run', path], inRoot);
    expect(code).toBe(2);
    expect(stderr).toContain('policyy: unknown field. Did you mean "policy"? (line 2)');
    expect(stderr).toMatch(/grpo\.steps: expected at least 1; found -1 \(line 3\)/);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it('says where it looked for Temporal and how to start it', async () => {
    const { code, stderr } = await gavel(['run', 'examples/poly-easy.yaml'], inRoot);
    expect(code).toBe(1);
    expect(stderr).toContain('Expected Temporal to answer at 127.0.0.1:1');
    expect(stderr).toContain('gavel up');
    expect(stderr).toContain('TEMPORAL_ADDRESS');
  });

  it('says what is wrong with a Temporal profile', async () => {
    const config = join(root, 'temporal.toml');
    writeFileSync(config, '[profile.default\n');
    const { code, stderr } = await gavel(['run', 'examples/poly-easy.yaml'], {
      ...inRoot,
      TEMPORAL_CONFIG_FILE: config,
    });
    expect(code).toBe(1);
    expect(stderr).toContain("Temporal's configuration cannot be used");
  });
});

describe.concurrent('gavel status', () => {
  it('works from the run directory alone and says that the server is away', async () => {
    const { code, stdout } = await gavel(['status', 'alone', '--json'], inRoot);
    expect(code).toBe(0);
    const view = JSON.parse(stdout);
    expect(view).toMatchObject({ run: 'alone', stage: 'prepare', step: 0, processes: [] });
    expect(view.notes.join()).toContain('Temporal is not reachable');
  });

  it('fails for a run that neither server nor disk has', async () => {
    const { code, stderr } = await gavel(['status', 'unknown'], inRoot);
    expect(code).toBe(1);
    expect(stderr).toContain('Expected a run named unknown');
  });

  it('writes no colours where the output is not a terminal', async () => {
    const { stdout } = await gavel(['status', 'alone'], { ...inRoot, NO_COLOR: '1' });
    expect(stdout).toContain('GRPO');
    expect(stdout).not.toContain('\u001b');
  });
});

describe.concurrent('gavel fit', () => {
  const fits = ['fit', 'examples/poly-easy.yaml'];

  it('prints the sum of each process and exits with 0 where all fit', async () => {
    const { code, stdout } = await gavel(fits, { GAVEL_ROOT: process.cwd() });
    expect(code).toBe(0);
    expect(stdout).toMatch(/grpo: trainer \(main memory\)\n.+\n {2}weights +3\.2 MiB {2}0\.8M x 4 bytes/);
    expect(stdout).toMatch(/grpo: time of a step, predicted\n/);
    expect(stdout).toMatch(/Run: fits/);
  });

  it('prints the same as JSON, and the time of a step on a GPU that is named', async () => {
    const { stdout } = await gavel([...fits, '--json', '--gpu', 'H100', '--completion-tokens', '20'], {
      GAVEL_ROOT: process.cwd(),
    });
    const { verdict, needs, step_time } = JSON.parse(stdout);
    expect(step_time.phases.map(({ name }: { name: string }) => name)).toEqual([
      'rollout',
      'judge, after the rollout',
      'update',
    ]);
    // Without staleness the phases follow each other.
    const sum = step_time.phases.reduce((all: number, phase: { seconds: number }) => all + phase.seconds, 0);
    expect(step_time.seconds).toBeCloseTo(sum, 2);
    expect(verdict).toBe('fits');
    for (const need of needs) {
      expect(need.bytes).toBe(need.parts.reduce((sum: number, part: { bytes: number }) => sum + part.bytes, 0));
    }
  });

  it('refuses a file that is no spec', async () => {
    expect((await gavel(['fit', 'package.json'])).code).toBe(2);
  });

  it('refuses a length that is no number of tokens', async () => {
    expect((await gavel([...fits, '--completion-tokens', 'many'])).code).toBe(2);
  });
});

describe.concurrent('gavel doctor', () => {
  it('reports each thing it looked at', async () => {
    const { code, stdout } = await gavel(['doctor', '--json'], inRoot);
    const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: { name: string; ok: boolean }[] };
    expect(code).toBe(ok ? 0 : 1);
    for (const name of ['Node', 'Python', 'torch', 'vLLM', 'Temporal CLI', 'GPUs', 'root', 'disk', 'Temporal']) {
      expect(checks.map((check) => check.name)).toContain(name);
    }
  });

  it('exits with 1 and names the command where something needed is missing', async () => {
    const { code, stdout } = await gavel(['doctor'], { ...inRoot, GAVEL_PYTHON: '/nowhere/python' });
    expect(code).toBe(1);
    expect(stdout).toContain('none that works at /nowhere/python');
    expect(stdout).toContain('fix: npm run setup');
  });
});

describe('gavel worker', () => {
  it('refuses a root without its marker file', async () => {
    const { code, stderr } = await gavel(['worker'], { GAVEL_ROOT: '/tmp' });
    expect(code).toBe(1);
    expect(stderr).toContain('.gavel-root');
  });
});

describe('gavel root', () => {
  it('makes a folder a root once, and prints the queue that runs are started on', async () => {
    const { root, remove } = makeRoot();
    try {
      rmSync(join(root, '.gavel-root'));
      expect((await gavel(['root'], { GAVEL_ROOT: root })).code).toBe(1);
      const { code, stdout } = await gavel(['root', '--new'], { GAVEL_ROOT: root });
      expect(code).toBe(0);
      const id = /UUID +(\S+)/.exec(stdout)?.[1] ?? '';
      expect(stdout).toContain(root);
      // As all that a command and its children write: for this user alone.
      expect(statSync(join(root, '.gavel-root')).mode & 0o777).toBe(0o600);
      const queue = await gavel(['root', '--queue'], { GAVEL_ROOT: root });
      expect(queue.stdout).toBe(`gavel-${id.slice(0, 8)}\n`);
      expect((await gavel(['root', '--new', '--queue'], { GAVEL_ROOT: root })).stdout).toBe(queue.stdout);
    } finally {
      remove();
    }
  });
});
