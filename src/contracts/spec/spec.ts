import { z } from 'zod';
import { AuditSpec } from './audit.ts';
import { BaseSpec } from './base.ts';
import { GraderSpec } from './grader.ts';
import { GrpoSpec } from './grpo.ts';
import { JudgeSpec } from './judge.ts';
import { LimitsSpec } from './limits.ts';
import { PlacementSpec } from './placement.ts';
import { PolicySpec } from './policy.ts';
import { RunName } from './run-name.ts';
import { SftSpec } from './sft.ts';
import { TaskSpec } from './task.ts';

/**
 * The spec: everything a person decides about a run. YAML for people, JSON on the wire. No section inherits from another.
 * Contracts use neither `.refine()` nor dates, because both vanish in JSON Schema; `rules.ts` checks across fields.
 */
export const Spec = z.strictObject({
  run: RunName.describe('Name of the run and of its folder.'),
  task: TaskSpec,
  policy: PolicySpec,
  judge: JudgeSpec,
  base: BaseSpec,
  grader: GraderSpec.prefault({}),
  grpo: GrpoSpec.prefault({}),
  sft: SftSpec.prefault({}),
  audit: AuditSpec.prefault({}),
  placement: PlacementSpec.prefault({}),
  limits: LimitsSpec.prefault({}),
});

export type Spec = z.output<typeof Spec>;
