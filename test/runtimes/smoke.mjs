/**
 * The same small job on any runtime, on the installed package: `smoke.mjs FOLDER NAME`. Seals samples into FOLDER under
 * NAME, opens every sample that any runtime has left there, and prints what it did as one line of JSON.
 */

import assert from 'node:assert/strict';
import { getCiphers } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  createDecryptReadStream,
  createEncryptStream,
  DecryptionStream,
  decrypt,
  decryptFile,
  EncryptionStream,
  encrypt,
  encryptFile,
  inspect,
  openEncrypted,
} from 'volseal';
import { floeDecrypt, floeEncrypt } from 'volseal/floe';
import { flySecrets } from 'volseal/kms';

const [folder, name] = process.argv.slice(2);
const keys = flySecrets();
const suites = ['aes-256-gcm', 'xchacha20-poly1305'];
/** Around the ends of a 4 KiB segment, and several segments. */
const sizes = [0, 1, 4063, 4064, 4065, 50_000];
const context = { app: 'smoke' };

const bytesOf = (size) => Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) & 0xff);
const same = (got, size, what) =>
  assert.ok(Buffer.from(got).equals(bytesOf(size)), `${what}: other bytes came back`);

for (const suite of suites) {
  for (const size of sizes) {
    const sealed = await encrypt(bytesOf(size), { keys, context, suite, segmentBytes: 4096 });
    await writeFile(join(folder, `${name}.${suite}.${size}.vsl`), sealed);
    const changed = Uint8Array.from(sealed);
    changed[changed.length - 1] ^= 1;
    await assert.rejects(decrypt(changed, { keys }), { code: 'ERR_VOLSEAL_TAMPERED' });
  }
  const options = { keys, suite, segmentBytes: 4096 };
  same(
    await decrypt(await buffer(Readable.from([bytesOf(9000)]).pipe(createEncryptStream(options))), { keys }),
    9000,
    'Node streams',
  );

  const web = new Blob([bytesOf(9001)])
    .stream()
    .pipeThrough(new EncryptionStream(options))
    .pipeThrough(new DecryptionStream({ keys }));
  same(await buffer(web), 9001, 'Web streams');

  const [plain, sealed, opened] = ['plain', 'sealed', 'opened'].map((part) =>
    join(folder, `${name}.${suite}.${part}`),
  );
  await writeFile(plain, bytesOf(300_000));
  await encryptFile(plain, sealed, options);
  await decryptFile(sealed, opened, { keys });
  same(await readFile(opened), 300_000, 'files');
  const range = await buffer(createDecryptReadStream(sealed, { keys, start: 5000, end: 20_000 }));
  assert.ok(range.equals(Buffer.from(bytesOf(300_000).subarray(5000, 20_001))), 'a range');
  const file = await openEncrypted(sealed, { keys });
  assert.equal((await file.stat()).size, 300_000);
  await file.close();

  const key = new Uint8Array(32).fill(7);
  same(floeDecrypt(key, floeEncrypt(key, bytesOf(5000), { suite, segmentBytes: 64 })), 5000, 'FLOE');
}
await assert.rejects(inspect(bytesOf(5000)), { code: 'ERR_VOLSEAL_NOT_SEALED' });

const openedSamples = [];
for (const sample of (await readdir(folder)).filter((entry) => entry.endsWith('.vsl')).toSorted()) {
  same(
    await decrypt(await readFile(join(folder, sample)), { keys, context }),
    Number(sample.split('.').at(-2)),
    sample,
  );
  openedSamples.push(sample);
}

// Where the runtime has none of its own, the suite can only have run on the other one.
const chachaOfRuntime = getCiphers().includes('chacha20-poly1305');
console.log(JSON.stringify({ chachaOfRuntime, opened: openedSamples }));
