import { z } from 'zod';

/** Which model a role has, and how its prompts are rendered: fields that the sections of the roles share. */

export const modelName = () => z.string().min(1).describe('Model folder under GAVEL_ROOT, absolute path, or hub name.');

export const revision = () =>
  z
    .string()
    .regex(/^[0-9a-f]{40}$/)
    .nullable()
    .default(null)
    .describe('Commit of a hub model, 40 hex digits: a hub name needs one, a folder has none.');

export const chatTemplateKwargs = () =>
  z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Arguments of the chat template, say {enable_thinking: false}.');

export const extraBody = () =>
  z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Further fields of each request to the model, say {service_tier: flex}; none that gavel sets itself.');
