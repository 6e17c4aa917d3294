import { failpointsNamed } from './config.ts';

/**
 * Named places at which a test can switch one guarantee off, to show that the checker of bench/faults notices. Nothing but GAVEL_FAILPOINTS
 * switches one on; the Python ones are in gavel_train/run/failpoints.py.
 */
export const FAILPOINTS = {
  'skip-fence': 'A trainer does not look whether a newer epoch was taken before it publishes.',
  'accept-stale-result': 'Readers take the result of an epoch that was superseded.',
  'replace-result': "A trainer's result replaces the one that another epoch published.",
  'wrong-step': 'A manifest never says a step above 2.',
  'write-after-digest': 'A checkpoint file changes after its digest was taken.',
  'skip-file-fsync': 'The files of a checkpoint are not fsynced.',
  'head-before-fsync': 'HEAD is replaced before the checkpoint that it names is durable.',
  'drop-a-rollout': 'The first rollout since the last commit is missing from the checkpoint.',
  'blind-ledger': 'The gateway never finds a key in the ledger, and appends it again.',
  'key-without-occasion': 'The key of a grading call does not cover what the call is for.',
  'lose-acknowledged-traces': 'The ledger says that a trace is on the disk, and drops it.',
  'start-afresh': 'An attempt at a stage goes on from no checkpoint.',
  'no-stop-grace': 'A trainer that is asked to stop gets no time to commit.',
  'outlive-worker': 'The gateway does not end with the process that started it.',
  'leave-gateway': 'The gateway goes on when its stage is done.',
  'keep-leases': 'Leases on GPUs are not given back.',
} as const;
export type Failpoint = keyof typeof FAILPOINTS;

let read = '';
let in_force: ReadonlySet<string> = new Set();

/** Whether a failpoint is switched on. Throws where GAVEL_FAILPOINTS names one that is not in the registry. */
export function failpoint(name: Failpoint): boolean {
  return failpointsInForce().has(name);
}

/** The names in GAVEL_FAILPOINTS, separated by commas. Throws where one is not in the registry. */
export function failpointsInForce(): ReadonlySet<string> {
  const now = failpointsNamed();
  // Parsed once for each value, so that a check in a busy gateway costs one comparison.
  if (now === read) return in_force;
  const names = now.split(',').filter(Boolean);
  const unknown = names.filter((name) => !Object.hasOwn(FAILPOINTS, name));
  if (unknown.length > 0) {
    const known = Object.keys(FAILPOINTS).join(', ');
    throw new Error(`GAVEL_FAILPOINTS: Expected names among ${known}, got ${unknown.join(', ')}.`);
  }
  in_force = new Set(names);
  read = now;
  return in_force;
}
