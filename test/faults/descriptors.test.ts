/** Few descriptors left: what does not work says so, changes nothing and leaves nothing open. */

import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { decrypt, encrypt } from '../../src/index.ts';
import { plainOf } from '../sealed/plain.ts';
import { scratch } from '../sealed/scratch.ts';
import { keys } from '../sealed/streams/transforms.ts';
import { type Operation, runLimited } from './limited.ts';

const { at, leftovers } = scratch();
const plain = plainOf(200_000);
writeFileSync(at('plain'), plain);
writeFileSync(at('sealed'), await encrypt(plain, { keys }));

const operations: Operation[] = [
  ['encryptFile', at('plain'), at('encryptFile')],
  ['decryptFile', at('sealed'), at('decryptFile')],
  ['createEncryptWriteStream', at('plain'), at('createEncryptWriteStream')],
  ['createDecryptReadStream', at('sealed')],
  ['openEncrypted', at('sealed')],
  ['inspect', at('sealed')],
];

test('from no descriptor to enough of them', async () => {
  const worked = new Set<string>();
  for (let spareDescriptors = 0; spareDescriptors <= 4; spareDescriptors++) {
    for (const [, , destination] of operations)
      if (destination !== undefined) writeFileSync(destination, 'older');
    const outcomes = await runLimited(operations, { prlimit: '--nofile=80', spareDescriptors });
    for (const [i, outcome] of outcomes.entries()) {
      const [name, , destination] = operations[i] as Operation;
      const where = `${name} with ${spareDescriptors} descriptors`;
      expect(outcome.leakedDescriptors, where).toBe(0);
      if (outcome.outcome === 'done') {
        worked.add(name);
        if (destination === undefined) continue;
        const written = readFileSync(destination);
        expect(
          name === 'decryptFile' ? written.equals(plain) : plain.equals(await decrypt(written, { keys })),
          where,
        ).toBe(true);
        continue;
      }
      expect(worked, where).not.toContain(name); // more descriptors never do harm
      if (destination !== undefined) expect(readFileSync(destination, 'utf8'), where).toBe('older');
      // The source of the stream is Node's own: its errors are its own too.
      if (name === 'createEncryptWriteStream' && outcome.outcome === 'Error')
        expect(outcome.code).toBe('EMFILE');
      else {
        expect(outcome, where).toMatchObject({
          outcome: 'VolsealError',
          code: 'ERR_VOLSEAL_IO',
          retryable: true,
          hint: expect.stringContaining('ulimit'),
        });
      }
    }
    expect(leftovers()).toEqual([]);
  }
  expect([...worked].sort()).toEqual(operations.map(([name]) => name).sort());
}, 60_000);
