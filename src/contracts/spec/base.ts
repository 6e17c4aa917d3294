import { z } from 'zod';
import { modelName, revision } from './model.ts';
import { servedFields } from './served.ts';

export const BaseSpec = z.strictObject({
  model: modelName(),
  revision: revision(),
  ...servedFields,
});

export type BaseSpec = z.output<typeof BaseSpec>;
