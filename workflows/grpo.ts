import type { StageSummary } from '../activities/train-grpo.ts';
import { training } from './activity-options.ts';
import { Attempts } from './attempts.ts';
import { StageControl } from './control.ts';
import { failing } from './failing.ts';
import { type ModelServerInput, withServers } from './model-server.ts';
import { onNode } from './on-node.ts';
import { knownRun, type StageInput } from './stage-input.ts';
import { StatusBoard } from './status.ts';

/** GRPO: the judge is served, and the policy where its rollouts come from servers; the policy is trained, and the audit's rows sampled and graded by the judge. */
export async function grpo(input: StageInput): Promise<StageSummary> {
  const board = new StatusBoard(input.run, ['grpo']);
  const control = new StageControl(board, input.run, 'grpo', input.leaving);
  return failing(board, async () => {
    const { run } = input;
    const { plan, search_attributes, interruptions } = await knownRun(input);
    board.useSearchAttributes(search_attributes);
    board.interrupted(interruptions);
    board.begin('grpo');
    const { placement, limits, spec_digest } = plan;
    // A run that an older version has prepared has no servers for rollouts in its plan, and its history replays on this code.
    const { judge_gpus, rollout_gpus = 0, trainer_gpus } = placement;
    const servers: readonly string[] = plan.policy_servers ?? [];
    const gpus = judge_gpus + rollout_gpus + trainer_gpus;
    const attempts = new Attempts(run, 'grpo', limits);
    const summary = await onNode(control, { stage: 'grpo', gpus, limits }, async (node) => {
      const { task_queue, reservation } = node;
      const server = { run, spec_digest, stage: 'grpo', served_before: node.worked_before, task_queue, limits };
      const judge: ModelServerInput = {
        ...server,
        role: 'judge',
        model: plan.models.judge,
        gpus: node.gpus.slice(0, judge_gpus),
      };
      const rollouts = node.gpus.slice(judge_gpus, judge_gpus + rollout_gpus);
      const perServer = rollouts.length / servers.length;
      const policy = servers.map(
        (endpoint, index): ModelServerInput => ({
          ...server,
          role: 'policy',
          endpoint,
          model: plan.models.policy,
          gpus: rollouts.slice(index * perServer, (index + 1) * perServer),
        }),
      );
      const { trainGrpo } = training({ task_queue, limits, summary: plan.summaries.grpo });
      const attempt = () =>
        trainGrpo({ run, spec_digest, gpus: node.gpus.slice(judge_gpus + rollout_gpus), reservation });
      const judges = plan.serves_judge ? [judge] : [];
      if (!plan.pushes_weights) return withServers([...judges, ...policy], () => attempts.untilDone(attempt));
      // A trainer that was killed while it pushed weights leaves servers that wait for the rest of them: each attempt has its own.
      let served_before = node.worked_before;
      return withServers(judges, () =>
        attempts.untilDone(() => {
          const fresh = policy.map((one) => ({ ...one, served_before }));
          served_before = true;
          return withServers(fresh, attempt);
        }),
      );
    });
    board.end('grpo', summary.metrics);
    return summary;
  });
}
