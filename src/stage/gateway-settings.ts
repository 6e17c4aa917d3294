import type { z } from 'zod';
import type { Config } from '../config.ts';
import { GatewayConfig } from '../contracts/gateway.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { judgeKeyHosts } from '../serving/engines/openai.ts';
import { gatewayRole } from '../serving/served-model.ts';
import { tokenizerFolders } from '../serving/tokenizer-folders.ts';

/** What the gateway beside a stage grades with. */

const LOOPBACK = '127.0.0.1';

type Settings = z.input<typeof GatewayConfig>;

/** Gateway of GRPO: the judge, wherever it is served. */
export function judgeGateway(config: Config, spec: Spec, paths: RunPaths, epoch: number): GatewayConfig {
  const api_key_hosts = judgeKeyHosts(config, spec.judge);
  return GatewayConfig.parse({
    ...common(spec, paths, 'grpo', epoch),
    roles: { judge: { ...gatewayRole(spec, paths, 'judge'), api_key_hosts } },
  } satisfies Settings);
}

/** Gateway of the audit: grader and base; the judge's verdicts are in the ledger already. */
export function auditGateway(spec: Spec, paths: RunPaths, epoch: number): GatewayConfig {
  const grader = gatewayRole(spec, paths, 'grader');
  const base = gatewayRole(spec, paths, 'base');
  const roles = spec.audit.base ? { grader, base } : { grader };
  return GatewayConfig.parse({ ...common(spec, paths, 'audit', epoch), roles } satisfies Settings);
}

/** Gateway of SFT: it grades nothing, and renders what the grader will be asked with. */
export function renderingGateway(spec: Spec, paths: RunPaths, epoch: number): GatewayConfig {
  return GatewayConfig.parse({ ...common(spec, paths, 'sft', epoch), roles: {} } satisfies Settings);
}

function common(spec: Spec, paths: RunPaths, stage: 'grpo' | 'sft' | 'audit', epoch: number): Omit<Settings, 'roles'> {
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
