/**
 * The bare primitive: one createCipheriv or createDecipheriv a segment, with a KeyObject, a 9-byte AAD and nothing
 * else: no header, no key derivation, a counter for a nonce. The floor that any segmented format in Node stands on.
 */

import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { open } from 'node:fs/promises';

import { keyBytes } from './keys.mjs';

const tagLength = { authTagLength: 16 };
export const tagBytes = 16;

/** Plain Node has no XChaCha20, so its ChaCha20 is what the second suite stands beside. */
const cipherNames = { 'aes-256-gcm': 'aes-256-gcm', 'xchacha20-poly1305': 'chacha20-poly1305' };

/** Segments of `segmentBytes` with room for a tag and a 16-byte prefix, so that all contenders seal alike. */
export const plainBytesOfSegment = (segmentBytes) => segmentBytes - 32;

export function bareSegments(suite) {
  const name = cipherNames[suite];
  const key = createSecretKey(keyBytes);
  const nonce = Buffer.alloc(12);
  const associatedData = Buffer.alloc(9);

  function prepare(position, final) {
    nonce.writeUInt32BE(position, 8);
    associatedData.writeUInt32BE(position, 4);
    associatedData[8] = final ? 1 : 0;
  }

  return {
    seal(plain, position, final) {
      prepare(position, final);
      const cipher = createCipheriv(name, key, nonce, tagLength);
      cipher.setAAD(associatedData);
      const ciphertext = cipher.update(plain);
      cipher.final();
      return [ciphertext, cipher.getAuthTag()];
    },
    open(sealed, position, final) {
      prepare(position, final);
      const decipher = createDecipheriv(name, key, nonce, tagLength);
      decipher.setAAD(associatedData);
      decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
      const plain = decipher.update(sealed.subarray(0, sealed.length - tagBytes));
      decipher.final();
      return plain;
    },
  };
}

export function bare(suite) {
  return {
    title: `bare ${cipherNames[suite]} loop`,

    segments({ segmentBytes }) {
      return { ...bareSegments(suite), plainSegmentBytes: plainBytesOfSegment(segmentBytes) };
    },

    /** The loop that copies what the cipher returns into one output. */
    buffer() {
      const { seal, open } = bareSegments(suite);
      const plainSegmentBytes = plainBytesOfSegment(65_536);
      const sealedSegmentBytes = plainSegmentBytes + tagBytes;
      return {
        encrypt(plain) {
          const count = Math.max(1, Math.ceil(plain.length / plainSegmentBytes));
          const sealed = Buffer.allocUnsafeSlow(plain.length + count * tagBytes);
          let at = 0;
          for (let position = 0; position < count; position++) {
            const from = position * plainSegmentBytes;
            const piece = plain.subarray(from, from + plainSegmentBytes);
            const [ciphertext, tag] = seal(piece, position, position === count - 1);
            sealed.set(ciphertext, at);
            sealed.set(tag, at + ciphertext.length);
            at += ciphertext.length + tagBytes;
          }
          return sealed;
        },
        decrypt(sealed) {
          const count = Math.ceil(sealed.length / sealedSegmentBytes);
          const plain = Buffer.allocUnsafeSlow(sealed.length - count * tagBytes);
          for (let position = 0; position < count; position++) {
            const from = position * sealedSegmentBytes;
            const piece = sealed.subarray(from, from + sealedSegmentBytes);
            plain.set(open(piece, position, position === count - 1), position * plainSegmentBytes);
          }
          return plain;
        },
      };
    },

    /** FileHandle.read of the covering segments and one decipher each, copied to the caller's buffer. */
    ranges({ segmentBytes }) {
      const { seal, open: openSegment } = bareSegments(suite);
      const plainSegmentBytes = segmentBytes - tagBytes;
      return {
        async seal(source, destination) {
          const from = await open(source);
          const to = await open(destination, 'w');
          const buffer = Buffer.allocUnsafeSlow(plainSegmentBytes);
          for (let position = 0; ; position++) {
            const { bytesRead } = await from.read(buffer, 0, buffer.length, position * plainSegmentBytes);
            if (bytesRead === 0) break;
            await to.writev(seal(buffer.subarray(0, bytesRead), position, false));
          }
          await to.close();
          await from.close();
        },
        async open(path) {
          const file = await open(path);
          return {
            plainSegmentBytes,
            async read(target, length, position) {
              const first = Math.floor(position / plainSegmentBytes);
              const last = Math.floor((position + length - 1) / plainSegmentBytes);
              const buffer = Buffer.allocUnsafeSlow((last - first + 1) * segmentBytes);
              const { bytesRead } = await file.read(buffer, 0, buffer.length, first * segmentBytes);
              let filled = 0;
              for (let segment = first; segment <= last; segment++) {
                const at = (segment - first) * segmentBytes;
                const plain = openSegment(
                  buffer.subarray(at, Math.min(at + segmentBytes, bytesRead)),
                  segment,
                  false,
                );
                const skip = segment === first ? position - first * plainSegmentBytes : 0;
                const piece = plain.subarray(skip, skip + length - filled);
                target.set(piece, filled);
                filled += piece.length;
              }
              return { bytesRead: filled, buffer: target };
            },
            close: () => file.close(),
          };
        },
      };
    },
  };
}
