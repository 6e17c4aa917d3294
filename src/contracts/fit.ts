import { z } from 'zod';
import { LocatedModel } from './stage.ts';

/** What a run needs of memory, estimated before it starts, and what the machine has. */

const bytes = () => z.int().min(0);

/** A machine as the worker sees it. */
export const FitMachine = z.strictObject({
  node: z.string(),
  memory_bytes: bytes().describe("Main memory: the machine's, or what the control group of the worker allows."),
  gpu_bytes: z.array(bytes()).describe('Memory of each GPU; 0 where it is unknown. Empty where there is none.'),
});

/** `fit-request.json`: what `gavel_train.fit` needs besides the spec. */
export const FitRequest = z.strictObject({
  machine: FitMachine,
  hub_cache: z.string().describe('Folder in which models of the hub are kept.'),
  models: z
    .strictObject({ policy: LocatedModel, judge: LocatedModel.nullable(), base: LocatedModel })
    .describe('judge: null where gavel does not serve it.'),
  gpu_name: z
    .string()
    .nullable()
    .default(null)
    .describe('What nvidia-smi calls the GPUs of the placement; null where it has none.'),
  completion_tokens: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Mean length of a completion; null: as long as the spec allows.'),
  reply_tokens: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe("Mean length of the judge's reply; null: as long as the spec allows."),
});

/** One line of a sum. */
export const FitPart = z.strictObject({
  name: z.string(),
  bytes: bytes(),
  how: z.string().describe('How the figure is made.'),
});

/** A change of the spec that needs less memory. */
export const FitChange = z.strictObject({
  field: z.string(),
  value: z.string(),
  bytes: bytes().describe('The sum with this change alone.'),
  fits: z.boolean(),
});

/** fits: also where the estimate is a fifth too low; too_large: also where it is a fifth too high; tight: between. */
export const FitVerdict = z.enum(['fits', 'tight', 'too_large', 'unknown']);

/** The memory of one kind of process at its peak, on one GPU or in main memory. */
export const FitNeed = z.strictObject({
  stage: z.enum(['grpo', 'sft', 'audit']),
  what: z.string().describe('trainer, or the role of a served model.'),
  device: z.enum(['gpu', 'cpu']),
  copies: z
    .int()
    .min(1)
    .describe('How many of these are there at once, each on a GPU of its own or all in main memory.'),
  moment: z.string().describe('When the peak is reached.'),
  parts: z.array(FitPart),
  bytes: bytes(),
  available_bytes: bytes().nullable().describe('null where it is unknown.'),
  verdict: FitVerdict,
  changes: z.array(FitChange),
  note: z.string().nullable().describe('What is not known, or assumed.'),
});

/** A field of the spec that keeps a run from fitting, with the sum in words. */
export const FitProblem = z.strictObject({ field: z.string(), message: z.string() });

/** One phase of a step, by the model of its time. */
export const FitPhase = z.strictObject({ name: z.string(), seconds: z.number().min(0), how: z.string() });

/** The time of a GRPO step, by a roofline of each phase. */
export const FitStepTime = z.strictObject({
  seconds: z.number().min(0).nullable().describe('null where it is unknown.'),
  phases: z.array(FitPhase),
  note: z.string().describe("Where the machine's rates are from, or why the time is unknown."),
});

/** `fit.json` in a run directory. */
export const FitReport = z.strictObject({
  machine: FitMachine,
  prompt_tokens: z.int().min(1).describe('Longest prompt, with its chat template.'),
  micro_batch_size: z
    .int()
    .min(1)
    .nullable()
    .describe('Chosen for grpo.micro_batch_size null on GPUs; null: as the spec says.'),
  verdict: FitVerdict,
  needs: z.array(FitNeed),
  problems: z.array(FitProblem).describe('Not empty where the verdict is too_large.'),
  step_time: FitStepTime.nullable().default(null).describe('null in reports that were made without it.'),
});

export type FitMachine = z.output<typeof FitMachine>;
export type FitRequest = z.output<typeof FitRequest>;
export type FitNeed = z.output<typeof FitNeed>;
export type FitStepTime = z.output<typeof FitStepTime>;
export type FitReport = z.output<typeof FitReport>;
