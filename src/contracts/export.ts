import { z } from 'zod';
import { LedgerSegment } from './stage.ts';

/** What `gavel export` asks of Python: a JSON file named on its command line. */
export const ExportRequest = z.strictObject({
  run_dir: z.string(),
  format: z.enum(['verl', 'sft', 'openai']),
  out: z.string(),
  split: z.enum(['train', 'eval', 'audit']).default('train').describe('format verl: which prompts.'),
  force: z.boolean().default(false).describe('Replace the file where there is one.'),
  ledger: z.array(LedgerSegment).describe('What of the ledger counts.'),
  gateway_url: z.url().describe('A gateway that renders the rubric of the run. Its key is in GAVEL_API_KEY.'),
});

export type ExportRequest = z.output<typeof ExportRequest>;
