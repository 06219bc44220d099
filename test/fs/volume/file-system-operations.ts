/** Operations that the functions of a volume and `node:fs/promises` both have, as data, and what comes of them in comparable form. */

import type { Dirent, promises as nodePromises, Stats } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';

import { Volume } from '../../../src/fs/volume/volume.ts';

/** What both of them have. */
export type FileApi = Pick<
  typeof nodePromises,
  | 'access'
  | 'appendFile'
  | 'chmod'
  | 'copyFile'
  | 'cp'
  | 'lstat'
  | 'mkdir'
  | 'mkdtemp'
  | 'open'
  | 'opendir'
  | 'readdir'
  | 'readFile'
  | 'readlink'
  | 'realpath'
  | 'rename'
  | 'rm'
  | 'rmdir'
  | 'stat'
  | 'symlink'
  | 'truncate'
  | 'unlink'
  | 'utimes'
  | 'writeFile'
>;

/** One operation with the paths it is about, relative to wherever it is run. */
export interface Operation {
  readonly name: string;
  /** `place` puts a path where the operation is run. */
  run(api: FileApi, place: (path: string) => string): Promise<unknown>;
}

function operation(name: string, args: readonly unknown[], run: Operation['run']): Operation {
  const text = `${name}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`;
  return { name: text, run, toString: () => text } as Operation;
}

const statForm = (stats: Stats): unknown => ({
  kind: kindOf(stats),
  mode: stats.mode.toString(8),
  size: stats.isFile() ? stats.size : undefined,
  nlink: stats.isFile() ? stats.nlink : undefined,
  mtimeMs: stats.mtimeMs < 10_000_000 ? stats.mtimeMs : 'now',
});

const kindOf = (entry: Stats | Dirent): string =>
  entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : entry.isSymbolicLink() ? 'link' : 'other';

const names = ['a', 'b', 'c'] as const;
const name = fc.constantFrom(...names);
/** A few names, so that operations meet; now and then forms that lead to the same place. */
const path: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: name },
  { weight: 4, arbitrary: fc.tuple(name, name).map((parts) => parts.join('/')) },
  { weight: 2, arbitrary: fc.tuple(name, name, name).map((parts) => parts.join('/')) },
  { weight: 1, arbitrary: fc.tuple(name, fc.constantFrom('/', '/.', '//')).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.tuple(name, name).map(([a, b]) => `${a}/../${b}`) },
  { weight: 1, arbitrary: name.map((a) => `./${a}`) },
);
const target = fc.oneof(
  name,
  fc.tuple(name, name).map((parts) => parts.join('/')),
  fc.constantFrom('a/.', './b'),
);
const content = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom('x'.repeat(16_340), 'y'.repeat(16_341), 'z'.repeat(40_000)),
);
const flag = fc.constantFrom('w', 'wx', 'a', 'ax', 'r+', 'w+', 'a+');
const mode = fc.constantFrom(0o600, 0o640, 0o755, 0o444);
const bool = fc.boolean();

/**
 * Everything below a directory. The volume is asked for it as such; of a plain directory it is put together, because
 * Node's own `recursive` follows links to directories in some versions and not in others.
 */
export async function entriesBelow(api: FileApi, path: string): Promise<Dirent[]> {
  if (api instanceof Volume) return api.readdir(path, { withFileTypes: true, recursive: true });
  const entries = await api.readdir(path, { withFileTypes: true });
  const below = entries.map(async (entry) =>
    entry.isDirectory() ? entriesBelow(api, join(entry.parentPath, entry.name)) : [],
  );
  return [...entries, ...(await Promise.all(below)).flat()];
}

async function sortedEntries(entries: readonly Dirent[], base: string): Promise<string[]> {
  return entries
    .map((entry) => `${entry.parentPath.replace(base, '')}|${entry.name}|${kindOf(entry)}`)
    .toSorted();
}

export const operations: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(path, content, flag)
      .map(([p, data, flag]) =>
        operation('writeFile', [p, data.slice(0, 12), data.length, flag], (api, at) =>
          api.writeFile(at(p), data, { flag }),
        ),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(path, content, mode)
      .map(([p, data, mode]) =>
        operation('writeFile with mode', [p, data.slice(0, 12), data.length, mode], (api, at) =>
          api.writeFile(at(p), data, { mode }),
        ),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(path, content)
      .map(([p, data]) =>
        operation('appendFile', [p, data.slice(0, 12), data.length], (api, at) =>
          api.appendFile(at(p), data),
        ),
      ),
  },
  {
    weight: 4,
    arbitrary: path.map((p) => operation('readFile', [p], (api, at) => api.readFile(at(p), 'utf8'))),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(path, fc.integer({ min: -1, max: 20_000 }))
      .map(([p, length]) => operation('truncate', [p, length], (api, at) => api.truncate(at(p), length))),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(path, fc.constantFrom('r', 'r+', 'w', 'wx', 'a', 'a+')).map(([p, flags]) =>
      operation('open', [p, flags], async (api, at) => {
        const handle = await api.open(at(p), flags);
        const { size } = await handle.stat();
        await handle.close();
        return (await api.stat(at(p))).isFile() ? size : 'directory';
      }),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(path, bool).map(([p, recursive]) =>
      operation('mkdir', [p, recursive], async (api, at) => {
        const first = await api.mkdir(at(p), { recursive });
        return first?.replace(at(''), '');
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: path.map((p) => operation('stat', [p], async (api, at) => statForm(await api.stat(at(p))))),
  },
  {
    weight: 3,
    arbitrary: path.map((p) => operation('lstat', [p], async (api, at) => statForm(await api.lstat(at(p))))),
  },
  {
    weight: 2,
    arbitrary: path.map((p) =>
      operation('readdir', [p], async (api, at) => (await api.readdir(at(p))).toSorted()),
    ),
  },
  {
    weight: 2,
    arbitrary: path.map((p) =>
      operation('readdir of all', [p], async (api, at) =>
        sortedEntries(await entriesBelow(api, at(p)), at('')),
      ),
    ),
  },
  {
    weight: 1,
    arbitrary: path.map((p) =>
      operation('opendir', [p], async (api, at) => {
        const entries: Dirent[] = [];
        for await (const entry of await api.opendir(at(p))) entries.push(entry);
        return sortedEntries(entries, at(''));
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(path, bool, bool).map(([p, recursive, force]) =>
      operation('rm', [p, recursive, force], (api, at) =>
        // With a slash behind a link Node removes what is in the directory it leads to. The volume refuses to.
        api.rm(at(recursive ? p.replace(/\/+\.?$/, '') : p), { recursive, force }),
      ),
    ),
  },
  { weight: 2, arbitrary: path.map((p) => operation('rmdir', [p], (api, at) => api.rmdir(at(p)))) },
  { weight: 2, arbitrary: path.map((p) => operation('unlink', [p], (api, at) => api.unlink(at(p)))) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(path, path)
      .map(([from, to]) => operation('rename', [from, to], (api, at) => api.rename(at(from), at(to)))),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(path, path, fc.constantFrom(0, 1)).map(([from, to, mode]) =>
      operation('copyFile', [from, to, mode], async (api, at) => {
        // Node removes what is at the destination when the source is a directory. The volume keeps it.
        const source = await api.stat(at(from)).catch(() => undefined);
        return source?.isDirectory() === true ? 'skipped' : api.copyFile(at(from), at(to), mode);
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(path, path, bool, bool, bool).map(([from, to, recursive, force, errorOnExist]) =>
      operation('cp', [from, to, recursive, force, errorOnExist], async (api, at) => {
        const [source, destination] = await Promise.all(
          [from, to].map((path) => api.lstat(at(path)).catch(() => undefined)),
        );
        // Of two paths that are both wrong Node names either; a link to nothing it does not copy onto another link.
        if (source === undefined || (source.isSymbolicLink() && destination?.isSymbolicLink())) {
          return 'skipped';
        }
        // What fails half-way leaves what was copied by then, in the order of the directory: see cp.test.ts.
        if (source.isDirectory() && destination?.isDirectory()) return 'skipped';
        return api.cp(at(from), at(to), { recursive, force, errorOnExist, verbatimSymlinks: true });
      }),
    ),
  },
  { weight: 1, arbitrary: path.map((p) => operation('access', [p], (api, at) => api.access(at(p)))) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(path, mode)
      .map(([p, mode]) => operation('chmod', [p, mode], (api, at) => api.chmod(at(p), mode))),
  },
  {
    weight: 2,
    arbitrary: path.map((p) =>
      operation('utimes', [p], (api, at) => api.utimes(at(p), 1_000, new Date(2_000_000))),
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(target, path)
      .map(([to, p]) => operation('symlink', [to, p], (api, at) => api.symlink(to, at(p)))),
  },
  { weight: 2, arbitrary: path.map((p) => operation('readlink', [p], (api, at) => api.readlink(at(p)))) },
  {
    weight: 1,
    arbitrary: path.map((p) =>
      operation('realpath', [p], async (api, at) => {
        const [root, real] = [await api.realpath(at('.')), await api.realpath(at(p))];
        return real.slice(root.length).replace(/^\//, '');
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: path.map((p) =>
      operation('mkdtemp', [p], async (api, at) => {
        const made = await api.mkdtemp(at(`${p}-`));
        const form = made.replace(at(''), '').replace(/[A-Za-z0-9]{6}$/, 'XXXXXX');
        await api.rmdir(made);
        return form;
      }),
    ),
  },
);

/** What an operation comes to: its value, or its error with the paths as they were given. */
export async function outcomeOf(api: FileApi, base: string, { name, run }: Operation): Promise<unknown> {
  try {
    return { value: await run(api, (path) => base + path) };
  } catch (error) {
    const { code, dest, errno, message, path, syscall } = error as NodeJS.ErrnoException & { dest?: string };
    // Through a link to nothing Node tells how far it got, which differs from one version to the next.
    if (/^(mkdir.*true\)|cp.*)$/.test(name) && syscall === 'mkdir' && /^(ENOENT|ENOTDIR)$/.test(code ?? '')) {
      return 'no way there';
    }
    // Which of two reasons not to copy a directory comes first differs between versions of Node, and for a destination
    // that leads into the source through a link it names one of the directories on the way, by its absolute path.
    if (syscall === 'cp' && /^ERR_FS_(CP_EINVAL|EISDIR)$/.test(code ?? '')) return 'not copied';
    // Newer versions of Node name the file that could not be read, as the volume does.
    if (syscall === 'read') return { code, errno, syscall };
    const bare = (text: string | undefined): string | undefined =>
      (base === '' ? text : text?.replaceAll(base, ''))?.replace(
        syscall === 'mkdtemp' ? /[A-Za-z0-9]{6}('?)$/ : /$^/,
        'XXXXXX$1',
      );
    return { code, errno, syscall, path: bare(path), dest: bare(dest), message: bare(message) };
  }
}
