import { hostname } from 'node:os';
import type { z } from 'zod';
import { secretFrom } from '../config.ts';
import { GatewayConfig } from '../contracts/gateway.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { failure } from '../failures.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { publishEndpoint, readEndpoint } from '../serving/endpoints.ts';
import { roleSettings } from '../serving/role-settings.ts';

/** What the gateway beside a stage grades with. */

const LOOPBACK = '127.0.0.1';

type Settings = z.input<typeof GatewayConfig>;

/** Gateway of GRPO: the judge, wherever it is served. */
export function judgeGateway(spec: Spec, paths: RunPaths, epoch: number): GatewayConfig {
  return GatewayConfig.parse({
    ...common(spec, paths, 'grpo', epoch),
    roles: { judge: roleSettings(spec, paths, 'judge') },
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

/** The judge's key by the name of its variable; throws InvalidSpec where the worker's environment lacks it. */
export function judgeSecrets({ judge }: Spec): Record<string, string> {
  if (judge.api_key_env === null) return {};
  const secret = secretFrom(judge.api_key_env);
  if (secret === null) {
    throw failure(
      'InvalidSpec',
      `judge.api_key_env: the worker's environment has no ${judge.api_key_env}; set it and start the worker again`,
    );
  }
  return { [judge.api_key_env]: secret };
}
