#!/usr/bin/env node
// Adds to package-lock.json the packages of other platforms that npm left out, and the integrity of every entry that has none: npm writes
// it for what it installed on this machine. Without their entries `npm ci` refuses the lock, and a Mac would get none of them.
// Run by `npm run lock`.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(path, 'utf8'));
const { packages } = lock;

/** Whether `name`, asked for by the package at `from`, has an entry where Node would look for it. */
function isThere(from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`]) return true;
    if (at === '') return false;
  }
}

/** Operating system and processor from a name such as @biomejs/cli-linux-x64-musl. */
function platformOf(name) {
  const os = /\b(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)\b/.exec(name)?.[1];
  const cpu = /\b(arm64|arm|ia32|loong64|ppc64|riscv64|s390x|x64|wasm32)\b/.exec(name)?.[1];
  if (!os || !cpu) return null;
  return { cpu: [cpu], os: [os], ...(name.endsWith('musl') && { libc: ['musl'] }) };
}

/** What the registry says that the archive of a package must hash to. */
function integrityOf(name, version) {
  const integrity = execFileSync('npm', ['view', `${name}@${version}`, 'dist.integrity'], { encoding: 'utf8' }).trim();
  if (!integrity.startsWith('sha512-')) throw new Error(`Expected the integrity of ${name}@${version}, got none.`);
  return integrity;
}

const added = [];
for (const [from, { optionalDependencies = {} }] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const platform = platformOf(name);
    // A range does not say which version a registry would have given.
    if (platform === null || !/^\d+\.\d+\.\d+$/.test(version) || isThere(from, name)) continue;
    packages[`node_modules/${name}`] = {
      version,
      ...platform,
      ...(packages[from].dev && { dev: true }),
      optional: true,
    };
    added.push(`${name}@${version}`);
  }
}
for (const [path, entry] of Object.entries(packages)) {
  if (path === '' || entry.link || entry.integrity) continue;
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  packages[path] = { version: entry.version, integrity: integrityOf(name, entry.version), ...entry };
  added.push(`the integrity of ${name}`);
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length > 0 ? `Added ${added.join(', ')}.` : 'Nothing to add.');
