import { createCipheriv, createDecipheriv, createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { openSync, readSync } from 'node:fs';
import zlib from 'node:zlib';

import { assertEqualHash, hashOf, plainBytes } from '../lib/data.mjs';
import { repeat } from '../lib/measure.mjs';

export const id = 'small-message';
export const title = 'One KiB and its envelope';
export const unit = 'µs';
export const better = 'lower';
export const together = true;
export const note =
  '`encrypt` of 1 KiB beside the bare primitives that the format needs for it, called one after another, each with the key in the form that this Node takes fastest: 5 kernel reads, 2 HMAC-SHA-256 expands of the data key, 3 HMAC-SHA-384, the XAES-256-GCM wrap and its re-opening (2 × AES blocks, AES-GCM and commitment), 1 AES-GCM, 2 header MACs, 2 CRC. What a process derives once (KEK, its two keys, the first AES block of XAES) is not in the sum. Node has no CRC-32C; its CRC-32 stands in.';

export function cases({ quick }) {
  return [
    {
      id: '1-kib',
      title: '1 KiB',
      bytes: 1024,
      rounds: quick ? 2 : undefined,
      operations: ['encrypt'],
      contenders: ['volseal', 'primitives'],
    },
  ];
}

const headerBytes = 306; // docs/format/v1.md §3 with an empty context and one Fly-secret slot with the hint "bench"
const tagLength = { authTagLength: 16 };

/**
 * A key that is used once or twice, in the form that this Node takes fastest: Node 20 wants the bytes, Node 24 loses
 * 15 µs with them and one with a KeyObject.
 */
function fastestKeyForm() {
  const bytes = Buffer.alloc(32, 3);
  const forms = [(key) => key, createSecretKey];
  const time = (form) => {
    const start = performance.now();
    for (let i = 0; i < 500; i++) createHmac('sha256', form(bytes)).update(bytes).digest();
    return performance.now() - start;
  };
  const [asBytes, asObject] = forms.map((form) => Math.min(...Array.from({ length: 5 }, () => time(form))));
  return asBytes < asObject ? forms[0] : forms[1];
}

/** Each line is one item of docs/format/v1.md; results are fed on, so that nothing can be left out. */
function primitives(plain) {
  const kernel = openSync('/dev/urandom', 'r');
  const draw = (bytes) => {
    const drawn = new Uint8Array(bytes);
    readSync(kernel, drawn, 0, bytes, null);
    return drawn;
  };
  const one = Uint8Array.of(1);
  const expand = (hash, key, ...info) => {
    const hmac = createHmac(hash, key);
    for (const part of info) hmac.update(part);
    return hmac.update(one).digest();
  };
  const keyOf = fastestKeyForm();
  const wrapKey = createSecretKey(Buffer.alloc(32, 1));
  const commitKey = createSecretKey(Buffer.alloc(32, 2));
  const label = Buffer.from('volseal/v1/header-mac');
  const parameters = Buffer.alloc(10);
  const purpose = Buffer.from('MESSAGE_KEY:');
  const associatedData = Buffer.alloc(34);
  const slotAad = Buffer.alloc(126);
  const segmentAad = Buffer.alloc(9);
  const half = Buffer.alloc(headerBytes);
  const blocks = Buffer.alloc(32);

  const aesBlocks = () => {
    const cipher = createCipheriv('aes-256-ecb', wrapKey, null);
    cipher.setAutoPadding(false);
    return cipher.update(blocks);
  };
  const seal = (key, nonce, aad, bytes) => {
    const cipher = createCipheriv('aes-256-gcm', key, nonce, tagLength);
    cipher.setAAD(aad);
    const ciphertext = cipher.update(bytes);
    cipher.final();
    return { ciphertext, tag: cipher.getAuthTag() };
  };
  const open = (key, nonce, aad, { ciphertext, tag }) => {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, tagLength);
    decipher.setAAD(aad);
    decipher.setAuthTag(tag);
    const bytes = decipher.update(ciphertext);
    decipher.final();
    return bytes;
  };

  return () => {
    const dataKey = draw(32);
    const fileId = draw(16);
    const messageIv = draw(32);
    const dataKeyForm = keyOf(dataKey);
    const floeKey = keyOf(expand('sha256', dataKeyForm, label));
    const headerTag = expand('sha384', floeKey, parameters, messageIv, purpose, associatedData);
    const messageKey = keyOf(expand('sha384', floeKey, parameters, messageIv, purpose, associatedData));

    const wrapNonce = draw(24);
    const wrapped = seal(keyOf(aesBlocks()), wrapNonce.subarray(12), slotAad, dataKey);
    const commitment = expand('sha256', commitKey, slotAad, wrapNonce, wrapped.ciphertext, wrapped.tag);
    const again = expand('sha256', commitKey, slotAad, wrapNonce, wrapped.ciphertext, wrapped.tag);
    if (!timingSafeEqual(commitment, again)) throw new Error('commitment');
    const reopened = open(keyOf(aesBlocks()), wrapNonce.subarray(12), slotAad, wrapped);

    if (!timingSafeEqual(reopened, dataKey)) throw new Error('re-opening');
    const macKey = keyOf(expand('sha256', dataKeyForm, label));
    let sum = fileId[0] ^ headerTag[0];
    for (let copy = 0; copy < 2; copy++) {
      const mac = createHmac('sha256', macKey).update(half).digest();
      sum ^= zlib.crc32(mac, zlib.crc32(half));
    }

    const segmentKey = expand(
      'sha384',
      messageKey,
      parameters,
      messageIv,
      purpose,
      segmentAad,
      associatedData,
    );
    const segment = seal(keyOf(segmentKey.subarray(0, 32)), draw(12), segmentAad, plain);
    return sum ^ segment.tag[0];
  };
}

export async function measure({ bytes }, contender, _operation, { times, directory, contenderId }) {
  const plain = plainBytes(bytes);
  let call;
  if (contenderId === 'primitives') {
    call = primitives(plain);
  } else {
    const { encrypt, decrypt } = await contender.buffer({}, { directory });
    assertEqualHash('small message', hashOf(await decrypt(await encrypt(plain))), hashOf(plain));
    call = () => encrypt(plain);
  }
  const { callsPerSecond } = await repeat(call, times);
  return { value: 1e6 / callsPerSecond };
}
