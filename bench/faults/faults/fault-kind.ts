import type { Phase, Stage } from '../observe/event-log.ts';
import type { FaultContext } from '../run/fault-context.ts';
import type { Scenario } from '../run/small-spec.ts';

/** One kind of fault: where it can strike, and how. It calls `context.strikes` at the moment of the blow and then heals it. */
export interface FaultKind {
  kind: string;
  scenarios: readonly Scenario[];
  stages: readonly Phase[];
  /** GRPO steps that go by while it lasts, where these are more than a fault usually takes. */
  steps?: number;
  /** The trainer goes on: in the audit, which is short, such a fault comes last. */
  spares_trainer?: boolean;
  /** Figures in seconds that the kind itself measures, by name. */
  strike: (context: FaultContext) => Promise<Record<string, number>>;
}

export const ALL: readonly Scenario[] = ['outside', 'managed', 'whole', 'served'];
/** Those whose stages lease GPUs. */
export const LEASING: readonly Scenario[] = ['outside', 'managed', 'whole'];
export const TRAINED: readonly Stage[] = ['grpo', 'sft'];
export const EVERY: readonly Stage[] = ['grpo', 'sft', 'audit'];
