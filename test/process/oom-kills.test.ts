import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchOomKills } from '../../src/process/oom-kills.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const stops: (() => void)[] = [];
beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.useRealTimers();
});

function watching(...args: Parameters<typeof watchOomKills>) {
  const oom = watchOomKills(...args);
  stops.push(oom.stop);
  return oom;
}

/** A tree with the files that the kernel would show. */
function aSystem(files: Record<string, string>) {
  const root = temporaryFolder('oom');
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  return { root, write };
}

const events = (kills: number) => `low 0\nhigh 0\nmax 12\noom 3\noom_kill ${kills}\noom_group_kill 0\n`;

it.each([
  ['a group of cgroup v2', '0::/slurm/job-7', 'sys/fs/cgroup/slurm/job-7/memory.events'],
  ['a container, whose group is the top of what is mounted', '0::/kubepods/pod-3', 'sys/fs/cgroup/memory.events'],
])('counts the kills of %s', (_, cgroup, path) => {
  const { root, write } = aSystem({
    'proc/42/cgroup': `${cgroup}\n`,
    [path]: events(1),
    'proc/vmstat': 'oom_kill 9\n',
  });
  const oom = watching(42, null, root);
  expect(oom.recent()).toBe(0);
  write('proc/vmstat', 'oom_kill 10\n');
  expect(oom.recent()).toBe(0);
  write(path, events(3));
  expect(oom.recent()).toBe(2);
});

it('counts the kills of a group of cgroup v1', () => {
  const path = 'sys/fs/cgroup/memory/docker/a/memory.oom_control';
  const control = (kills: number) => `oom_kill_disable 0\nunder_oom 0\noom_kill ${kills}\n`;
  const cgroup = '11:cpu,cpuacct:/docker/a\n9:memory:/docker/a\n';
  const { root, write } = aSystem({ 'proc/42/cgroup': cgroup, [path]: control(0) });
  const oom = watching(42, null, root);
  write(path, control(1));
  expect(oom.recent()).toBe(1);
});

it('counts the kills of the whole machine where no group is limited', () => {
  const { root, write } = aSystem({ 'proc/42/cgroup': '0::/\n', 'proc/vmstat': 'nr_free 1\noom_kill 4\n' });
  const oom = watching(42, null, root);
  write('proc/vmstat', 'nr_free 1\noom_kill 5\n');
  expect(oom.recent()).toBe(1);
});

it('counts nothing where the system does not say', () => {
  expect(watching(42, null, aSystem({}).root).recent()).toBe(0);
});

it('counts in the file that the configuration names, where it names one', () => {
  const { root, write } = aSystem({
    'proc/42/cgroup': '0::/a\n',
    'sys/fs/cgroup/a/memory.events': events(5),
    counter: 'oom_kill 0\n',
  });
  const oom = watching(42, join(root, 'counter'), root);
  write('counter', 'oom_kill 1\n');
  expect(oom.recent()).toBe(1);
});

it('counts nothing where the group is gone together with its process', () => {
  const path = 'sys/fs/cgroup/job/memory.events';
  const { root } = aSystem({ 'proc/42/cgroup': '0::/job\n', [path]: events(1), 'proc/vmstat': 'oom_kill 9\n' });
  const oom = watching(42, null, root);
  rmSync(join(root, path));
  expect(oom.recent()).toBe(0);
});

it('does not count a kill that another process had while the trainer was well', () => {
  const path = 'sys/fs/cgroup/job/memory.events';
  const { root, write } = aSystem({ 'proc/42/cgroup': '0::/job\n', [path]: events(0) });
  const oom = watching(42, null, root);
  write(path, events(1));
  vi.advanceTimersByTime(30_000);
  expect(oom.recent()).toBe(1);
  vi.advanceTimersByTime(60_000);
  expect(oom.recent()).toBe(0);
  write(path, events(2));
  expect(oom.recent()).toBe(1);
});
