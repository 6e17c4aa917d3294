import type { z } from 'zod';
import type { GatewayRole } from '../contracts/gateway.ts';
import type { ServeSpec } from '../contracts/spec/serve.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import type { GradingRole } from '../contracts/trace.ts';
import type { RunPaths } from '../run-directory/paths.ts';

/** The settings of each role, from the role's own section of the spec and nothing of another's: here and nowhere else. */

/** A model behind an OpenAI-compatible URL, in one role. */
export interface ServedModel {
  role: GradingRole;
  /** vllm: gavel starts a server; openai: the server is not gavel's. */
  engine: 'vllm' | 'openai';
  /** As in the spec: a folder under GAVEL_ROOT, an absolute path, or a hub name. */
  model: string;
  /** Commit of a hub model. */
  revision: string | null;
  serve: ServeSpec;
}

export function servedModel(spec: Spec, role: GradingRole): ServedModel {
  const { serve } = spec[role];
  // The grader is served merged: an adapter beside its base is ten times slower on a CPU.
  if (role === 'grader')
    return { role, engine: 'vllm', model: `runs/${spec.run}/grader/merged`, revision: null, serve };
  const { model, revision } = spec[role];
  return { role, engine: role === 'judge' ? spec.judge.engine : 'vllm', model, revision, serve };
}

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
