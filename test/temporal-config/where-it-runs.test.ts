import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PreemptionNotice } from '../../src/contracts/status.ts';
import { SEARCH_ATTRIBUTES } from '../../src/temporal/search-attributes.ts';
import { preemptionNoticeSignal } from '../../workflows/messages.ts';
import { read, root, SHUTDOWN_S } from './files.ts';

const page = read('docs/where-it-runs.md');
const shell = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, text]) => text as string).join('\n');

describe('docs/where-it-runs.md', () => {
  it('gives commands about files that are there', () => {
    // A command makes the .env.
    const files = [...shell.matchAll(/temporal-config\/[\w./-]+/g)]
      .map(([path]) => path)
      .filter((path) => !path.endsWith('.env'));
    expect(files.length).toBeGreaterThan(3);
    for (const path of files) expect(existsSync(join(root, path)), path).toBe(true);
  });

  it('sends a notice that the workflow understands', () => {
    const [, name, input] = /--name (\w+) --input '(.*)'/.exec(shell) ?? [];
    expect(name).toBe(preemptionNoticeSignal.name);
    expect(PreemptionNotice.parse(JSON.parse(input ?? ''))).toMatchObject({ node: 'n1' });
  });

  it('says what the files say', () => {
    expect(page).toContain(`ends within ${SHUTDOWN_S} s`);
    const grace = /terminationGracePeriodSeconds: (\d+)/.exec(read('temporal-config/kubernetes/gpu-worker.yaml'))?.[1];
    expect(page).toContain(`\`terminationGracePeriodSeconds: ${grace}\``);
    const signal = /--signal=\S+/.exec(read('temporal-config/slurm/gpu-worker.sbatch').replace(/^# .*$/gm, ''))?.[0];
    expect(page).toContain(`\`${signal}\``);
    expect(Object.keys(SEARCH_ATTRIBUTES).every((attribute) => attribute.startsWith('Gavel'))).toBe(true);
    expect(Object.keys(SEARCH_ATTRIBUTES)).toHaveLength(6);
  });

  it('names no image that Temporal gave up but to warn of it', () => {
    expect(shell).not.toContain('auto-setup');
  });
});
