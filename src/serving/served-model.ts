import type { z } from 'zod';
import type { GatewayRole } from '../contracts/gateway.ts';
import { hasPolicyServers } from '../contracts/spec/rule.ts';
import type { ServeSpec } from '../contracts/spec/serve.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import type { GradingRole, ServedRole } from '../contracts/trace.ts';
import type { RunPaths } from '../run-directory/paths.ts';

/** The settings of each role, from the role's own section of the spec and nothing of another's: here and nowhere else. */

/** A model behind an OpenAI-compatible URL, in one role. */
export interface ServedModel {
  role: ServedRole;
  /** vllm: gavel starts a server; openai: the server is not gavel's. */
  engine: 'vllm' | 'openai';
  /** As in the spec: a folder under GAVEL_ROOT, an absolute path, or a hub name. */
  model: string;
  /** Commit of a hub model. */
  revision: string | null;
  serve: ServeSpec;
  /** Adapters that are loaded and unloaded while it serves; absent: none. */
  adapters?: ServedAdapters;
  /** A trainer sends it all of its weights at each step; absent: none does. */
  takes_weights?: boolean;
}

export interface ServedAdapters {
  /** Highest rank. */
  rank: number;
  /** How many are loaded at once. */
  count: number;
}

// vLLM evicts an adapter without a word where more are loaded than it has room for: the newest, those that completions are still
// sampled with, and the one that is about to be unloaded.
const ADAPTERS_BESIDES_STALE_ONES = 2;

export function servedModel(spec: Spec, role: ServedRole): ServedModel {
  if (role === 'policy') return servedPolicy(spec);
  const { serve } = spec[role];
  // The grader is served merged: an adapter beside its base is ten times slower on a CPU.
  if (role === 'grader')
    return { role, engine: 'vllm', model: `runs/${spec.run}/grader/merged`, revision: null, serve };
  const { model, revision } = spec[role];
  return { role, engine: role === 'judge' ? spec.judge.engine : 'vllm', model, revision, serve };
}

/** One copy of the policy: each copy is a server of its own, since an adapter or a trainer's weights reach one server only. */
function servedPolicy({ policy, grpo }: Spec): ServedModel {
  const { model, revision, serve } = policy;
  const dtype = serve.dtype === 'auto' ? grpo.dtype : serve.dtype;
  const adapters = { rank: grpo.lora?.r ?? 1, count: grpo.max_staleness + ADAPTERS_BESIDES_STALE_ONES };
  return {
    role: 'policy',
    engine: 'vllm',
    model,
    revision,
    serve: { ...serve, dtype, data_parallel_size: 1 },
    ...(grpo.rollout === 'vllm_server' ? { takes_weights: true } : { adapters }),
  };
}

/** Names of the endpoints of the policy's servers; none where no server samples rollouts. */
export const policyEndpoints = ({ grpo, policy }: Spec): string[] =>
  hasPolicyServers(grpo)
    ? Array.from({ length: policy.serve.data_parallel_size }, (_, replica) => `policy-${replica}`)
    : [];

/** How a gateway asks the model of a role. */
export function gatewayRole(spec: Spec, paths: RunPaths, role: GradingRole): z.input<typeof GatewayRole> {
  const { sampling, concurrency, timeout_s, outage_limit_s, chat_template_kwargs, extra_body } = spec[role];
  const { engine, model } = servedModel(spec, role);
  return {
    endpoint_file: paths.endpoint(role),
    // A server that gavel starts publishes the name that it serves under.
    model: engine === 'openai' ? model : null,
    engine,
    ...(role === 'judge' ? judgeOnly(spec) : { mode: spec.audit.headline_mode }),
    sampling,
    concurrency,
    timeout_s,
    outage_limit_s,
    chat_template_kwargs,
    extra_body,
  };
}

const judgeOnly = ({ judge }: Spec): z.input<typeof GatewayRole> => ({
  api_key_env: judge.api_key_env,
  mode: judge.mode,
  panel: judge.panel,
});
