import { z } from 'zod';
import { baseUrl } from './base-url.ts';
import { GradingMode } from './mode.ts';
import { PanelSpec } from './spec/judge.ts';
import { SamplingSpec } from './spec/sampling.ts';
import { GradingRole, StageName } from './trace.ts';

/** What a gateway is started with: a JSON file named on its command line. Its own key comes in GAVEL_API_KEY. */

/** One served model behind a gateway. Its URL is fixed, or in a file that the gateway reads again after each failure. */
export const GatewayRole = z.strictObject({
  endpoint_file: z.string().nullable().default(null).describe('endpoints/<role>.json: where the model is now.'),
  base_url: baseUrl().nullable().default(null).describe('Fixed URL up to and including /v1; then `model` is needed.'),
  model: z.string().min(1).nullable().default(null).describe('Name that the server knows; null: from endpoint_file.'),
  model_digest: z.string().nullable().default(null).describe('null: from endpoint_file.'),
  api_key_env: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/)
    .nullable()
    .default(null)
    .describe("Name of the variable that holds the model server's key. Never the key."),
  api_key_hosts: z
    .array(z.string())
    .default([])
    .describe(
      'Hosts ([http://|https://]host[:port]) that this key may be sent to, wherever the endpoint file says that the model is.',
    ),
  engine: z
    .enum(['vllm', 'openai'])
    .default('openai')
    .describe(
      "vllm: the gateway sends every sampling setting, answer prefixes and constraints; openai: only OpenAI's fields.",
    ),
  mode: GradingMode.default('reasoned').describe('Mode of a grading call that names none.'),
  panel: PanelSpec.prefault({}).describe('The votes that make one verdict.'),
  sampling: SamplingSpec.prefault({}),
  chat_template_kwargs: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("Arguments of the model's chat template."),
  concurrency: z.int().min(1).max(4096).default(64).describe('Calls to the model in flight at once.'),
  timeout_s: z.number().gt(0).default(120).describe('One call to the model, seconds.'),
  outage_limit_s: z.number().gt(0).default(1800).describe('How long a call waits for a model that is away.'),
  extra_body: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("Fields added to each grading request as they are. Part of the call's key."),
});

export const GatewayConfig = z.strictObject({
  run: z.string(),
  run_dir: z.string().describe('Folder that holds traces/.'),
  stage: StageName,
  epoch: z.int().min(1).describe('Number in the names of its segments; no other gateway has taken it.'),
  host: z.string().default('127.0.0.1'),
  port: z.int().min(0).max(65535).default(0).describe('0: any free port.'),
  rubric: z.string().nullable().default(null).describe('Path of rubric.json; null: chat only, /v1/grade answers 400.'),
  tokenizers: z
    .array(z.string())
    .default([])
    .describe('Model folders whose control tokens no graded text may spell, besides those in the shipped list.'),
  record_chat: z.boolean().default(false).describe('Keep each chat completion as a trace.'),
  roles: z.strictObject({
    judge: GatewayRole.optional(),
    grader: GatewayRole.optional(),
    base: GatewayRole.optional(),
  }),
});

/** One line on a gateway's standard output; everything else it prints goes to standard error. */
export const GatewayEvent = z.discriminatedUnion('event', [
  z.strictObject({ event: z.literal('listening'), url: z.url() }),
  z.strictObject({ event: z.literal('waiting'), for: GradingRole, seconds: z.number().min(0), reason: z.string() }),
  z.strictObject({ event: z.literal('recovered'), for: GradingRole, seconds: z.number().min(0) }),
  z.strictObject({ event: z.literal('failed'), message: z.string() }),
]);

/** Counters of one role, an entry of GET /v1/stats. */
export const RoleStats = z.strictObject({
  calls: z.int().describe('Grading and chat calls received.'),
  asked: z.int().describe('Calls that the model answered.'),
  replayed: z.int().describe('Answered from the ledger, or by a call in flight; nothing was paid.'),
  reused: z.int().describe('Replayed calls that got the reply to identical text.'),
  in_flight: z.int(),
  waiting: z.int().describe('Calls that wait because the model is away.'),
  waiting_s: z.number().describe('Time in which the model was away, seconds.'),
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
});

export type GatewayRole = z.output<typeof GatewayRole>;
export type GatewayConfig = z.output<typeof GatewayConfig>;
export type GatewayConfigInput = z.input<typeof GatewayConfig>;
export type GatewayEvent = z.output<typeof GatewayEvent>;
export type RoleStats = z.output<typeof RoleStats>;
