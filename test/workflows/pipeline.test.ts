import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { failure } from '../../src/failures.ts';
import { digests, knownRun, queues, spec, startTimeSkipping, summary, withWorker } from './environment.ts';
import { untilCancelled } from './steered-run.ts';

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTimeSkipping();
}, 60_000);
afterAll(() => environment?.teardown());

const place = () => ({ node: 'a', task_queue: queues.node, gpus: [] });

/** Activities of a run in which all goes well; each call is noted. */
function activities(calls: string[]) {
  const noted =
    <T>(name: string, result: T) =>
    async () => {
      calls.push(name);
      return result;
    };
  return {
    prepareRun: async ({ spec: given }: { spec: object }) => {
      calls.push('prepareRun');
      return knownRun(given);
    },
    reserveNode: async () => {
      calls.push('reserveNode');
      return place();
    },
    releaseNode: noted('releaseNode', undefined),
    verifyResults: noted('verifyResults', undefined),
    serveModel: async ({ role }: { role: string }) => {
      calls.push(`serve ${role}`);
      await untilCancelled().finally(() => calls.push(`stop ${role}`));
    },
    trainGrpo: noted('trainGrpo', summary({ reward: 0.5 })),
    trainSft: noted('trainSft', summary()),
    auditGrader: noted('auditGrader', summary({ quadratic_weighted_kappa: 0.8 })),
    writeReport: noted('writeReport', {
      run: 'a-run',
      verdict: 'PASS',
      report: 'runs/a-run/report/report.html',
      policy_gain: 0.2,
      quadratic_weighted_kappa: 0.8,
    }),
  };
}

const start = (run: string, input: unknown) =>
  environment.client.workflow.execute('gavelPipeline', {
    taskQueue: queues.main,
    workflowId: `gavel/${run}`,
    args: [input],
  });

async function failureOf(work: Promise<unknown>): Promise<ApplicationFailure> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure) return error.cause;
  throw new Error(`expected a workflow that fails with an ApplicationFailure, got ${error}`);
}

describe('gavelPipeline', { timeout: 180_000 }, () => {
  it('prepares, trains, distils, audits and reports, in that order, and gives every node back', async () => {
    const calls: string[] = [];
    const result = await withWorker(environment, activities(calls), () => start('a-run', spec));
    expect(result).toMatchObject({ verdict: 'PASS', report: 'runs/a-run/report/report.html' });
    const order = calls.filter((name) => /^(prepare|train|audit|write)/.test(name));
    expect(order).toEqual(['prepareRun', 'trainGrpo', 'trainSft', 'auditGrader', 'writeReport']);
    expect(calls.filter((name) => name === 'releaseNode').length).toBe(3);
  });

  it('knows the interruptions of a run before this workflow resumed it', async () => {
    const before = { count: 3, steps_lost: 2, by_cause: { preempted: 2, hung: 1 }, latest: [] };
    const acts = {
      ...activities([]),
      prepareRun: async () => ({ ...knownRun(), interruptions: before }),
    };
    const known = await withWorker(environment, acts, async () => {
      await start('again', { ...spec, run: 'again' });
      const queries = ['gavel/again', 'gavel/again/sft'].map((id) =>
        environment.client.workflow.getHandle(id).query('losses'),
      );
      return Promise.all(queries);
    });
    expect(known).toEqual([before, before]);
  });

  it('hands its stages names and digests, and keeps the digests in its memo; the spec stays in the run directory', async () => {
    const { memo, stage } = await withWorker(environment, activities([]), async () => {
      await start('told', { ...spec, run: 'told' });
      const history = await environment.client.workflow.getHandle('gavel/told/grpo').fetchHistory();
      const [argument] = history.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
      const { memo } = await environment.client.workflow.getHandle('gavel/told').describe();
      return { memo, stage: Buffer.from(argument?.data ?? []).toString() };
    });
    expect(JSON.parse(stage)).toMatchObject({ run: 'told', known: { plan: digests } });
    expect(stage).not.toContain(spec.judge.rubric);
    expect(stage).not.toContain('sampling');
    expect(memo).toEqual(digests);
  });

  it('fails at once and lists every problem of a bad spec, unknown fields first', async () => {
    const calls: string[] = [];
    const { policy, ...rest } = spec;
    const bad = { ...rest, run: 'bad', policyy: policy, grpo: { steps: 0 } };
    const cause = await withWorker(environment, activities(calls), () => failureOf(start('bad', bad)));
    expect(cause.type).toBe('InvalidSpec');
    expect(cause.nonRetryable).toBe(true);
    expect(cause.message).toBe(
      '3 problems: policyy: unknown field. Did you mean "policy"?; policy: missing; expected an object; ' +
        'grpo.steps: expected at least 1; found 0',
    );
    expect(calls).toEqual([]);
  });

  it('fails with the typed failure of an activity, not with "Activity task failed"', async () => {
    const broken = {
      ...activities([]),
      trainSft: async () => {
        throw failure('NoProgress', '3 attempts at sft ended by error without a commit');
      },
    };
    const cause = await withWorker(environment, broken, () => failureOf(start('b-run', { ...spec, run: 'b-run' })));
    expect(cause.type).toBe('NoProgress');
    expect(cause.message).toContain('3 attempts');
  });

  it('ends the training when its judge cannot be started', async () => {
    const calls: string[] = [];
    const broken = {
      ...activities(calls),
      serveModel: async () => {
        throw failure('ModelDidNotStart', 'vLLM of the judge ended with exit code 1 while starting: no space');
      },
      trainGrpo: async () => {
        await untilCancelled().finally(() => calls.push('training ended'));
      },
    };
    const cause = await withWorker(environment, broken, () => failureOf(start('c-run', { ...spec, run: 'c-run' })));
    expect(cause.type).toBe('ModelDidNotStart');
    expect(calls).toContain('training ended');
  });

  it('serves each copy of a policy that servers sample from on GPUs of its own, until the training is done', async () => {
    const served: Record<string, string[]> = {};
    const withPolicy = {
      ...activities([]),
      reserveNode: async () => ({ ...place(), gpus: ['g0', 'g1', 'g2', 'g3'] }),
      serveModel: async ({ role, endpoint, gpus }: { role: string; endpoint?: string; gpus: string[] }) => {
        served[endpoint ?? role] = gpus;
        await untilCancelled();
      },
      trainGrpo: async ({ gpus }: { gpus: string[] }) => {
        served.trainer = gpus;
        await vi.waitFor(() => expect(Object.keys(served)).toHaveLength(4), 60_000);
        return summary();
      },
    };
    const given = {
      ...spec,
      run: 'p-run',
      policy: { ...spec.policy, serve: { data_parallel_size: 2 } },
      grpo: { rollout: 'served', lora: {} },
      placement: { judge_gpus: 1, rollout_gpus: 2, trainer_gpus: 1 },
    };
    await withWorker(environment, withPolicy, () =>
      environment.client.workflow.execute('grpo', {
        taskQueue: queues.main,
        workflowId: 'gavel/p-run/grpo',
        args: [{ run: 'p-run', known: knownRun(given) }],
      }),
    );
    expect(served).toEqual({ judge: ['g0'], 'policy-0': ['g1'], 'policy-1': ['g2'], trainer: ['g3'] });
  });

  it('takes the name of the run from the workflow id, so that one spec file starts many runs', async () => {
    const result = await withWorker(environment, activities([]), async () => {
      await start('g-run', { ...spec, run: 'what-the-file-says' });
      return environment.client.workflow.getHandle('gavel/g-run').query('status');
    });
    expect(result).toMatchObject({ run: 'g-run', stage: 'done' });
  });

  it('refuses a workflow id that names no run', async () => {
    const cause = await withWorker(environment, activities([]), () => failureOf(start('a/b', spec)));
    expect(cause).toMatchObject({ type: 'InvalidSpec', nonRetryable: true });
    expect(cause.message).toContain('gavel/<run>');
  });

  it('runs a stage again whose result the audit finds damaged, and then the rest', async () => {
    const calls: string[] = [];
    let damaged = true;
    const broken = {
      ...activities(calls),
      verifyResults: async () => {
        if (!damaged) return;
        damaged = false;
        throw failure('ResultDamaged', 'sft: grader: expected another sha256', { stage: 'sft' });
      },
    };
    await withWorker(environment, broken, () => start('h-run', { ...spec, run: 'h-run' }));
    expect(calls.filter((name) => /^(train|audit|write)/.test(name))).toEqual([
      'trainGrpo',
      'trainSft',
      'trainSft',
      'auditGrader',
      'writeReport',
    ]);
  });

  it('reserves again when the reserved node takes no work', async () => {
    const calls: string[] = [];
    let first = true;
    const moved = {
      ...activities(calls),
      reserveNode: async () => {
        calls.push('reserveNode');
        const gone = first && calls.includes('trainGrpo');
        if (gone) first = false;
        return gone ? { ...place(), node: 'gone', task_queue: 'gavel-node-gone' } : place();
      },
    };
    // The time that a schedule-to-start timeout takes is real time on the test server.
    const limits = { node_timeout_s: 2 };
    await withWorker(environment, moved, () => start('d-run', { ...spec, run: 'd-run', limits }));
    expect(calls.filter((name) => name === 'reserveNode').length).toBe(4);
    expect(calls.filter((name) => name === 'releaseNode').length).toBe(4);
  });

  it('answers the query status with stages, figures and verdict', async () => {
    const status = await withWorker(environment, activities([]), async () => {
      await start('e-run', { ...spec, run: 'e-run' });
      return environment.client.workflow.getHandle('gavel/e-run').query('status');
    });
    expect(status).toMatchObject({
      stage: 'done',
      verdict: 'PASS',
      stages: { grpo: { state: 'done', metrics: { reward: 0.5 } } },
    });
  });
});
