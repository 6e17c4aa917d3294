import { z } from 'zod';

/** Owners of GPU reservations, and the lease files. Every lease, release and stop names one reservation. */

/** A workflow's execution; it is asked about in its own namespace. */
export const WorkflowOwner = z.strictObject({
  kind: z.literal('workflow'),
  namespace: z.string(),
  namespace_id: z.string().describe('UUID of the namespace: two servers may both have one of the same name.'),
  workflow_id: z.string(),
  run_id: z.string(),
});

/** A process that reserves without Temporal; it lives for as long as it rewrites the file of its beat. */
export const ProcessOwner = z.strictObject({
  kind: z.literal('process'),
  machine: z.string().describe('Host, and PID namespace where there are any: where the process can be looked up.'),
  process: z.string().describe('Process id and start time.'),
  purpose: z.string().describe('What it wants GPUs for, as people read it.'),
});

export const Owner = z.discriminatedUnion('kind', [WorkflowOwner, ProcessOwner]);

/** Identity of one attempt to reserve, release or wait for GPUs. */
export const Claim = z.strictObject({
  root: z.string().describe('UUID of the root.'),
  owner: Owner,
  reservation: z.string(),
  attempt: z.int().describe('Number of the attempt at the reservation; a later one supersedes an earlier one.'),
});

/** One leased GPU: `.gavel/leases/<node>/<uuid>.json`, or `removed~<id>.json` once a removal has moved it. */
export const LeaseFile = z.strictObject({ uuid: z.string(), node: z.string(), claim: Claim, at: z.string() });

/** One waiter for GPUs of a node: `.gavel/leases/<node>/queue/<when>-<id>`. */
export const Ticket = z.strictObject({
  claim: Claim,
  count: z.int().describe('GPUs that it wants.'),
  beat: z
    .string()
    .describe('Changes each time that the waiter asks; another waiter that sees it unchanged for long may pass it.'),
});

/** Id of the `number`-th reservation of a workflow's execution. */
export const reservationId = (run_id: string, number: number): string => `${run_id}.${number}`;

/** Whether the reservation `newer` was made by the same execution as `older`, after it. */
export function followsReservation(newer: string, older: string): boolean {
  const [run, number] = split(newer);
  const [other, before] = split(older);
  return run !== null && run === other && number > before;
}

function split(reservation: string): [string | null, number] {
  const match = /^(.+)\.(\d+)$/.exec(reservation);
  return match ? [match[1] ?? null, Number(match[2])] : [null, 0];
}

export type WorkflowOwner = z.output<typeof WorkflowOwner>;
export type ProcessOwner = z.output<typeof ProcessOwner>;
export type Owner = z.output<typeof Owner>;
export type Claim = z.output<typeof Claim>;
export type LeaseFile = z.output<typeof LeaseFile>;
export type Ticket = z.output<typeof Ticket>;
