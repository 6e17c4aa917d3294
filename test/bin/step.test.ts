import type { ChildProcess } from 'node:child_process';
import { expect, it } from 'vitest';

const { runStep } = (await import(new URL('../../bin/test/step.mjs', import.meta.url).href)) as {
  runStep(
    what: { command: readonly string[]; cwd: string; env: NodeJS.ProcessEnv },
    how: { held: boolean; running: Set<ChildProcess>; held_ms: number },
  ): Promise<{ code: number; text: string }>;
};

/** The steps of `npm test`, of which one may leave a process behind. */

const running = new Set<ChildProcess>();
const step = (script: string, held_ms = 20_000) => {
  const what = { command: [process.execPath, '-e', script] as const, cwd: '/', env: process.env };
  return runStep(what, { held: true, running, held_ms });
};

it('keeps what a program prints, and its exit status', async () => {
  expect(await step('console.log("said"); process.exitCode = 3')).toEqual({ code: 3, text: 'said\n' });
  expect(running.size).toBe(0);
});

it('does not wait for ever for a process that a step leaves behind, and calls the step failed', async () => {
  const leave =
    'require("node:child_process").spawn(process.execPath, ["-e", "setTimeout(() => {}, 8000)"], { stdio: "inherit" }).unref()';
  const { code, text } = await step(leave, 200);
  expect(code).toBe(1);
  expect(text).toContain('a process that this step has left behind holds its output');
});
