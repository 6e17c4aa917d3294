import type { z } from 'zod';
import type { GatewayRole } from '../contracts/gateway.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import type { GradingRole } from '../contracts/trace.ts';
import type { RunPaths } from '../run-directory/paths.ts';

type Settings = z.input<typeof GatewayRole>;

/** How a gateway asks the model of a role: what the role's own section of the spec says, and nothing of another's. */
export function roleSettings(spec: Spec, paths: RunPaths, role: GradingRole): Settings {
  const { sampling, concurrency, timeout_s, outage_limit_s, chat_template_kwargs, extra_body } = spec[role];
  return {
    endpoint_file: paths.endpoint(role),
    ...(role === 'judge' ? judgeOnly(spec) : { engine: 'vllm', mode: spec.audit.headline_mode }),
    sampling,
    concurrency,
    timeout_s,
    outage_limit_s,
    chat_template_kwargs,
    extra_body,
  };
}

function judgeOnly({ judge }: Spec): Settings {
  return {
    // A server that gavel starts publishes the name that it serves under.
    model: judge.engine === 'openai' ? judge.model : null,
    api_key_env: judge.api_key_env,
    engine: judge.engine,
    mode: judge.mode,
    panel: judge.panel,
  };
}
