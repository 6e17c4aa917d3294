#!/usr/bin/env node
// `npm test`: set-up, generated files, lint, types, tests of both languages, and one run from end to end.
// `npm run test:long` (--long): the tests that `npm test` leaves out for their length, the short fault campaign among them.
// Stops at the first failure. --fast leaves the end-to-end run out, --keep-going goes on after a failure.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { node24, withCompileCache } from './node24.mjs';
import { root } from './setup/tool.mjs';
import { ensureSetup } from './setup.mjs';
import { fromPytest, fromVitest } from './test/counts.mjs';
import { runStep } from './test/step.mjs';

const options = new Set(process.argv.slice(2));
for (const option of options) {
  if (!['--fast', '--long', '--keep-going'].includes(option)) {
    console.error(`Expected --fast, --long or --keep-going, got ${option}.`);
    process.exit(2);
  }
}

const began = Date.now();
await ensureSetup();

const reports = join(root, '.gavel/test');
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });

// Killed model servers and trainers clear nothing away: all that the tests write is in one folder that goes with them.
const temporary = mkdtempSync(join(tmpdir(), 'gavel-test-'));
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));

const node = node24();
const module = (path) => [node, join(root, 'node_modules', path)];
const venv = (name) => join(root, '.venv/bin', name);
const vitest = (name, ...more) => {
  const report = join(reports, `${name}.json`);
  const run = [
    'run',
    '--project',
    name,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...more,
  ];
  return { command: [...module('vitest/vitest.mjs'), ...run], count: () => fromVitest(report) };
};
const pytest = (name, ...more) => {
  const junit = join(reports, `${name}.xml`);
  return {
    command: [venv('pytest'), `--junitxml=${junit}`, ...more],
    // pyproject.toml, and with it the settings of pytest, is in python/.
    cwd: join(root, 'python'),
    // Threads of one small matrix product wait for each other on cores that other lanes use too.
    env: { OMP_NUM_THREADS: '1' },
    count: (printed) => fromPytest(junit, printed),
  };
};

const fast = options.has('--fast');
const pythonFolders = ['python', 'models', 'bench/audit_power', 'bench/audit_scale', 'bench/figures'];
const checks = [
  { name: 'contracts are fresh', command: [node, '--no-warnings', 'tools/generate-contracts.ts', '--check'] },
  { name: 'biome', command: [...module('@biomejs/biome/bin/biome'), 'check', '.'] },
  { name: 'tsc', command: [...module('typescript/bin/tsc'), '-p', '.'] },
  {
    name: 'ruff check',
    command: [venv('ruff'), 'check', ...pythonFolders],
  },
  {
    name: 'ruff format',
    command: [venv('ruff'), 'format', '--check', ...pythonFolders],
  },
  { name: 'pyright', command: [...module('pyright/index.js'), '-p', 'python'] },
];
// Half of the time of all Python tests; with the others in one lane they would be its last minutes, on one core.
const training = ['policy', 'rollouts'].map((folder) => `tests/${folder}`);
const python = {
  name: 'Python tests',
  ...pytest('python', '-m', 'not slow', ...training.map((path) => `--ignore=${path}`)),
};
const trainers = { name: 'Python trainers', ...pytest('trainers', '-m', 'not slow', ...training) };
const slow = { name: 'slow Python tests', ...pytest('slow', '-m', 'slow') };
// Left alone, vitest takes one worker on two cores, and half of the time a test waits for a process to start.
const unit = { name: 'TypeScript tests', ...vitest('unit', '--maxWorkers=2') };
const checker = { name: 'fault checker', ...vitest('checker') };
const e2e = { name: 'end to end', ...vitest('e2e') };
const longer = { name: 'more end to end', ...vitest('long', '--maxWorkers=2') };
const campaign = { name: 'fault campaign', ...vitest('campaign') };
// One phase after the other, the lanes of a phase side by side: processes that start, models that load and deadlines leave a core
// idle for half of a lane's time. What is printed by all lanes but the first is held back until a step is over.
const phases = options.has('--long')
  ? [[[longer]], [[slow]], [[campaign]]]
  : [
      [
        [unit, checker],
        [...checks, python],
        [...(fast ? [] : [e2e]), trainers],
      ],
    ];

const running = new Set();
let stopped = false;
let failed = false;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    stopped = true;
    for (const child of running) child.kill(signal);
  });
}

/** Runs one step. */
function run({ command, cwd = root, env = {} }, held) {
  const all = { ...withCompileCache(process.env), TMPDIR: temporary, ...env };
  return runStep({ command, cwd, env: all }, { held, running });
}

const seconds = (from) => `${((Date.now() - from) / 1000).toFixed(1)} s`;
const results = [];
async function runLane(steps, held) {
  for (const step of steps) {
    if (stopped || (failed && !options.has('--keep-going'))) return;
    const from = Date.now();
    if (!held) console.log(`\n=== ${step.name}`);
    const { code, text } = await run(step, held);
    if (held) console.log(`\n=== ${step.name} (${seconds(from)})\n${text.trimEnd()}`);
    const whole = { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, failures: [] };
    const counts = step.count?.(text) ?? whole;
    // A runner that fails as a whole, say on a file that it cannot load, counts no test of its own.
    if (code !== 0 && counts.failed === 0) counts.failed = 1;
    failed ||= code !== 0;
    results.push({ name: step.name, code, time: seconds(from), ...counts });
  }
}
for (const lanes of phases) await Promise.all(lanes.map((steps, index) => runLane(steps, index > 0)));

console.log('\n=== summary');
for (const { name, code, time, passed, failed, skipped, failures } of results) {
  const parts = [`${passed} passed`, failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} skipped`];
  console.log(
    `${code === 0 ? 'ok  ' : 'FAIL'}  ${name.padEnd(20)} ${time.padStart(9)}  ${parts.filter(Boolean).join(', ')}`,
  );
  // A failure stands far above, among what passed: it is named again where one looks.
  for (const failure of failures)
    console.log(`        ${stripVTControlCharacters(failure).replace(/\s+/g, ' ').slice(0, 400)}`);
}
const notRun = phases.flat(2).filter(({ name }) => !results.some((result) => result.name === name));
for (const { name } of notRun) console.log(`-     ${name.padEnd(20)}   not run`);
console.log(`total ${seconds(began)}`);
const sum = (key) => results.reduce((total, result) => total + result[key], 0);
console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
process.exit(stopped ? 130 : (results.find(({ code }) => code !== 0)?.code ?? 0));
