/**
 * What is traced: each operation on a plain file and on a file of a volume, by the same calls of the app. `prepare` and a
 * first turn come before the trace, so that nothing is opened, compiled or read for the first time in it.
 */

import { copyFile, open, readFile, rename, stat, unlink } from 'node:fs/promises';

const kib = Buffer.alloc(1024, 1);
const mib = Buffer.alloc(1024 * 1024, 2);
const small = Buffer.alloc(200, 3);
const page = Buffer.alloc(4096, 4);

/** A volume has the functions of fs.promises; what plain files have no function for is written out. */
export function plainStore(root, replaceFile) {
  const at = (path) => `${root}/${path}`;
  return {
    readFile: (path) => readFile(at(path)),
    writeFile: (path, data) => replaceFile(at(path), data, true),
    async appendFile(path, data) {
      const handle = await open(at(path), 'a');
      await handle.write(data, 0, data.length);
      await handle.sync();
      await handle.close();
    },
    open: (path, flags) => open(at(path), flags),
    stat: (path) => stat(at(path)),
    rename: (from, to) => rename(at(from), at(to)),
    unlink: (path) => unlink(at(path)),
    copyFile: (from, to) => copyFile(at(from), at(to)),
  };
}

/** Each gives `turn(i)`, called with 0 to warm up and with 1 under the trace, and may give `end`. */
export const operations = [
  {
    id: 'read-small',
    title: '`readFile` of 1 KiB',
    kind: 'read',
    async prepare(store) {
      await store.writeFile('small', kib);
      return { turn: () => store.readFile('small') };
    },
  },
  {
    id: 'read-large',
    title: '`readFile` of 1 MiB',
    kind: 'read',
    async prepare(store) {
      await store.writeFile('large', mib);
      return { turn: () => store.readFile('large') };
    },
  },
  {
    id: 'open-read-close',
    title: '`open`, `read` of 4 KiB in the middle of 1 MiB, `close`',
    kind: 'read',
    async prepare(store) {
      await store.writeFile('large', mib);
      return {
        async turn() {
          const handle = await store.open('large', 'r');
          await handle.read(Buffer.alloc(4096), 0, 4096, 500_000);
          await handle.close();
        },
      };
    },
  },
  {
    id: 'handle-read',
    title: '`handle.read` of 4 KiB that no cache has',
    kind: 'read',
    async prepare(store) {
      await store.writeFile('large', mib);
      const handle = await store.open('large', 'r');
      return {
        turn: (i) => handle.read(Buffer.alloc(4096), 0, 4096, 100_000 + 500_000 * i),
        end: () => handle.close(),
      };
    },
  },
  {
    id: 'stat',
    title: '`stat`',
    kind: 'read',
    async prepare(store) {
      await store.writeFile('small', kib);
      return { turn: () => store.stat('small') };
    },
  },
  {
    id: 'write-file',
    title: '`writeFile` of 1 KiB over a file of that name',
    kind: 'write',
    async prepare(store) {
      await store.writeFile('small', kib);
      return { turn: () => store.writeFile('small', kib) };
    },
  },
  {
    id: 'first-sync',
    title: '`open` for writing, `write` of 4 KiB inside the file, `sync`',
    kind: 'write',
    async prepare(store) {
      const handles = [];
      for (const i of [0, 1]) await store.writeFile(`opened-${i}`, mib);
      return {
        async turn(i) {
          const handle = await store.open(`opened-${i}`, 'r+');
          handles.push(handle);
          await handle.write(page, 0, page.length, 500_000);
          await handle.sync();
        },
        end: () => Promise.all(handles.map((handle) => handle.close())),
      };
    },
  },
  {
    id: 'next-sync',
    title: '`write` of 4 KiB inside the file and `sync`, through a handle that has synced before',
    kind: 'write',
    async prepare(store) {
      await store.writeFile('opened', mib);
      const handle = await store.open('opened', 'r+');
      return {
        async turn(i) {
          await handle.write(page, 0, page.length, 100_000 + 500_000 * i);
          await handle.sync();
        },
        end: () => handle.close(),
      };
    },
  },
  {
    id: 'append-sync',
    title: 'append of 200 bytes and `sync`, through a handle that has synced before',
    kind: 'write',
    async prepare(store) {
      await store.writeFile('log', kib);
      const handle = await store.open('log', 'a');
      return {
        async turn() {
          await handle.write(small, 0, small.length);
          await handle.sync();
        },
        end: () => handle.close(),
      };
    },
  },
  {
    id: 'close',
    title: '`close` of a handle that has synced',
    kind: 'write',
    async prepare(store) {
      const handles = [];
      for (const i of [0, 1]) {
        await store.writeFile(`closed-${i}`, mib);
        const handle = await store.open(`closed-${i}`, 'r+');
        await handle.write(page, 0, page.length, 500_000);
        await handle.sync();
        handles.push(handle);
      }
      return { turn: (i) => handles[i].close() };
    },
  },
  {
    id: 'append-file',
    title: '`appendFile` of 200 bytes',
    kind: 'write',
    async prepare(store) {
      await store.writeFile('log', kib);
      return { turn: () => store.appendFile('log', small) };
    },
  },
  {
    id: 'rename',
    title: '`rename` of a file that nobody has open',
    kind: 'write',
    async prepare(store) {
      for (const i of [0, 1]) await store.writeFile(`old-${i}`, kib);
      return { turn: (i) => store.rename(`old-${i}`, `new-${i}`) };
    },
  },
  {
    id: 'unlink',
    title: '`unlink`',
    kind: 'write',
    async prepare(store) {
      for (const i of [0, 1]) await store.writeFile(`gone-${i}`, kib);
      return { turn: (i) => store.unlink(`gone-${i}`) };
    },
  },
  {
    id: 'copy-file',
    title: '`copyFile` of 1 KiB',
    kind: 'write',
    async prepare(store) {
      await store.writeFile('small', kib);
      return { turn: (i) => store.copyFile('small', `copy-${i}`) };
    },
  },
];
