import { hostname } from 'node:os';
import { type Config, secretFrom } from '../../config.ts';
import type { JudgeSpec } from '../../contracts/spec/judge.ts';
import { invalidSpec } from '../../failures.ts';
import { isHostOf, keyRefusal } from '../../key-hosts.ts';
import type { RunPaths } from '../../run-directory/paths.ts';
import { publishEndpoint, readEndpoint } from '../endpoints.ts';

/** Engine `openai`: a judge behind a URL that gavel does not serve itself. There is nothing to start, only a place to publish. */

/**
 * Publishes where an outside judge is, so that it can be moved while a run lasts (`gavel judge`); a place that was published
 * before stays.
 */
export async function publishOutsideJudge(judge: JudgeSpec, paths: RunPaths): Promise<void> {
  if (judge.engine !== 'openai' || judge.base_url === null) return;
  if ((await readEndpoint(paths, 'judge').catch(() => null)) !== null) return;
  await publishJudgeAt(judge, paths, judge.base_url, hostname());
}

/** Publishes the URL of a judge that gavel does not serve itself; `host` is for people to read. */
export function publishJudgeAt(judge: JudgeSpec, paths: RunPaths, base_url: string, host: string): Promise<void> {
  return publishEndpoint(paths, 'judge', {
    role: 'judge',
    base_url,
    model: judge.model,
    model_digest: null,
    pid: null,
    host,
    api_key_env: judge.api_key_env,
    api_key_file: null,
    started_at: new Date().toISOString(),
  });
}

/** Hosts that this worker lets the judge's key go to; empty where it has none. */
export const judgeKeyHosts = ({ key_hosts }: Config, { api_key_env }: JudgeSpec): string[] =>
  key_hosts[api_key_env ?? ''] ?? [];

/**
 * The judge's key by the name of its variable. Throws InvalidSpec where this worker may not send it to the judge, or does not have
 * it.
 */
export function judgeSecrets(config: Config, judge: JudgeSpec): Record<string, string> {
  const { api_key_env, base_url } = judge;
  if (api_key_env === null || base_url === null) return {};
  const hosts = judgeKeyHosts(config, judge);
  if (!isHostOf(base_url, hosts)) {
    throw invalidSpec([{ field: 'judge.api_key_env', message: keyRefusal(api_key_env, base_url, hosts) }]);
  }
  const secret = secretFrom(api_key_env);
  if (secret === null) {
    const message = `the worker's environment has no ${api_key_env}; set it and start the worker again`;
    throw invalidSpec([{ field: 'judge.api_key_env', message }]);
  }
  return { [api_key_env]: secret };
}
