import { z } from 'zod';
import { Contestant } from './audit.ts';
import { GatewayRole } from './gateway.ts';
import { GradingMode } from './mode.ts';
import { servedFields } from './spec/served.ts';

/** A file that says who is audited, and how it is asked. Relative paths in it resolve beside the file. */

/** One who is asked at a URL. */
export const EndpointContestant = z.strictObject({
  url: GatewayRole.shape.base_url.unwrap().unwrap().describe('URL up to and including /v1.'),
  model: z.string().min(1).describe('Name that the server knows.'),
  key_env: GatewayRole.shape.api_key_env.describe(
    'Name of the variable that holds the key, which goes to `url` alone.',
  ),
  engine: GatewayRole.shape.engine,
  modes: z
    .array(GradingMode)
    .min(1)
    .max(GradingMode.options.length)
    .nullable()
    .default(null)
    .describe('Modes that it is asked in; the first one of the grader is the headline mode. null: as the flags say.'),
  panel: GatewayRole.shape.panel,
  sampling: servedFields.sampling,
  chat_template_kwargs: servedFields.chat_template_kwargs,
  extra_body: servedFields.extra_body,
  tokenizers: z
    .array(z.string().min(1))
    .default([])
    .describe('Model folders whose control tokens no row may spell, besides those in the shipped list.'),
  gpus: Contestant.shape.gpus,
  concurrency: servedFields.concurrency
    .unwrap()
    .nullable()
    .default(null)
    .describe('Calls in flight at once; null: as --concurrency says.'),
  timeout_s: servedFields.timeout_s,
  // A person waits for an audit; nobody waits for the stage of a run, which has half an hour.
  outage_limit_s: z.number().gt(0).default(600).describe('How long the audit waits for a model that is away, seconds.'),
});

/** One whose verdicts a file brings. */
export const FileContestant = z.strictObject({
  verdicts: z.string().min(1).describe('JSON Lines file: {row_id, score?, label?, distribution?}.'),
  mode: Contestant.shape.mode.default('file').describe('How it was asked, in the ids of its records.'),
});

export type EndpointContestant = z.output<typeof EndpointContestant>;
export type FileContestant = z.output<typeof FileContestant>;
