/**
 * libsodium's secretstream (XChaCha20-Poly1305) in messages of 64 KiB, on sodium-native and on libsodium-wrappers.
 * Neither package has streams or files, so they are written here as a user would write them.
 */

import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';

import { keyBytes, UnavailableError } from './keys.mjs';

const messageBytes = 65_536;
const overheadBytes = 17;
const headerBytes = 24;

async function load(name) {
  try {
    const loaded = await import(name);
    return loaded.default ?? loaded;
  } catch (error) {
    throw new UnavailableError(`cannot load: ${error.message.split('\n')[0]}`);
  }
}

/** Both give { header, push(plain, final) => sealed } and pull(header) => (sealed) => plain. */
async function nativeBackend() {
  const sodium = await load('sodium-native');
  const stateBytes = sodium.crypto_secretstream_xchacha20poly1305_STATEBYTES;
  const message = sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
  const last = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL;
  const tag = Buffer.alloc(1);
  return {
    push() {
      const state = Buffer.alloc(stateBytes);
      const header = Buffer.alloc(headerBytes);
      sodium.crypto_secretstream_xchacha20poly1305_init_push(state, header, keyBytes);
      return {
        header,
        push(plain, final, target = Buffer.allocUnsafeSlow(plain.length + overheadBytes)) {
          sodium.crypto_secretstream_xchacha20poly1305_push(
            state,
            target,
            plain,
            null,
            final ? last : message,
          );
          return target;
        },
      };
    },
    pull(header) {
      const state = Buffer.alloc(stateBytes);
      sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, header, keyBytes);
      return (sealed, target = Buffer.allocUnsafeSlow(sealed.length - overheadBytes)) => {
        sodium.crypto_secretstream_xchacha20poly1305_pull(state, target, tag, sealed, null);
        return target;
      };
    },
  };
}

async function wrappersBackend() {
  const sodium = await load('libsodium-wrappers');
  await sodium.ready;
  const message = sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
  const last = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL;
  return {
    push() {
      const { state, header } = sodium.crypto_secretstream_xchacha20poly1305_init_push(keyBytes);
      return {
        header,
        push: (plain, final) =>
          sodium.crypto_secretstream_xchacha20poly1305_push(state, plain, null, final ? last : message),
      };
    },
    pull(header) {
      const state = sodium.crypto_secretstream_xchacha20poly1305_init_pull(header, keyBytes);
      return (sealed) => {
        const opened = sodium.crypto_secretstream_xchacha20poly1305_pull(state, sealed, null);
        if (opened === false) throw new Error('message is not authentic');
        return opened.message;
      };
    },
  };
}

function bufferOver(backend) {
  return {
    encrypt(plain) {
      const count = Math.max(1, Math.ceil(plain.length / messageBytes));
      const sealed = Buffer.allocUnsafeSlow(headerBytes + plain.length + count * overheadBytes);
      const { header, push } = backend.push();
      sealed.set(header);
      let at = headerBytes;
      for (let i = 0; i < count; i++) {
        const piece = plain.subarray(i * messageBytes, (i + 1) * messageBytes);
        const target = sealed.subarray(at, at + piece.length + overheadBytes);
        const pushed = push(piece, i === count - 1, target);
        if (pushed !== target) target.set(pushed);
        at += target.length;
      }
      return sealed;
    },
    decrypt(sealed) {
      const unit = messageBytes + overheadBytes;
      const body = sealed.subarray(headerBytes);
      const count = Math.ceil(body.length / unit);
      const plain = Buffer.allocUnsafeSlow(body.length - count * overheadBytes);
      const pull = backend.pull(sealed.subarray(0, headerBytes));
      for (let i = 0; i < count; i++) {
        const piece = body.subarray(i * unit, (i + 1) * unit);
        const target = plain.subarray(i * messageBytes, i * messageBytes + piece.length - overheadBytes);
        const pulled = pull(piece, target);
        if (pulled !== target) target.set(pulled);
      }
      return plain;
    },
  };
}

/** A Transform that gives `convert` whole units of `unitBytes`, and tells which is the last. */
function unitTransform(unitBytes, convert) {
  let pieces = [];
  let heldBytes = 0;
  function takeUnit() {
    const taken = [];
    let missing = unitBytes;
    while (missing > 0) {
      const piece = pieces[0];
      if (piece.length <= missing) {
        taken.push(piece);
        pieces.shift();
        missing -= piece.length;
      } else {
        taken.push(piece.subarray(0, missing));
        pieces[0] = piece.subarray(missing);
        missing = 0;
      }
    }
    heldBytes -= unitBytes;
    return taken.length === 1 ? taken[0] : Buffer.concat(taken, unitBytes);
  }
  return new Transform({
    transform(chunk, _encoding, done) {
      pieces.push(chunk);
      heldBytes += chunk.length;
      while (heldBytes > unitBytes) this.push(convert(takeUnit(), false));
      done();
    },
    flush(done) {
      this.push(convert(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces), true));
      pieces = [];
      done();
    },
  });
}

function streamsOver(backend) {
  return {
    kind: 'node',
    encrypt() {
      const { header, push } = backend.push();
      const transform = unitTransform(messageBytes, (plain, final) => push(plain, final));
      transform.push(header);
      return transform;
    },
    decrypt() {
      let pull;
      let header = Buffer.alloc(0);
      const units = unitTransform(messageBytes + overheadBytes, (sealed) => pull(sealed));
      const behead = new Transform({
        transform(chunk, _encoding, done) {
          if (pull !== undefined) return done(null, chunk);
          header = header.length === 0 ? chunk : Buffer.concat([header, chunk]);
          if (header.length < headerBytes) return done();
          pull = backend.pull(header.subarray(0, headerBytes));
          done(null, header.subarray(headerBytes));
        },
      });
      return [behead, units];
    },
  };
}

const messagesInBatch = 16;

/** Reads the next batch while the last is being sealed. */
async function convertFile(from, to, sourceAt, unitBytes, writtenBefore, convert) {
  const { size } = await from.stat();
  const buffers = [0, 1].map(() => Buffer.allocUnsafeSlow(unitBytes * messagesInBatch));
  const read = (turn, at) => from.read(buffers[turn & 1], 0, buffers[0].length, at);
  let at = sourceAt;
  let written = writtenBefore;
  let writing = Promise.resolve();
  let reading = read(0, at);
  for (let turn = 0; at < size; turn++) {
    const { bytesRead, buffer } = await reading;
    at += bytesRead;
    if (at < size) reading = read(turn + 1, at);
    const pieces = [];
    for (let unit = 0; unit < bytesRead; unit += unitBytes) {
      const end = Math.min(unit + unitBytes, bytesRead);
      pieces.push(convert(buffer.subarray(unit, end), at === size && end === bytesRead));
    }
    await writing;
    writing = to.writev(pieces, written);
    for (const piece of pieces) written += piece.length;
  }
  await writing;
}

function filesOver(backend) {
  const withFiles = (work) => async (source, destination) => {
    const from = await open(source);
    const to = await open(destination, 'w');
    await work(from, to);
    await to.close();
    await from.close();
  };
  return {
    encrypt: withFiles(async (from, to) => {
      const { header, push } = backend.push();
      await to.write(header, 0, headerBytes, 0);
      await convertFile(from, to, 0, messageBytes, headerBytes, (plain, final) => push(plain, final));
    }),
    decrypt: withFiles(async (from, to) => {
      const header = Buffer.alloc(headerBytes);
      await from.read(header, 0, headerBytes, 0);
      const pull = backend.pull(header);
      await convertFile(from, to, headerBytes, messageBytes + overheadBytes, 0, (sealed) => pull(sealed));
    }),
  };
}

function contender(title, packageName, backend) {
  return {
    title,
    package: packageName,
    async segments({ segmentBytes }) {
      const plainSegmentBytes = segmentBytes - 32;
      const made = await backend();
      const { header, push } = made.push();
      let pull;
      return {
        plainSegmentBytes,
        // A secretstream cannot go back: it is started again where a case starts at position 0.
        seal: (plain) => [push(plain, false)],
        open(sealed, position) {
          if (position === 0) pull = made.pull(header);
          return pull(sealed);
        },
      };
    },
    buffer: async () => bufferOver(await backend()),
    streams: async () => streamsOver(await backend()),
    files: async () => filesOver(await backend()),
  };
}

export const sodiumNative = contender('sodium-native secretstream', 'sodium-native', nativeBackend);
export const libsodiumWrappers = contender(
  'libsodium-wrappers secretstream',
  'libsodium-wrappers',
  wrappersBackend,
);
