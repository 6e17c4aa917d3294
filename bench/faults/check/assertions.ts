/** What the checker asserts of every run. */

export const ALWAYS = [
  'committed steps strictly increase along the chain',
  'one result a stage',
  'each trace key once',
  'each rollout has a trace of its own in the ledger',
  'every committed step has all its groups',
  'every verdict that a gateway acknowledged is in the ledger',
  'every published file matches its digest',
  'a commit is durable before it is published',
  'nothing from a stale epoch counts',
  'no completed step is lost after a notice',
  'no more steps are lost than is allowed',
  'no child process left over',
  'no port left over',
  'no GPU lease left over',
  'the final adapter equals the witness',
] as const;
export type Assertion = (typeof ALWAYS)[number];

/** Besides, of a run whose rollouts servers sample. */
export const WHERE_SERVED = [
  'every committed completion is in the journal',
  'no completion is judged before it is in the journal',
  'no completion in the journal is sampled again',
  'no completion is more than one update old',
  'every completion comes from an adapter of the chain',
  'adapters of older steps are unloaded and removed',
] as const;
export type ServedAssertion = (typeof WHERE_SERVED)[number];

export interface Violation {
  assertion: string;
  detail: string;
}
