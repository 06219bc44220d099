/** The simulated file system against the real one: same calls, same results, same errors. */

import { chmodSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';

import { nodeSystem } from '../../src/os/node-system.ts';
import type { System } from '../../src/os/system.ts';
import { SimulatedSystem } from './simulated-system.ts';

const root = mkdtempSync(join(tmpdir(), 'volseal-simulated-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A call, on paths below a root of its own in each system. Descriptors are named by the order of their opening. */
type Step = (system: System, at: (path: string) => string, open: Map<number, number>) => Promise<unknown>;

const name = fc.constantFrom('a', 'b', 'c');
const path = fc.oneof(
  name,
  fc.tuple(name, name).map((parts) => parts.join('/')),
  fc.tuple(name, fc.constantFrom('..', '.'), name).map((parts) => parts.join('/')),
);
/** With a slash behind it where kernels agree on what that means. */
const followed = fc.oneof(
  path,
  name.map((one) => `${one}/`),
);
const slot = fc.integer({ min: 0, max: 3 });
const offset = fc.integer({ min: 0, max: 300 });
const flags = fc
  .tuple(
    fc.constantFrom(constants.O_RDONLY, constants.O_WRONLY, constants.O_RDWR),
    fc.constantFrom(0, constants.O_CREAT, constants.O_CREAT | constants.O_EXCL),
    fc.constantFrom(
      0,
      0,
      0,
      constants.O_TRUNC,
      constants.O_APPEND,
      constants.O_NOFOLLOW,
      constants.O_DIRECTORY,
    ),
  )
  // O_CREAT with O_DIRECTORY means something else on each version of Linux.
  .filter(([, create, more]) => create === 0 || more !== constants.O_DIRECTORY)
  .map(([access, create, more]) => access | create | more);

function described(label: string, step: Step): Step & { label: string } {
  return Object.assign(step, { label, [fc.toStringMethod]: () => label });
}

function fdOf(open: Map<number, number>, at: number): number {
  return open.get(at) ?? 9_999;
}

const step: fc.Arbitrary<Step & { label: string }> = fc.oneof(
  fc.tuple(path, flags, slot).map(([p, f, at]) =>
    described(`open ${p} ${f.toString(8)} as ${at}`, async (system, absolute, open) => {
      const fd = await system.open(absolute(p), f, 0o640);
      const before = open.get(at);
      if (before !== undefined) await system.close(before);
      open.set(at, fd);
      return 'opened';
    }),
  ),
  slot.map((at) =>
    described(`close ${at}`, async (system, _, open) => {
      const fd = fdOf(open, at);
      open.delete(at);
      return system.close(fd);
    }),
  ),
  fc
    .tuple(slot, offset, offset)
    .map(([at, from, length]) =>
      described(`write ${length} at ${from} to ${at}`, (system, _, open) =>
        system.writev(fdOf(open, at), [new Uint8Array(length).fill(from % 251), Uint8Array.of(7)], from),
      ),
    ),
  fc.tuple(slot, offset, offset).map(([at, from, length]) =>
    described(`read ${length} at ${from} of ${at}`, async (system, _, open) => {
      const target = new Uint8Array(length + 2);
      const count = await system.read(fdOf(open, at), target, 1, length, from);
      return [count, Buffer.from(target).toString('hex')];
    }),
  ),
  fc
    .tuple(slot, offset)
    .map(([at, size]) =>
      described(`ftruncate ${at} to ${size}`, (system, _, open) => system.ftruncate(fdOf(open, at), size)),
    ),
  slot.map((at) =>
    described(`fstat ${at}`, async (system, _, open) => {
      const stats = await system.fstat(fdOf(open, at));
      return [stats.isDirectory() ? 'directory' : stats.size, stats.mode, stats.isDirectory() || stats.nlink];
    }),
  ),
  slot.map((at) => described(`fsync ${at}`, (system, _, open) => system.fsync(fdOf(open, at)))),
  fc
    .tuple(slot, fc.integer({ min: 0o400, max: 0o777 }))
    .map(([at, mode]) =>
      described(`fchmod ${at} ${mode.toString(8)}`, (system, _, open) => system.fchmod(fdOf(open, at), mode)),
    ),
  slot.map((at) =>
    described(`pathOf ${at}`, async (system, absolute, open) => {
      const real = await system.pathOf(fdOf(open, at)).catch(() => undefined);
      // With several names any of them is right.
      const stats = await system.fstat(fdOf(open, at));
      return stats.isDirectory() || stats.nlink === 1n ? real?.slice(absolute('').length) : undefined;
    }),
  ),
  path.map((p) => described(`mkdir ${p}`, (system, at) => system.mkdir(at(p)))),
  path.map((p) => described(`rmdir ${p}`, (system, at) => system.rmdir(at(p)))),
  path.map((p) => described(`unlink ${p}`, (system, at) => system.unlink(at(p)))),
  followed.map((p) =>
    described(`readdir ${p}`, async (system, at) =>
      (await system.readdir(at(p))).map((entry) => `${entry.name} ${entry.kind}`).toSorted(),
    ),
  ),
  followed.map((p) =>
    described(`stat ${p}`, async (system, at) => {
      const stats = await system.stat(at(p));
      return [stats.mode, stats.isDirectory() ? '' : stats.size, stats.isDirectory() || stats.nlink];
    }),
  ),
  path.map((p) =>
    described(`lstat ${p}`, async (system, at) => {
      const stats = await system.lstat(at(p));
      return [stats.mode, stats.isFile() ? stats.size : stats.isSymbolicLink()];
    }),
  ),
  followed.map((p) => described(`access ${p}`, (system, at) => system.access(at(p)))),
  path.map((p) =>
    described(`readlink ${p}`, async (system, at) =>
      (await system.readlink(at(p))).replace(at(''), '/root/'),
    ),
  ),
  followed.map((p) =>
    described(`realpath ${p}`, async (system, at) => (await system.realpath(at(p))).slice(at('').length)),
  ),
  followed.map((p) =>
    described(`utimes ${p}`, async (system, at) => {
      await system.utimes(at(p), 1_000.25, 2_000.5);
      return (await system.stat(at(p))).mtimeNs;
    }),
  ),
  followed.map((p) => described(`chmod ${p}`, (system, at) => system.chmod(at(p), 0o751))),
  fc
    .tuple(name, path)
    .map(([from, to]) => described(`rename ${from} ${to}`, (system, at) => system.rename(at(from), at(to)))),
  fc
    .tuple(path, name)
    .map(([from, to]) => described(`link ${from} ${to}`, (system, at) => system.link(at(from), at(to)))),
  fc
    .tuple(path, name, fc.boolean())
    .map(([target, p, absolute]) =>
      described(`symlink ${target} ${p}`, (system, at) =>
        system.symlink(absolute ? at(target) : target, at(p)),
      ),
    ),
);

async function outcome(run: Promise<unknown>): Promise<unknown> {
  try {
    return { done: await run };
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    return { code, syscall };
  }
}

describe('against the real file system', () => {
  it('the same calls do the same', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const real = join(root, `run${run++}`);
        await nodeSystem.mkdir(real, 0o755);
        chmodSync(real, 0o755);
        const simulated = new SimulatedSystem(undefined, { umask: process.umask() });
        await simulated.mkdir('/in');
        const [realOpen, simulatedOpen] = [new Map<number, number>(), new Map<number, number>()];
        const log: string[] = [];
        try {
          for (const one of steps) {
            log.push(one.label);
            const expected = await outcome(one(nodeSystem, (p) => join(real, '/') + p, realOpen));
            const actual = await outcome(one(simulated, (p) => `/in/${p}`, simulatedOpen));
            expect(actual, log.join('\n')).toEqual(expected);
          }
        } finally {
          for (const fd of realOpen.values()) await nodeSystem.close(fd);
        }
      }),
      { numRuns: 250 },
    );
  });

  it('the disk full: what fits is written, then ENOSPC', async () => {
    const system = new SimulatedSystem(undefined, { capacityBytes: 100 });
    const fd = await system.open('/a', constants.O_CREAT | constants.O_RDWR);
    expect(await system.writev(fd, [new Uint8Array(80)], 0)).toBe(80);
    expect(await system.writev(fd, [new Uint8Array(80)], 80)).toBe(20);
    await expect(system.writev(fd, [new Uint8Array(1)], 100)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await system.writev(fd, [new Uint8Array(100)], 0)).toBe(100);
    await system.unlink('/a');
    const other = await system.open('/b', constants.O_CREAT | constants.O_WRONLY);
    await expect(system.writev(other, [new Uint8Array(1)], 0)).rejects.toMatchObject({ code: 'ENOSPC' });
    await system.close(fd);
    expect(await system.writev(other, [new Uint8Array(1)], 0)).toBe(1);
  });
});
