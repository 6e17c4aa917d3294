import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { keepGrader } from '../../src/cli/keep-grader.ts';
import { loadConfig } from '../../src/config.ts';
import { Spec } from '../../src/contracts/spec/spec.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { createRoot } from '../../src/run-directory/root.ts';
import { readEndpoint } from '../../src/serving/endpoints.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { spec as written } from '../workflows/environment.ts';

const fakeVllm = fileURLToPath(new URL('../fixtures/children/fake_vllm.mjs', import.meta.url));
const spec = Spec.parse(written);

/** Keeps the grader of a run whose vLLM ends with an exit code once the file `broken` is there. */
async function keep() {
  const root = temporaryFolder('serve');
  await createRoot(root);
  const paths = runPaths(root, spec.run);
  mkdirSync(paths.merged, { recursive: true });
  for (const name of ['config.json', 'loaded']) writeFileSync(join(paths.merged, name), '{}');
  const python = join(root, 'python');
  writeFileSync(
    python,
    `#!/bin/sh\n[ -e '${root}/broken' ] && exit 3\nexec '${process.execPath}' '${fakeVllm}' "$@"\n`,
  );
  chmodSync(python, 0o755);
  const ending = new AbortController();
  const lines: string[] = [];
  const kept = keepGrader({ ...loadConfig(), root, node: 'a', python }, spec, {
    paths,
    endpoint: 'serve-e1',
    signal: ending.signal,
    warn: (line) => lines.push(line),
    pause_ms: 10,
  });
  const end = kept.catch((error: unknown) => error);
  onTestFinished(async () => {
    ending.abort();
    await end;
  });
  const pid = async () => (await readEndpoint(paths, 'serve-e1'))?.pid ?? 0;
  const published = () => vi.waitFor(async () => expect(await pid()).toBeGreaterThan(0), { timeout: 20_000 });
  return { root, paths, lines, end, pid, published };
}

it('says that vLLM has died and starts it again', async () => {
  const { lines, pid, published } = await keep();
  await published();
  const first = await pid();
  process.kill(first, 'SIGKILL');
  await vi.waitFor(async () => expect([0, first]).not.toContain(await pid()), { timeout: 20_000 });
  expect(lines).toEqual([expect.stringContaining('ended with SIGKILL')]);
}, 60_000);

it('says why each start after a death failed, and gives up after five in a row', async () => {
  const { root, lines, end, pid, published } = await keep();
  await published();
  writeFileSync(join(root, 'broken'), '');
  process.kill(await pid(), 'SIGKILL');
  expect(await end).toMatchObject({ name: 'CliError', message: expect.stringContaining('5 starts in a row failed') });
  expect(lines).toHaveLength(5);
  expect(lines.at(-1)).toContain('exit code 3');
}, 60_000);

it("publishes under a name of its own, so that the audit's grader keeps its endpoint", async () => {
  const { paths, published } = await keep();
  await published();
  expect(await readEndpoint(paths, 'grader')).toBeNull();
}, 60_000);
