import { hostname } from 'node:os';
import type { z } from 'zod';
import { type Config, secretFrom } from '../config.ts';
import { GatewayConfig } from '../contracts/gateway.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { invalidSpec } from '../failures.ts';
import { isHostOf, keyRefusal } from '../key-hosts.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { publishEndpoint, readEndpoint } from '../serving/endpoints.ts';
import { roleSettings } from '../serving/role-settings.ts';
import { tokenizerFolders } from '../serving/tokenizer-folders.ts';

/** What the gateway beside a stage grades with. */

const LOOPBACK = '127.0.0.1';

type Settings = z.input<typeof GatewayConfig>;

/** Gateway of GRPO: the judge, wherever it is served. */
export function judgeGateway({ key_hosts }: Config, spec: Spec, paths: RunPaths, epoch: number): GatewayConfig {
  const api_key_hosts = key_hosts[spec.judge.api_key_env ?? ''] ?? [];
  return GatewayConfig.parse({
    ...common(spec, paths, 'grpo', epoch),
    roles: { judge: { ...roleSettings(spec, paths, 'judge'), api_key_hosts } },
  } satisfies Settings);
}

/** Gateway of the audit: grader and base; the judge's verdicts are in the ledger already. */
export function auditGateway(spec: Spec, paths: RunPaths, epoch: number): GatewayConfig {
  const grader = roleSettings(spec, paths, 'grader');
  const base = roleSettings(spec, paths, 'base');
  const roles = spec.audit.base ? { grader, base } : { grader };
  return GatewayConfig.parse({ ...common(spec, paths, 'audit', epoch), roles } satisfies Settings);
}

function common(spec: Spec, paths: RunPaths, stage: 'grpo' | 'audit', epoch: number): Omit<Settings, 'roles'> {
  return {
    run: spec.run,
    run_dir: paths.dir,
    stage,
    epoch,
    host: LOOPBACK,
    port: 0,
    rubric: paths.rubric,
    tokenizers: tokenizerFolders(spec, paths),
    record_chat: false,
  };
}

/**
 * Publishes where an outside judge is, so that it can be moved while a run lasts (`gavel judge`); a place that was published
 * before stays.
 */
export async function publishOutsideJudge({ judge }: Spec, paths: RunPaths): Promise<void> {
  if (judge.engine !== 'openai' || judge.base_url === null) return;
  if ((await readEndpoint(paths, 'judge').catch(() => null)) !== null) return;
  await publishJudgeAt(judge, paths, judge.base_url, hostname());
}

/** Says where a judge is that gavel does not serve itself; `host` is for people. */
export function publishJudgeAt(judge: Spec['judge'], paths: RunPaths, base_url: string, host: string): Promise<void> {
  return publishEndpoint(paths, 'judge', {
    role: 'judge',
    base_url,
    model: judge.model,
    model_digest: null,
    pid: null,
    host,
    api_key_env: judge.api_key_env,
    started_at: new Date().toISOString(),
  });
}

/**
 * The judge's key by the name of its variable. Throws InvalidSpec where this worker may not send it to the judge, or does not have
 * it.
 */
export function judgeSecrets({ key_hosts }: Config, { judge }: Spec): Record<string, string> {
  const { api_key_env, base_url } = judge;
  if (api_key_env === null || base_url === null) return {};
  const hosts = key_hosts[api_key_env] ?? [];
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
