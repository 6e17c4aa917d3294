import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { isAlive } from '../../src/process/stat.ts';

/** What a person starts, and what dies above the command: npm, its shell, the wrapper in bin/. */

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/bin/${name}`, import.meta.url));
const wrapped = `'${process.execPath}' '${fixture('wrapper.mjs')}'`;

async function started(program: string, args: string[]) {
  const { npm_execpath: _, ...env } = process.env;
  const top = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  top.stdout.on('data', (data) => (said += data));
  await vi.waitFor(() => expect(said).toMatch(/pids \d+ \d+\n/), { timeout: 30_000 });
  const [command = 0, wrapper = 0] = /pids (\d+) (\d+)/.exec(said)?.slice(1).map(Number) ?? [];
  onTestFinished(() => {
    for (const pid of [command, wrapper, top.pid as number]) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  return { top, command, wrapper, said: () => said };
}

/** The last words of a process may be read after it has ended. */
const saysSigterm = (said: () => string) => vi.waitFor(() => expect(said()).toContain('SIGTERM'), { timeout: 10_000 });

const underNpm = () => started(process.execPath, [fixture('npm-cli.js'), wrapped]);

it.each(['SIGTERM', 'SIGKILL'] as const)(
  'ends a command in order when the npm that started it gets %s',
  async (signal) => {
    const { top, command, wrapper, said } = await underNpm();
    top.kill(signal);
    await vi.waitFor(() => expect([command, wrapper].filter(isAlive)).toEqual([]), { timeout: 10_000 });
    await saysSigterm(said);
  },
);

it('ends a command in order when its wrapper is killed', async () => {
  const { command, wrapper, said } = await underNpm();
  process.kill(wrapper, 'SIGKILL');
  await vi.waitFor(() => expect(isAlive(command)).toBe(false), { timeout: 10_000 });
  await saysSigterm(said);
});

it('leaves a command alone whose shell ends, as with `nohup gavel up &`', async () => {
  const { top, command } = await started('sh', ['-c', `${wrapped} & exec sleep 60`]);
  top.kill('SIGKILL');
  await sleep(2000);
  expect(isAlive(command)).toBe(true);
});

it('hands SIGTERM on', async () => {
  const { wrapper, command, said } = await underNpm();
  process.kill(wrapper, 'SIGTERM');
  await vi.waitFor(() => expect(isAlive(command)).toBe(false), { timeout: 10_000 });
  await saysSigterm(said);
});
