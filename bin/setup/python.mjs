// The Python virtual environment: torch by itself, then everything else from the lock file of this machine's engine. Every package has
// to match a hash of a lock file.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CUDA_LIBRARIES, entriesOf } from './cuda-libraries.mjs';
import { phase, say } from './screen.mjs';
import { root, runTool, SetupError } from './tool.mjs';

const venv = join(root, '.venv');
const python = join(venv, 'bin/python');
const stampPath = join(venv, '.gavel-stamp');
const downloads = join(root, '.gavel/pip');
const CANDIDATES = ['python3.13', 'python3.12', 'python3.11', 'python3', 'python'];

const lockOf = (engine) => join(root, `python/requirements-${engine}.lock`);
const torchLock = join(root, 'python/requirements-torch.lock');
const HASHED = ['--no-deps', '--require-hashes', '-r'];

function wantedStamp(engine) {
  const text = readFileSync(lockOf(engine), 'utf8');
  const torch = /^torch==(\S+)/m.exec(readFileSync(torchLock, 'utf8'))[1];
  return { engine, torch, lock_sha256: createHash('sha256').update(text).digest('hex') };
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampPath, 'utf8'));
  } catch {
    return null;
  }
}

/** Whether .venv is what the lock file of its engine says. */
export function hasPython() {
  const stamp = readStamp();
  if (!stamp || !existsSync(python) || !existsSync(lockOf(stamp.engine))) return false;
  const asked = process.env.GAVEL_ENGINE;
  if (asked && asked !== stamp.engine && existsSync(lockOf(asked))) return false;
  const wanted = wantedStamp(stamp.engine);
  return wanted.lock_sha256 === stamp.lock_sha256 && wanted.torch === stamp.torch;
}

function chooseEngine() {
  const asked = process.env.GAVEL_ENGINE;
  if (asked && asked !== 'cpu' && asked !== 'cuda') {
    throw new SetupError(`Expected GAVEL_ENGINE to be cpu or cuda, got ${asked}.`);
  }
  const gpu = asked ? asked === 'cuda' : spawnSync('nvidia-smi', ['-L'], { encoding: 'utf8' }).stdout?.includes('GPU');
  if (!gpu) return 'cpu';
  if (existsSync(lockOf('cuda'))) return 'cuda';
  say('  A GPU is here, but python/requirements-cuda.lock is missing: installing the CPU engine.');
  return 'cpu';
}

function findPython() {
  const seen = [];
  for (const name of CANDIDATES) {
    const probe = 'import sys; print("%d.%d" % sys.version_info[:2]); import venv, ensurepip';
    const { status, stdout } = spawnSync(name, ['-c', probe], { encoding: 'utf8' });
    const version = stdout?.trim();
    if (!version) continue;
    const [major, minor] = version.split('.').map(Number);
    if (major !== 3 || minor < 11) seen.push(`${name} is ${version}`);
    else if (status !== 0) seen.push(`${name} ${version} has no module venv`);
    else return { name, version };
  }
  throw new SetupError(
    `Expected Python 3.11 or later with venv, found ${seen.length > 0 ? seen.join('; ') : 'no Python at all'}.`,
    {
      fix: 'install Python 3.11 or later (Debian, Ubuntu: `apt install python3 python3-venv`), then `npm run setup`.',
    },
  );
}

/** A virtual environment whose interpreter and pip answer; one that an interruption left half made is made again. */
async function makeVenv(lock) {
  const works = spawnSync(python, ['-c', 'import sys, pip; assert sys.version_info >= (3, 11)']).status === 0;
  if (works) return;
  const found = findPython();
  await runTool(found.name, ['-m', 'venv', '--clear', venv], {
    what: 'Making the Python environment .venv',
    fix: 'make the folder writable and free disk space, then run `npm run setup` again.',
    onStart: lock.add,
  });
}

const LIST = `
import json, importlib.metadata as m
print(json.dumps({d.metadata["Name"].lower().replace("_", "-").replace(".", "-"): d.version for d in m.distributions()}))`;

/** Names and versions of what .venv holds. */
function installed() {
  const { stdout } = spawnSync(python, ['-c', LIST], { encoding: 'utf8' });
  return JSON.parse(stdout || '{}');
}

/** Pins of the lock that hold on every machine; those with a marker are pip's to judge. */
function pins(engine) {
  const lines = readFileSync(lockOf(engine), 'utf8').matchAll(/^([A-Za-z0-9._-]+)==([^\s;]+)\s*(;)?/gm);
  return [...lines].map(([, name, version, marker]) => ({
    name: name.toLowerCase().replace(/[_.]/g, '-'),
    version,
    always: marker === undefined,
  }));
}

const distributions = () => {
  const lib = join(venv, 'lib');
  const version = readdirSync(lib).find((name) => name.startsWith('python'));
  return readdirSync(join(lib, version, 'site-packages')).filter((name) => name.endsWith('.dist-info')).length;
};

/** Bytes that pip has fetched so far: it prints nothing on the way when its output is not a terminal. */
function fetchedBytes() {
  let sum = 0;
  try {
    for (const folder of readdirSync(downloads)) {
      for (const file of readdirSync(join(downloads, folder))) {
        sum += statSync(join(downloads, folder, file), { throwIfNoEntry: false })?.size ?? 0;
      }
    }
  } catch {}
  return sum;
}

/** Runs pip, counting each package twice: when it is fetched and when it is installed. */
async function pip(label, args, { total, what, lock }) {
  const bar = phase(label);
  let fetched = 0;
  const before = distributions();
  rmSync(downloads, { recursive: true, force: true });
  mkdirSync(downloads, { recursive: true });
  const count = () => {
    const arrived = Math.max(0, distributions() - before);
    const bytes = fetchedBytes();
    const size = bytes > 1e6 ? `${Math.round(bytes / 1e6)} MB fetched` : '';
    bar.update({ done: Math.min(total, fetched + arrived), total, detail: arrived > 0 ? 'installing' : size });
  };
  const timer = setInterval(count, 500);
  try {
    await runTool(python, ['-m', 'pip', 'install', '--progress-bar', 'off', ...args], {
      what,
      fix: 'check the connection to the Python package index and the free disk space, then run `npm run setup` again; it continues where it stopped.',
      onLine: (line) => {
        if (/^(Collecting|Requirement already satisfied)/.test(line)) fetched += 1;
      },
      onStart: lock.add,
      // pip unpacks gigabytes; the disk of the clone has room for them where a small /tmp may not.
      env: { TMPDIR: downloads },
    });
    bar.done(`${distributions()} in .venv`);
  } catch (error) {
    bar.fail();
    throw error;
  } finally {
    clearInterval(timer);
    rmSync(downloads, { recursive: true, force: true });
  }
}

/**
 * The file to install torch from. Where the index has an accepted CPU build beside the release, a machine without a GPU takes that one:
 * pip itself prefers a build whose hash the index states, and the CUDA build is several gigabytes with its libraries.
 */
function torchRequirements(engine) {
  if (engine !== 'cpu') return torchLock;
  const cpu = join(root, '.gavel/torch-cpu.lock');
  mkdirSync(downloads, { recursive: true });
  writeFileSync(cpu, readFileSync(torchLock, 'utf8').replace(/^torch==\S+/m, '$&+cpu'));
  const args = ['-m', 'pip', 'install', '--dry-run', '--quiet', ...HASHED, cpu];
  const { status } = spawnSync(python, args, { stdio: 'ignore', env: { ...process.env, TMPDIR: downloads } });
  return status === 0 ? cpu : torchLock;
}

const WANTED = `
import json, importlib.metadata as m
from pip._vendor.packaging.requirements import Requirement
needs = [r for r in map(Requirement, m.requires("torch") or []) if r.marker is None or r.marker.evaluate({"extra": ""})]
have = {d.metadata["Name"].lower().replace("_", "-") for d in m.distributions()}
print(json.dumps([r.name for r in needs if r.name.lower() not in have]))`;

/** On Linux an index may have no build of torch but the CUDA one, also for a machine without a GPU: it does not start without these. */
async function installCudaLibraries(lock) {
  const { stdout } = spawnSync(python, ['-c', WANTED], { encoding: 'utf8' });
  const missing = JSON.parse(stdout || '[]');
  if (!missing.some((name) => CUDA_LIBRARIES.includes(name))) return;
  const entries = join(root, '.gavel/cuda-libraries.lock');
  writeFileSync(entries, entriesOf(readFileSync(lockOf('cuda'), 'utf8'), CUDA_LIBRARIES));
  await pip('CUDA libraries', [...HASHED, entries], {
    total: 2 * CUDA_LIBRARIES.length,
    what: 'Installing the CUDA libraries of torch',
    lock,
  });
}

/** Makes .venv what the lock says; packages that are there already are kept. */
export async function installPython(lock) {
  const engine = chooseEngine();
  await makeVenv(lock);
  const stamp = wantedStamp(engine);
  const list = pins(engine);
  const have = installed();
  const torch = have.torch?.split('+')[0] === stamp.torch;
  if (!torch) {
    await pip('torch', [...HASHED, torchRequirements(engine)], { total: 2, what: 'Installing torch', lock });
  }
  if (!list.every(({ name, version, always }) => !always || have[name] === version)) {
    const always = list.filter((pin) => pin.always);
    const total = 2 * always.length - always.filter(({ name, version }) => have[name] === version).length;
    await pip('Python packages', [...HASHED, lockOf(engine)], {
      total,
      what: 'Installing the Python packages',
      lock,
    });
  }
  await installCudaLibraries(lock);
  writeFileSync(stampPath, JSON.stringify(stamp));
}
