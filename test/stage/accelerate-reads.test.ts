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
  plain: [],
  fsdp: ['--use_fsdp', '--fsdp_version', '2'],
  'fsdp with dashes': ['--use-fsdp', '--fsdp-version=2'],
  deepspeed: ['--use_deepspeed', '--zero_stage', '2'],
};
type Line = keyof typeof LINES;
interface Read {
  launchers?: string[];
  refused?: string;
  [key: string]: unknown;
}

let read: Record<Line, Read>;
let both: Read;

const commandLine = (accelerate_args: string[]): string[] => {
  const changed = { ...spec, grpo: { ...spec.grpo, processes: 2, accelerate_args } };
  const { args } = trainerCommand('grpo', changed, '/epoch', gpus, []);
  expect(args.slice(0, 2)).toEqual(['-m', 'accelerate.commands.launch']);
  return args.slice(2);
};

// One process for all lines, since importing torch takes seconds.
beforeAll(async () => {
  // What `accelerate config` may have left on a user's machine: other GPUs than the leased ones, and no bfloat16.
  const home = temporaryFolder('accelerate');
  mkdirSync(join(home, 'accelerate'));
  const choices =
    'compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_GPU\ngpu_ids: 6,7\nmixed_precision: fp16\n';
  writeFileSync(join(home, 'accelerate/default_config.yaml'), choices);
  const lines = [...Object.values(LINES).map(commandLine), ['--multi_gpu', ...commandLine(LINES.fsdp)]];
  const { stdout } = await execa(python, [reader], {
    input: JSON.stringify(lines),
    env: { HF_HOME: home, CUDA_VISIBLE_DEVICES: gpus.join(',') },
  });
  const answers = JSON.parse(stdout) as Read[];
  read = Object.fromEntries(Object.keys(LINES).map((name, index) => [name, answers[index]])) as Record<Line, Read>;
  both = answers.at(-1) as Read;
}, 120_000);

it.each([
  ['plain', 'multi_gpu', {}],
  ['fsdp', 'use_fsdp', { FSDP_VERSION: '2' }],
  ['fsdp with dashes', 'use_fsdp', { FSDP_VERSION: '2' }],
  ['deepspeed', 'use_deepspeed', { ACCELERATE_DEEPSPEED_ZERO_STAGE: '2' }],
] as const)('accelerate takes the command line: %s', (name, launcher, env) => {
  const module = 'gavel_train.policy.grpo';
  expect(read[name]).toMatchObject({ launchers: [launcher], processes: 2, precision: 'bf16', module, env });
});

it('accelerate refuses two kinds of launch, which is why --multi_gpu is left out beside another', () => {
  expect(both.refused).toContain('You can only use one of');
});

it("the user's own accelerate configuration chooses no other GPUs than the leased ones", () => {
  for (const name of Object.keys(LINES) as Line[]) expect(read[name].gpus).toBe('GPU-0,GPU-1');
});
