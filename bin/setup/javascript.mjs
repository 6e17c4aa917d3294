// npm packages, Node 24 among them: installed from package-lock.json when it changed.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { phase } from './screen.mjs';
import { root, runTool } from './tool.mjs';

const modules = join(root, 'node_modules');
const stamp = join(modules, '.gavel-stamp');
const lockFile = join(root, 'package-lock.json');

const text = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
};

const digest = () => createHash('sha256').update(readFileSync(lockFile)).digest('hex');

/** Whether node_modules is what package-lock.json says. */
export const hasPackages = () => text(stamp)?.trim() === digest();

/** Packages of the lock that this machine gets: those for another system are skipped by npm. */
function wanted() {
  const fits = (list, value) => {
    if (list === undefined) return true;
    const names = [list].flat();
    return names.includes(value) || names.some((name) => name.startsWith('!') && name !== `!${value}`);
  };
  const { packages } = JSON.parse(readFileSync(lockFile, 'utf8'));
  return Object.entries(packages).filter(
    ([path, entry]) => path !== '' && fits(entry.os, process.platform) && fits(entry.cpu, process.arch),
  );
}

/** A tree that npm itself wrote from this very lock is adopted: only a package that is not optional may be asked for. */
function isComplete() {
  const installed = JSON.parse(text(join(modules, '.package-lock.json')) ?? '{"packages":{}}').packages;
  return wanted().every(([path, entry]) => entry.optional || installed[path]?.version === entry.version);
}

/** Lets `npx gavel` find the command without installing the clone somewhere else. */
function linkCommand() {
  const link = join(modules, '.bin/gavel');
  if (!existsSync(link)) symlinkSync('../../bin/gavel.mjs', link);
}

/** Installs the packages. */
export async function installPackages(lock) {
  if (!isComplete()) {
    const bar = phase('npm packages');
    const paths = wanted()
      .filter(([, entry]) => !entry.optional)
      .map(([path]) => join(root, path, 'package.json'));
    // npm says nothing while it works, so the packages that have arrived are counted.
    const count = () => bar.update({ done: paths.filter((path) => existsSync(path)).length, total: paths.length });
    const timer = setInterval(count, 500);
    try {
      await runTool('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=warn'], {
        what: 'Installing the npm packages',
        fix: 'check the connection to the npm registry, then run `npm run setup` again.',
        onStart: lock.add,
      });
      bar.done(`${paths.length} installed`);
    } catch (error) {
      bar.fail();
      throw error;
    } finally {
      clearInterval(timer);
    }
  }
  linkCommand();
  writeFileSync(stamp, digest());
}
