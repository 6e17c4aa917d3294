import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { beforeAll, expect, it } from 'vitest';
import { loadSpec } from '../../src/spec/load-spec.ts';
import { trainerCommand } from '../../src/stage/trainer-command.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** The command lines of trainers on GPUs, read by the parser and the checks of the accelerate that is installed. */

const python = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));
const reader = fileURLToPath(new URL('../fixtures/read-launches.py', import.meta.url));
const spec = loadSpec('examples/gsm8k-8xh100.yaml');
const gpus = ['GPU-0', 'GPU-1'];

const LINES = {
  ddp: {},
  fsdp2: { sharding: 'fsdp2' },
  'fsdp2 with a flag': { sharding: 'fsdp2', accelerate_args: ['--fsdp-reshard-after-forward=false'] },
  zero2: { sharding: 'zero2' },
  zero3: { sharding: 'zero3' },
} as const;
type Line = keyof typeof LINES;
interface Read {
  env?: Record<string, string>;
  [key: string]: unknown;
}

let read: Record<Line, Read>;

function commandLine(changes: object): string[] {
  const changed = { ...spec, grpo: { ...spec.grpo, processes: 2, ...changes } };
  const { args, config } = trainerCommand('grpo', changed, temporaryFolder('epoch'), gpus, []);
  if (config === null) throw new Error('expected a configuration of accelerate');
  writeFileSync(config.path, config.text);
  expect(args.slice(0, 2)).toEqual(['-m', 'accelerate.commands.launch']);
  return args.slice(2);
}

// One process for all lines, since importing torch takes seconds.
beforeAll(async () => {
  // What `accelerate config` may have left on a user's machine: other GPUs than the leased ones, and no bfloat16.
  const home = temporaryFolder('accelerate');
  mkdirSync(join(home, 'accelerate'));
  const choices =
    'compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_GPU\ngpu_ids: 6,7\nmixed_precision: fp16\n';
  writeFileSync(join(home, 'accelerate/default_config.yaml'), choices);
  const { stdout } = await execa(python, [reader], {
    input: JSON.stringify(Object.values(LINES).map(commandLine)),
    env: { HF_HOME: home, CUDA_VISIBLE_DEVICES: gpus.join(',') },
  });
  const answers = JSON.parse(stdout) as Read[];
  read = Object.fromEntries(Object.keys(LINES).map((name, index) => [name, answers[index]])) as Record<Line, Read>;
}, 120_000);

const FSDP2 = { FSDP_VERSION: '2', FSDP_RESHARD_AFTER_FORWARD: 'true', FSDP_STATE_DICT_TYPE: 'FULL_STATE_DICT' };

it.each([
  ['ddp', 'multi_gpu', {}],
  ['fsdp2', 'use_fsdp', FSDP2],
  ['fsdp2 with a flag', 'use_fsdp', { ...FSDP2, FSDP_RESHARD_AFTER_FORWARD: 'false' }],
  ['zero2', 'use_deepspeed', { ACCELERATE_DEEPSPEED_ZERO_STAGE: '2', ACCELERATE_DEEPSPEED_ZERO3_INIT: 'false' }],
  ['zero3', 'use_deepspeed', { ACCELERATE_DEEPSPEED_ZERO_STAGE: '3', ACCELERATE_DEEPSPEED_ZERO3_INIT: 'true' }],
] as const)('accelerate reads of the configuration what the spec says: %s', (name, launcher, env) => {
  const module = 'gavel_train.policy.grpo';
  expect(read[name]).toMatchObject({ launchers: [launcher], processes: 2, precision: 'bf16', module, env });
});

it("the user's own accelerate configuration chooses no other GPUs than the leased ones", () => {
  for (const name of Object.keys(LINES) as Line[]) expect(read[name].gpus).toBe('GPU-0,GPU-1');
});
