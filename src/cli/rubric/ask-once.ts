import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayRole } from '../../contracts/gateway.ts';
import type { GradingMode } from '../../contracts/mode.ts';
import type { Trace } from '../../contracts/trace.ts';
import { Grader } from '../../gateway/grade.ts';
import { Upstream } from '../../gateway/upstream.ts';
import type { LoadedRubric } from '../../judging/rubric.ts';
import { Ledger } from '../../ledger/ledger.ts';
import type { Place } from './options.ts';
import { fitting, type Shown } from './subject.ts';

/** A person waits at the terminal; a run waits half an hour. */
const OUTAGE_LIMIT_S = 30;

interface Question {
  loaded: LoadedRubric;
  /** Finds what the subject may not spell. */
  control: RegExp;
  subject: Shown;
  modes: GradingMode[];
}

/**
 * Asks a model once in each mode, as a gateway asks a judge: the ledger that this needs is removed afterwards. Throws GatewayError
 * where the model is away or refuses every question.
 */
export async function askOnce(place: Place, { loaded, control, subject, modes }: Question): Promise<Trace[]> {
  const { url, model, engine, api_key_env } = place;
  const key = { api_key_env, api_key_hosts: [new URL(url).origin] };
  const role = GatewayRole.parse({ base_url: url, model, engine, ...key, outage_limit_s: OUTAGE_LIMIT_S });
  const upstream = new Upstream('judge', role, (event) => {
    if (event.event === 'waiting') console.error(`Waiting for ${url}: ${event.reason}`);
  });
  const run_dir = await mkdtemp(join(tmpdir(), 'gavel-ask-'));
  const ledger = await Ledger.open({ run_dir, stage: 'serve', epoch: 1 });
  try {
    const run = { run: 'rubric-check', stage: 'serve' as const };
    const grader = new Grader(run, loaded, control, ledger, { judge: upstream });
    return await Promise.all(
      modes.map(async (mode) => {
        const { source: _, ...shown } = fitting(mode, subject);
        const about = { role: 'judge' as const, mode, occasion: 'call:check', ...shown };
        const { trace_keys } = await grader.grade(about);
        return ledger.find(trace_keys[0] as string) as Trace;
      }),
    );
  } finally {
    upstream.close();
    await ledger.close();
    await rm(run_dir, { recursive: true, force: true });
  }
}
