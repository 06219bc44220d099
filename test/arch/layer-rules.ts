/**
 * The layers of src, and the rules that keep them. A file imports from its own folder, from its own rank among
 * the files at the root of src, and from lower ranks; never upwards, never across to a sibling folder.
 */

import { type ParsedSource, parseSource, resolveImport } from './sources.ts';

/** Files directly in src that are not named here are the base: rank 0. */
const baseRank = 0;
export const folderRanks: Readonly<Record<string, number>> = {
  aead: 1,
  os: 1,
  floe: 2,
  stream: 3,
  kms: 3,
  envelope: 4,
  sealed: 5,
  keyring: 5,
  fs: 6,
  rotate: 7,
  cli: 8,
};
const topRank = 9;
const topFiles: readonly string[] = ['index.ts', 'testing.ts'];

/** The only index files: each is an entry of package.json's `exports`, and nothing inside src but the top imports it. */
const entryFiles: readonly string[] = [
  'index.ts',
  'testing.ts',
  'floe/index.ts',
  'kms/index.ts',
  'rotate/index.ts',
];

/** Who may import a package: a folder, or for an optional SDK the one file of its provider. */
const packageUsers: Readonly<Record<string, string>> = {
  '@noble/ciphers': 'aead/',
  commander: 'cli/',
};

/** Sets the exit code and ends the process; nothing else does. */
const exitFile = 'cli/bin.ts';
/** Asks with signal 0 whether a process is there, which ends nothing. */
const signalFile = 'os/process-identity.ts';
const mostLines = 500;

function rankOf(path: string): number | undefined {
  const [folder, rest] = path.split('/', 2);
  if (rest !== undefined) return folderRanks[folder ?? ''];
  return topFiles.includes(path) ? topRank : baseRank;
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Every breach in a tree of sources (path below src → text), one line each, `path:line: what`. */
export function findBreaches(sources: ReadonlyMap<string, string>): string[] {
  const breaches: string[] = [];
  const edges = new Map<string, string[]>();
  for (const [path, text] of sources) {
    const parsed = parseSource(path, text);
    breaches.push(...fileBreaches(path, text, parsed));
    const targets: string[] = [];
    for (const { specifier, line } of parsed.imports) {
      const at = `${path}:${line}`;
      if (specifier === undefined) breaches.push(`${at}: imports a computed name`);
      else if (!specifier.startsWith('.')) breaches.push(...packageBreaches(path, at, specifier));
      else {
        const target = resolveImport(path, specifier);
        targets.push(target);
        breaches.push(...layerBreaches(path, at, target, sources));
      }
    }
    edges.set(path, targets);
  }
  return [...breaches, ...findCycles(edges)];
}

function fileBreaches(path: string, text: string, { exitLines }: ParsedSource): string[] {
  const breaches: string[] = [];
  const lines = text.split('\n').length - 1;
  if (lines > mostLines) breaches.push(`${path}: ${lines} lines, more than ${mostLines}`);
  if (rankOf(path) === undefined) breaches.push(`${path}: a folder without a rank`);
  if (path.endsWith('/index.ts') && !entryFiles.includes(path))
    breaches.push(`${path}: a barrel inside a folder`);
  if (path !== exitFile && path !== signalFile)
    breaches.push(...exitLines.map((line) => `${path}:${line}: ends the process`));
  if (text.includes('../shared')) breaches.push(`${path}: names a path outside the repository`);
  return breaches;
}

function packageBreaches(path: string, at: string, specifier: string): string[] {
  if (specifier.startsWith('node:')) return [];
  const users = packageUsers[packageName(specifier)];
  if (users === undefined) return [`${at}: imports ${specifier}, a package without a rule`];
  return path.startsWith(users) ? [] : [`${at}: imports ${specifier}, which is for ${users} alone`];
}

function layerBreaches(
  path: string,
  at: string,
  target: string,
  sources: ReadonlyMap<string, string>,
): string[] {
  if (target === '../package.json') return [];
  if (!sources.has(target)) return [`${at}: imports ${target}, not a file of src`];
  const from = rankOf(path);
  const to = rankOf(target);
  if (from === undefined || to === undefined) return [];
  if (to > from) return [`${at}: imports ${target}, a higher layer`];
  const folder = path.slice(0, path.indexOf('/') + 1);
  if (to === from && from !== baseRank && !target.startsWith(folder))
    return [`${at}: imports ${target}, a sibling layer`];
  if (entryFiles.includes(target) && from !== topRank)
    return [`${at}: imports ${target}, an entry meant for users`];
  return [];
}

/** Each cycle once, type-only imports included. */
function findCycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(path);
    if (seenAt !== -1) cycles.push(`cycle: ${[...trail.slice(seenAt), path].join(' → ')}`);
    if (seenAt !== -1 || done.has(path)) return;
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return cycles;
}
