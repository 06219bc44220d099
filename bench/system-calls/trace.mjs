/** From the output of strace to what was asked of the file system, one line for each call. */

import { readFileSync } from 'node:fs';

/** By name of the system call: whether it is about a file. The rest (memory, threads, polling, clocks) does not count. */
const counted =
  /^(open|openat|openat2|close|read|pread64|readv|preadv|preadv2|write|pwrite64|writev|pwritev|pwritev2|stat|fstat|lstat|newfstatat|statx|access|faccessat|faccessat2|fsync|fdatasync|ftruncate|truncate|rename|renameat|renameat2|unlink|unlinkat|rmdir|mkdir|mkdirat|link|linkat|symlink|symlinkat|readlink|readlinkat|getdents64|chmod|fchmod|fchmodat|chown|fchown|fchownat|lchown|utimensat|lseek|copy_file_range|sendfile|ioctl)$/;

const names = { pread64: 'pread', pwrite64: 'pwrite', newfstatat: 'fstatat', getdents64: 'getdents' };

/** Joins what strace splits when another thread runs in between, and gives each call as `{ name, args, result }`. */
function parseLines(text) {
  const unfinished = new Map();
  const calls = [];
  for (const line of text.split('\n')) {
    const [, thread, rest] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (rest === undefined) continue;
    const cut = /^(.*) <unfinished \.\.\.>$/.exec(rest);
    if (cut !== null) {
      unfinished.set(thread, { head: cut[1], index: calls.push(undefined) - 1 });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const begun = resumed === null ? undefined : unfinished.get(thread);
    const whole = begun === undefined ? rest : begun.head + resumed[1];
    const [, name, args, result] = /^(\w+)\((.*)\)\s+= (.*)$/.exec(whole) ?? [];
    if (name === undefined) continue;
    // In the order in which they were begun.
    if (begun === undefined) calls.push({ name, args, result });
    else calls[begun.index] = { name, args, result };
  }
  return calls.filter((call) => call !== undefined);
}

/** What a path is called in the document. */
function shorten(path, root) {
  return path
    .replace(/^\/proc\/self\/fd\/\d+<([^>]*)>/, '$1')
    .replaceAll(`${root}/`, '')
    .replaceAll(root, 'the root')
    .replace(/\.volseal-tmp-[^/]*|\.tmp-[0-9a-f]+/g, 'temporary')
    .replace(/\b[0-9a-f]{32}\b/g, 'FILE-ID')
    .replace(/^(.*) \(deleted\)$/, '$1')
    .replace(/^\/proc\/self\/fd\/\d+$/, '/proc/self/fd/N');
}

const flagNames = (args) => /\bO_[A-Z_|O]+/.exec(args)?.[0].replaceAll('|O_CLOEXEC', '') ?? '';

/** One line of the document, or undefined for what is not about a file of this root. */
function describe({ name, args, result }, root, paths) {
  if (!counted.test(name)) return undefined;
  const descriptor = /^(\d+)<([^>]*)>/.exec(args);
  const text = /"((?:[^"\\]|\\.)*)"/.exec(args)?.[1];
  const shown = names[name] ?? name;
  const failed = /^-1 (E\w+)/.exec(result)?.[1];
  const outcome = failed === undefined ? '' : ` → ${failed}`;

  if (descriptor !== null) {
    const [, , target] = descriptor;
    if (/^(anon_inode|pipe|socket|\/dev\/(null|pts|tty)|\/sys\/|\/proc\/)/.test(target)) return undefined;
    const of = shorten(target, root);
    // Some calls take a directory's descriptor and a name.
    if (text !== undefined && text !== '' && /at2?$|statx/.test(name))
      return `${shown} ${of}/${text}${outcome}`;
    if (/^(p?read|p?write)/.test(shown) && failed === undefined)
      return `${shown} ${of}, ${grouped(result)} bytes`;
    if (name === 'ftruncate') return `${shown} ${of} to ${grouped(/, (\d+)$/.exec(args)?.[1])}`;
    return `${shown} ${of}${outcome}`;
  }
  if (text === undefined || /^\/(volseal-mark|sys)\/|^\/proc\/(?!self\/fd\/)/.test(text)) return undefined;
  // A path through a descriptor: `/proc/self/fd/20/name` is the name in that directory.
  const through = /^\/proc\/self\/fd\/(\d+)(.*)$/.exec(text);
  const named = (path) => {
    const inside = /^\/proc\/self\/fd\/(\d+)(.*)$/.exec(path);
    return shorten(inside === null ? path : `${paths.get(inside[1]) ?? `/proc/self/fd/N`}${inside[2]}`, root);
  };
  const all = [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]);
  if (name.startsWith('readlink') && through?.[2] === '') {
    return `${shown} /proc/self/fd/N (${named(text)})${outcome}`;
  }
  if (/^(rename|link|symlink)/.test(name)) return `${shown} ${named(all[0])} → ${named(all[1])}${outcome}`;
  if (name.startsWith('open')) return `${shown} ${named(text)}, ${flagNames(args)}${outcome}`;
  return `${shown} ${named(text)}${outcome}`;
}

const grouped = (text) => Number(text).toLocaleString('en-US');

/** The calls between the marks, as lines. */
export function tracedCalls(path, root) {
  const calls = parseLines(readFileSync(path, 'utf8'));
  const at = (name) => calls.findIndex(({ args }) => args.includes(`/volseal-mark/${name}`));
  const [begin, end] = [at('begin'), at('end')];
  if (begin < 0 || end < begin) throw new Error('the marks are not in the trace');
  // Where descriptors led that were opened before the mark.
  const paths = new Map();
  const lines = [];
  for (const [index, call] of calls.entries()) {
    if (index > begin && index < end) {
      const line = describe(call, root, paths);
      if (line !== undefined) lines.push(line);
    }
    const opened = /^(\d+)<([^>]*)>/.exec(call.result);
    if (opened !== null && call.name.startsWith('open')) paths.set(opened[1], opened[2]);
  }
  return lines;
}
