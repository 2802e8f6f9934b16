// `npm run lock`: adds to package-lock.json the optional packages that npm left out.
// A registry that lacks some platforms' binaries makes `npm install` write a lock without their entries, which `npm ci` then refuses.
// `npm ci` only wants an entry to exist for each optionalDependency; an optional package that cannot be fetched is passed over.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const packages = lock.packages;
let added = 0;
for (const [path, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    let base = path;
    let found = false;
    for (;;) {
      if (packages[`${base === '' ? '' : `${base}/`}node_modules/${name}`] !== undefined) {
        found = true;
        break;
      }
      if (base === '') break;
      base = base.includes('/node_modules/') ? base.slice(0, base.lastIndexOf('/node_modules/')) : '';
    }
    if (found || !/^\d/.test(version)) continue;
    packages[`node_modules/${name}`] = { version, optional: true, ...platformOf(name), ...(entry.dev ? { dev: true } : {}) };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${added} optional package${added === 1 ? '' : 's'} added to package-lock.json\n`);

/** Platform packages are named after their platform; without `os` and `cpu` npm would try to fetch each of them everywhere. */
function platformOf(name) {
  const os = /(?:^|[-/])(darwin|linux|win32|freebsd|android|openharmony|aix|sunos|netbsd|openbsd)/.exec(name)?.[1];
  const cpu = /(?:^|[-/])(arm64|x64|arm|ia32|ppc64|s390x|riscv64|loong64|x86)(?:[-/]|$)/.exec(name)?.[1];
  return { ...(os ? { os: [os] } : {}), ...(cpu ? { cpu: [cpu] } : {}) };
}
