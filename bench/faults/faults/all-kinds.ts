import { aroundTrainingFaults } from './around-training.ts';
import { damageFaults } from './damage-files.ts';
import { recordFaults } from './damage-records.ts';
import { outsideFaults } from './disturb-surroundings.ts';
import type { FaultKind } from './fault-kind.ts';
import { personFaults } from './intervene.ts';
import { judgeReplyFaults } from './judge-replies.ts';
import { killFaults } from './kill-processes.ts';
import { servedFaults } from './served-rollouts.ts';
import { repeatedFaults } from './strike-twice.ts';

/** Every kind of fault that a campaign injects. */
export const KINDS: readonly FaultKind[] = [
  ...killFaults,
  ...damageFaults,
  ...outsideFaults,
  ...personFaults,
  ...aroundTrainingFaults,
  ...recordFaults,
  ...judgeReplyFaults,
  ...repeatedFaults,
  ...servedFaults,
];
