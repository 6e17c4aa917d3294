import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig, pythonEnv } from '../../src/config.ts';
import { ServeSpec } from '../../src/contracts/spec/serve.ts';
import { lastError } from '../../src/process/last-error.ts';
import { freePort } from '../../src/process/ports.ts';
import { startChild } from '../../src/process/start-child.ts';
import { vllmCommand } from '../../src/serving/engines/vllm.ts';

/** One model behind a real vLLM, for tests of what only vLLM can tell. */
export interface RealVllm {
  /** Up to and including /v1. */
  url: string;
  model: string;
  stop(): Promise<void>;
}

/** Starts the CPU build on a model folder (under models/, or absolute), and waits until it answers; a minute or two where others use the cores. */
export async function startVllm(folder: string, work: string, max_model_len = 256): Promise<RealVllm> {
  const model = basename(folder);
  const config = loadConfig({ ...process.env, GAVEL_ROOT: work });
  const port = await freePort();
  const host = '127.0.0.1';
  const path = resolve(config.package_root, 'models', folder);
  const serve = ServeSpec.parse({ dtype: 'float32', max_model_len });
  const { args, env } = vllmCommand({
    ...{ location: { kind: 'folder', path }, served_name: model, host, port, serve },
    ...{ allow_args: [], gpus: [], api_key: '' },
  });
  const logPath = join(work, `${model}.log`);
  const child = startChild({
    name: `vLLM of ${model}`,
    command: config.python,
    args,
    cwd: work,
    env: { ...pythonEnv(config, true), ...env },
    logPath,
    tag: `e2e:${work}/${model}`,
  });
  let ended = false;
  const end = () => {
    ended = true;
  };
  child.exited.then(end, end);
  const answers = () =>
    fetch(`http://${host}:${port}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await answers())) {
    if (ended) throw new Error(`vLLM did not start: ${await lastError(logPath)}. Log: ${logPath}`);
    await sleep(500);
  }
  return { url: `http://${host}:${port}/v1`, model, stop: async () => void (await child.stop(1000)) };
}
