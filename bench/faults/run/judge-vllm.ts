import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, pythonEnv } from '../../../src/config.ts';
import { lastError } from '../../../src/process/last-error.ts';
import { freePort } from '../../../src/process/ports.ts';
import { type Child, startChild } from '../../../src/process/start-child.ts';
import { vllmCommand } from '../../../src/serving/engines/vllm.ts';

/** The judge of all seeds that do not serve their own: one real vLLM, started once a campaign. */
export async function startJudge(config: Config, folder: string): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const host = '127.0.0.1';
  const serve = {
    dtype: 'float32' as const,
    max_model_len: 256,
    tensor_parallel_size: 1,
    data_parallel_size: 1,
    gpu_memory_utilization: null,
    extra_args: [],
  };
  const location = { kind: 'folder', path: `${config.package_root}/models/poly-easy-judge` } as const;
  const { args, env } = vllmCommand({
    ...{ location, served_name: 'poly-easy-judge', host, port, serve, allow_args: [], gpus: [] },
    // The runs of a campaign reach it as one that is not gavel's; it has no key.
    api_key: '',
  });
  const logPath = `${folder}/judge.log`;
  const child: Child = startChild({
    name: 'vLLM of the judge',
    command: config.python,
    args,
    cwd: folder,
    env: { ...pythonEnv(config, true), ...env },
    logPath,
    tag: `campaign:${folder}/judge`,
  });
  let ended = false;
  child.exited.then(
    () => {
      ended = true;
    },
    () => undefined,
  );
  const answers = () =>
    fetch(`http://${host}:${port}/health`).then(
      (response) => response.ok,
      () => false,
    );
  while (!(await answers())) {
    if (ended) throw new Error(`The judge did not start: ${await lastError(logPath)}. Log: ${logPath}`);
    await sleep(500);
  }
  const stop = async () => {
    await child.stop(1000);
  };
  return { url: `http://${host}:${port}/v1`, stop };
}
