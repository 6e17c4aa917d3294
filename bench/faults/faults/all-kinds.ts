import { damageFaults } from './damage-files.ts';
import { outsideFaults } from './disturb-surroundings.ts';
import type { FaultKind } from './fault-kind.ts';
import { personFaults } from './intervene.ts';
import { killFaults } from './kill-processes.ts';

/** Every kind of fault that a campaign injects. */
export const KINDS: readonly FaultKind[] = [...killFaults, ...damageFaults, ...outsideFaults, ...personFaults];
