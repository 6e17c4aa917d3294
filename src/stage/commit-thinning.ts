import type { Spec } from '../contracts/spec/spec.ts';
import type { ProgressSignal } from '../contracts/status.ts';

// Temporal keeps each signal in the history, and 2,000 a run, preemptions and restarts included, are the most that a run should have.
const MOST_SIGNALS = 800;

/** Which commits of a stage are sent to the workflow: all, or every n-th of a long run. The last one always is. */
export function commitThinning(stage: string, spec: Spec): (progress: ProgressSignal) => boolean {
  const save_every = stage === 'sft' ? spec.sft.save_every : spec.grpo.save_every;
  return ({ step, total }) => {
    const stride = Math.max(1, Math.ceil(total / save_every / MOST_SIGNALS));
    return step >= total || Math.round(step / save_every) % stride === 0;
  };
}
