/**
 * The smallest thing that survives crashes: one block of data, changed by way of a log. Done right, or wrong in a
 * chosen way, so that the simulator can be seen to tell the difference.
 */

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';

import type { System } from '../../src/os/system.ts';

const blockBytes = 3_072;

export type Flaw =
  | 'log not synced'
  | 'synced while writing'
  | 'in place before the log'
  | 'log dropped before the data is synced'
  | 'no checksum'
  | 'recovery drops the log before the data is synced';

const dataPath = '/data';
const logPath = '/log';

async function withFile<T>(system: System, path: string, use: (fd: number) => Promise<T>): Promise<T> {
  const fd = await system.open(path, constants.O_RDWR | constants.O_CREAT);
  try {
    return await use(fd);
  } finally {
    await system.close(fd);
  }
}

function recordOf(block: Uint8Array): Uint8Array {
  return Buffer.concat([block, createHash('sha256').update(block).digest()]);
}

export async function makeLog(system: System): Promise<void> {
  await withFile(system, dataPath, (fd) => system.writev(fd, [new Uint8Array(blockBytes)], 0));
  await withFile(system, logPath, async () => {});
}

/** Fills the block with `value`; `committed` is called as soon as that is safe. */
export async function update(
  system: System,
  value: number,
  committed: () => void,
  flaw?: Flaw,
): Promise<void> {
  const block = new Uint8Array(blockBytes).fill(value);
  await withFile(system, logPath, (log) =>
    withFile(system, dataPath, async (data) => {
      if (flaw === 'in place before the log') await system.writev(data, [block], 0);
      const writing = system.writev(log, [recordOf(block)], 0);
      if (flaw === 'synced while writing') await system.fdatasync(log);
      await writing;
      if (flaw !== 'log not synced' && flaw !== 'synced while writing') await system.fdatasync(log);
      committed();
      await system.writev(data, [block], 0);
      if (flaw !== 'log dropped before the data is synced') await system.fdatasync(data);
      await system.ftruncate(log, 0);
      await system.fdatasync(log);
      await system.fdatasync(data);
    }),
  );
}

export async function recover(system: System, flaw?: Flaw): Promise<void> {
  await withFile(system, logPath, async (log) => {
    const record = new Uint8Array(blockBytes + 32);
    const bytes = await system.read(log, record, 0, record.length, 0);
    const block = record.subarray(0, blockBytes);
    const isWhole = Buffer.compare(recordOf(block), record) === 0;
    if (bytes < blockBytes || (!isWhole && flaw !== 'no checksum')) return;
    await withFile(system, dataPath, async (data) => {
      await system.writev(data, [block], 0);
      if (flaw !== 'recovery drops the log before the data is synced') await system.fdatasync(data);
    });
    await system.ftruncate(log, 0);
    await system.fdatasync(log);
  });
}

/** The value that fills the block. Throws for a mixture. */
export async function readBlock(system: System): Promise<number> {
  const block = new Uint8Array(blockBytes);
  await withFile(system, dataPath, (fd) => system.read(fd, block, 0, blockBytes, 0));
  const value = block[0] as number;
  if (block.some((byte) => byte !== value)) throw new Error('a mixture of blocks');
  return value;
}
