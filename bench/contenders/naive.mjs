/**
 * What most programs do: one cipher for the whole file, between a read stream and a write stream. It cannot be read
 * at random, and its decryption releases bytes before they are authenticated.
 */

import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { keyBytes } from './keys.mjs';

const nonceBytes = 12;
const tagBytes = 16;

/** createCipheriv as it is gives no tag; this adds it behind, and takes it off again. */
export const naive = {
  title: 'naive: one createCipheriv as a stream',

  streams() {
    const key = createSecretKey(keyBytes);
    return {
      kind: 'node',
      encrypt() {
        const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(nonceBytes, 7), {
          authTagLength: tagBytes,
        });
        return [
          cipher,
          new Transform({
            transform: (chunk, _encoding, done) => done(null, chunk),
            flush: (done) => done(null, cipher.getAuthTag()),
          }),
        ];
      },
      decrypt() {
        const decipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(nonceBytes, 7), {
          authTagLength: tagBytes,
        });
        let held = Buffer.alloc(0);
        return [
          new Transform({
            transform(chunk, _encoding, done) {
              if (chunk.length < tagBytes) {
                held = Buffer.concat([held, chunk]);
              } else {
                if (held.length > 0) this.push(held);
                held = chunk;
              }
              done();
            },
            flush(done) {
              if (held.length > tagBytes) this.push(held.subarray(0, held.length - tagBytes));
              decipher.setAuthTag(held.subarray(held.length - tagBytes));
              done();
            },
          }),
          decipher,
        ];
      },
    };
  },

  files() {
    const key = createSecretKey(keyBytes);
    return {
      async encrypt(source, destination) {
        const nonce = randomBytes(nonceBytes);
        const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
        await pipeline(createReadStream(source), cipher, createWriteStream(destination));
        const file = await open(destination, 'a');
        await file.writev([cipher.getAuthTag(), nonce]);
        await file.close();
      },
      async decrypt(source, destination) {
        const file = await open(source);
        const { size } = await file.stat();
        const end = size - tagBytes - nonceBytes;
        const tail = Buffer.alloc(tagBytes + nonceBytes);
        await file.read(tail, 0, tail.length, end);
        await file.close();
        const nonce = tail.subarray(tagBytes);
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
        decipher.setAuthTag(tail.subarray(0, tagBytes));
        await pipeline(createReadStream(source, { end: end - 1 }), decipher, createWriteStream(destination));
      },
    };
  },
};
