import { z } from 'zod';

/** How a gateway asks the model of a role: fields that the sections of the grading roles share. */

export const concurrency = () => z.int().min(1).max(4096).default(64).describe('Grading calls in flight at once.');

export const timeoutS = () => z.number().gt(0).default(120).describe('One call to the model, seconds.');

export const outageLimitS = () =>
  z
    .number()
    .gt(0)
    .default(1800)
    .describe('How long grading waits for a model that is away before the stage fails, resumable.');
