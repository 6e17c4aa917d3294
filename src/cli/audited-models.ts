import { resolve } from 'node:path';
import type { GatewayConfigInput, GatewayRole } from '../contracts/gateway.ts';
import type { GradingMode } from '../contracts/mode.ts';
import { pathsIn } from '../run-directory/paths.ts';

/** The models that `gavel audit` asks, as its command line names them. */
export interface AuditedModels {
  endpoint: string;
  model: string;
  mode: GradingMode;
  engine: Engine;
  apiKeyEnv?: string;
  chatTemplateKwargs?: Record<string, unknown>;
  judgeEndpoint?: string;
  judgeModel?: string;
  judgeMode: GradingMode;
  judgeEngine: Engine;
  judgeApiKeyEnv?: string;
  judgeChatTemplateKwargs?: Record<string, unknown>;
  /** Model folders whose control tokens no row may spell. */
  tokenizer?: string[];
  concurrency: string;
}

type Engine = GatewayRole['engine'];

/** The gateway that asks them, whose traces are in `run_dir`. */
export function gatewayConfig(run_dir: string, epoch: number, options: AuditedModels): GatewayConfigInput {
  const shared = {
    concurrency: Number(options.concurrency),
    sampling: { temperature: 0 },
    // A person waits for this audit, so it fails after ten minutes without an answer.
    outage_limit_s: 600,
  };
  const { judgeEndpoint, judgeModel } = options;
  const grader = {
    ...shared,
    base_url: options.endpoint,
    model: options.model,
    mode: options.mode,
    engine: options.engine,
    chat_template_kwargs: options.chatTemplateKwargs ?? {},
    api_key_env: options.apiKeyEnv ?? null,
    // The person at the command line names both the key and where it goes.
    api_key_hosts: [new URL(options.endpoint).origin],
  };
  const judge = judgeEndpoint
    ? {
        ...shared,
        base_url: judgeEndpoint,
        model: judgeModel ?? null,
        mode: options.judgeMode,
        engine: options.judgeEngine,
        chat_template_kwargs: options.judgeChatTemplateKwargs ?? {},
        api_key_env: options.judgeApiKeyEnv ?? null,
        api_key_hosts: [new URL(judgeEndpoint).origin],
      }
    : undefined;
  return {
    run: 'external',
    run_dir,
    stage: 'audit',
    epoch,
    rubric: pathsIn(run_dir).rubric,
    tokenizers: (options.tokenizer ?? []).map((folder) => resolve(folder)),
    roles: judge ? { grader, judge } : { grader },
  };
}
