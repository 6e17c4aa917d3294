import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimUp, ownUp, readUp, removeUp, type UpState, writeUp } from '../../../src/cli/up/state.ts';
import { type Config, loadConfig } from '../../../src/config.ts';
import { processName } from '../../../src/process/stat.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

let config: Config;
beforeEach(() => {
  config = loadConfig({ GAVEL_ROOT: temporaryFolder('up') });
});

const state = (): UpState =>
  ownUp({ server_pid: null, worker_pid: null, address: '', ui: '', db: '', ready: false, started_at: '' });
/** Of a process that runs, and is not this one. */
const other = (): UpState => ({ ...state(), pid: process.ppid, process: processName(process.ppid) ?? '' });
const ended = (): UpState => ({ ...state(), pid: 1, process: '1:1' });
const folder = () => join(config.root, '.gavel');

describe('the state of gavel up', () => {
  it('belongs to the first of two that begin at once, whichever ends first', () => {
    const [first, second] = [other(), state()];
    expect(claimUp(config, first)).toBeNull();
    expect(claimUp(config, second)).toMatchObject({ process: first.process });
    writeUp(config, { ...second, ready: true });
    removeUp(config, second);
    expect(readUp(config)).toEqual(first);
    writeUp(config, { ...first, ready: true });
    expect(readUp(config)?.ready).toBe(true);
    removeUp(config, first);
    expect(readdirSync(folder())).toEqual([]);
  });

  it.each([
    ['an ended one left', () => JSON.stringify(ended())],
    ['cannot be read', () => '{"pid":'],
  ])('takes the place of a file that %s', (_, text) => {
    claimUp(config, state());
    writeFileSync(join(folder(), 'up.json'), text());
    expect(claimUp(config, state())).toBeNull();
    expect(readUp(config)?.pid).toBe(process.pid);
    expect(readdirSync(folder())).toEqual(['up.json']);
    removeUp(config, state());
    expect(existsSync(join(folder(), 'up.json'))).toBe(false);
  });
});
