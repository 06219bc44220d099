/**
 * Every member of the payload, changed in every way: by someone without the keyring key, where nothing is believed, and by
 * someone who holds it (a later version, or a writer that is not volseal), where each change has its own answer.
 */

import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { addVolumeKey, setVolumeKeyState } from '../../src/keyring/changes.ts';
import {
  base64url,
  documentOf,
  type ReferenceDocument,
  referenceDocument,
  referenceOpen,
  referenceSeal,
} from '../reference/keyring.ts';
import { codeOf, ikmOf, makeKeyring, newRoot, openElsewhere, store, storedIn } from './scratch.ts';
import { mkdirSync } from 'node:fs';

let document: Uint8Array;
let keyringKey: Uint8Array;
let payloadText: string;
let outer: ReferenceDocument;
let elsewhere: string;

beforeAll(async () => {
  const { keyring, directory } = await makeKeyring({
    recovery: true,
    policy: { requireContext: ['tenant'] },
  });
  await keyring.change(addVolumeKey());
  await keyring.change(addVolumeKey());
  await keyring.change(setVolumeKeyState(1, 'destroyed'));
  document = storedIn(directory);
  ({ keyringKey } = referenceOpen(document, 'fly-secrets', ikmOf('v1')));
  outer = referenceDocument(document);
  payloadText = Buffer.from(base64url(outer.payload)).toString();
  elsewhere = join(newRoot(), '.volseal');
  mkdirSync(elsewhere);
});

async function opening(changed: Uint8Array): Promise<string> {
  store(elsewhere, changed);
  return codeOf(() => openElsewhere(elsewhere));
}

type JsonValue = { [name: string]: JsonValue } | JsonValue[] | string | number | boolean;

/** The payload with one thing in it changed, as text. */
function edited(edit: (payload: Record<string, JsonValue>) => unknown): string {
  const payload = JSON.parse(payloadText) as Record<string, JsonValue>;
  const replaced = edit(payload);
  return JSON.stringify(replaced === undefined ? payload : replaced);
}

const at = (
  value: JsonValue | undefined,
  ...path: readonly (string | number)[]
): Record<string, JsonValue> => {
  let found = value as JsonValue;
  for (const step of path) found = (found as Record<string | number, JsonValue>)[step] as JsonValue;
  return found as Record<string, JsonValue>;
};

/** Every object of the payload that members can be added to and taken from. */
const objects: readonly (readonly (string | number)[])[] = [
  [],
  ['policy'],
  ['slots', 0],
  ['slots', 1],
  ['volumeKeys', 0],
  ['volumeKeys', 1],
  ['volumeKeys', 2],
];

test('unchanged it opens, also as the reference seals it', async () => {
  expect(await opening(document)).toBe('no error');
  expect(await opening(referenceSeal(keyringKey, payloadText))).toBe('no error');
  expect(await opening(referenceSeal(keyringKey, JSON.stringify(JSON.parse(payloadText), null, 3)))).toBe(
    'no error',
  );
});

describe('by someone without the key', () => {
  test('no member can be removed, renamed, or given another value', async () => {
    const codes = new Set<string>();
    let changes = 0;
    for (const path of objects) {
      for (const name of Object.keys(at(JSON.parse(payloadText) as JsonValue, ...path))) {
        const edits: ((object: Record<string, JsonValue>) => void)[] = [
          (object) => void delete object[name],
          (object) => {
            object[`${name}x`] = object[name] as JsonValue;
            delete object[name];
          },
          ...[0, 1, 2, 'x', '', true, false, [], {}].map((value) => (object: Record<string, JsonValue>) => {
            object[name] = value as JsonValue;
          }),
        ];
        for (const edit of edits) {
          const changed = edited((payload) => edit(at(payload, ...path)));
          if (changed === payloadText) continue;
          const code = await opening(documentOf(Uint8Array.from(Buffer.from(changed)), base64url(outer.mac)));
          codes.add(code);
          changes += 1;
        }
      }
    }
    expect(changes).toBeGreaterThan(300);
    // KEY_MISSING: the slot that was to be used has another type or key id now.
    expect([...codes].toSorted()).toEqual([
      'ERR_VOLSEAL_KEYRING_INVALID',
      'ERR_VOLSEAL_KEYRING_TAMPERED',
      'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
    ]);
  });

  test('a changed slot of our own key does not open', async () => {
    const changed = edited((payload) => {
      const slot = at(payload, 'slots', 0);
      const wrap = base64url(slot['wrap'] as string);
      wrap[30] = (wrap[30] as number) ^ 1;
      slot['wrap'] = Buffer.from(wrap).toString('base64url');
    });
    const bytes = documentOf(Uint8Array.from(Buffer.from(changed)), base64url(outer.mac));
    expect(await opening(bytes)).toBe('ERR_VOLSEAL_WRONG_KEY');
  });

  test('slots cannot be exchanged, nor can the payload be spaced in another way', async () => {
    for (const changed of [
      edited((payload) => void (payload['slots'] = (payload['slots'] as JsonValue[]).toReversed())),
      edited(
        (payload) =>
          void (payload['volumeKeys'] as JsonValue[]).push(...(payload['volumeKeys'] as JsonValue[])),
      ),
      `${payloadText} `,
      JSON.stringify(JSON.parse(payloadText), null, 1),
    ]) {
      const bytes = documentOf(Uint8Array.from(Buffer.from(changed)), base64url(outer.mac));
      expect(await opening(bytes)).toBe('ERR_VOLSEAL_KEYRING_TAMPERED');
    }
  });
});

describe('by someone who holds the keyring key', () => {
  const reseal = async (edit: (payload: Record<string, JsonValue>) => unknown): Promise<string> =>
    opening(referenceSeal(keyringKey, edited(edit)));

  test('an unknown member anywhere is refused by name', async () => {
    for (const path of objects) {
      store(
        elsewhere,
        referenceSeal(
          keyringKey,
          edited((payload) => void (at(payload, ...path)['surprise'] = 1)),
        ),
      );
      await expect(openElsewhere(elsewhere)).rejects.toMatchObject({
        code: 'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
        message: expect.stringContaining('"surprise"') as string,
        hint: expect.stringContaining('upgrade') as string,
      });
    }
  });

  test.each([
    ['nameKeys', 'encrypted file names'],
    ['directoryKeys', 'location binding'],
  ])('the reserved member %s is refused with what it is for', async (name, words) => {
    store(
      elsewhere,
      referenceSeal(
        keyringKey,
        edited((payload) => void (payload[name] = [])),
      ),
    );
    await expect(openElsewhere(elsewhere)).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
      message: expect.stringContaining(words) as string,
    });
  });

  test('no member may be missing, except a label', async () => {
    for (const path of objects) {
      for (const name of Object.keys(at(JSON.parse(payloadText) as JsonValue, ...path))) {
        const code = await reseal((payload) => void delete at(payload, ...path)[name]);
        expect(code, `${path.join('.')}.${name}`).toBe(
          name === 'label' ? 'no error' : 'ERR_VOLSEAL_KEYRING_INVALID',
        );
      }
    }
  });

  test('no member may stand twice', async () => {
    for (const path of objects) {
      const object = JSON.stringify(at(JSON.parse(payloadText) as JsonValue, ...path));
      const [name] = Object.keys(JSON.parse(object) as object);
      const doubled = object.replace(/\}$/, `,${JSON.stringify(name)}:0}`);
      expect(payloadText).toContain(object);
      const code = await opening(referenceSeal(keyringKey, payloadText.replace(object, doubled)));
      expect(code).toBe('ERR_VOLSEAL_KEYRING_INVALID');
    }
  });

  const invalid = 'ERR_VOLSEAL_KEYRING_INVALID';
  const long = 'A'.repeat(2_800);
  test.each<[string, string, (payload: Record<string, JsonValue>) => unknown]>([
    ['a volume id of 15 bytes', invalid, (p) => (p['volumeId'] = 'A'.repeat(20))],
    ['generation 0', invalid, (p) => (p['generation'] = 0)],
    ['a date without milliseconds', invalid, (p) => (p['created'] = '2026-11-22T09:16:00Z')],
    ['a date that is none', invalid, (p) => (p['changed'] = '2026-02-30T09:16:00.000Z')],
    ['a later suite', 'ERR_VOLSEAL_UNSUPPORTED_SUITE', (p) => (at(p, 'policy')['suite'] = 'aegis-256')],
    ['segments of 4,097', invalid, (p) => (at(p, 'policy')['segmentBytes'] = 4_097)],
    [
      'segments of 2^53 - 1',
      invalid,
      (p) => (at(p, 'policy')['writeOnceSegmentBytes'] = Number.MAX_SAFE_INTEGER),
    ],
    ['a context key that is empty', invalid, (p) => (at(p, 'policy')['requireContext'] = [''])],
    ['a context key twice', invalid, (p) => (at(p, 'policy')['requireContext'] = ['a', 'a'])],
    ['a context key that is a number', invalid, (p) => (at(p, 'policy')['requireContext'] = [1])],
    [
      '33 context keys',
      invalid,
      (p) => (at(p, 'policy')['requireContext'] = Array.from({ length: 33 }, (_, i) => `k${i}`)),
    ],
    ['no slots', invalid, (p) => (p['slots'] = [])],
    ['33 slots', invalid, (p) => (p['slots'] = Array.from({ length: 33 }, () => at(p, 'slots', 0)))],
    [
      'one slot twice',
      invalid,
      (p) => (p['slots'] = [at(p, 'slots', 0), { ...at(p, 'slots', 0), primary: false }]),
    ],
    ['no primary slot', invalid, (p) => (at(p, 'slots', 0)['primary'] = false)],
    ['two primary slots', invalid, (p) => (at(p, 'slots', 1)['primary'] = true)],
    [
      'a key id with a typing error',
      invalid,
      (p) => (at(p, 'slots', 1)['keyId'] = 'AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA'),
    ],
    ['a label with a space', invalid, (p) => (at(p, 'slots', 0)['label'] = 'a b')],
    ['a wrap of 103 bytes', invalid, (p) => (at(p, 'slots', 1)['wrap'] = 'A'.repeat(138))],
    [
      'an external wrap that is too long',
      invalid,
      (p) =>
        (p['slots'] = [
          at(p, 'slots', 0),
          { type: 'kms', keyId: 'k', primary: false, created: p['created'] as string, wrap: long },
        ]),
    ],
    [
      'an external slot with a label',
      'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
      (p) =>
        (p['slots'] = [
          at(p, 'slots', 0),
          {
            type: 'kms',
            keyId: 'k',
            label: 'l',
            primary: false,
            created: p['created'] as string,
            wrap: 'AAAA',
          },
        ]),
    ],
    ['a provider type with a space', invalid, (p) => (at(p, 'slots', 1)['type'] = 'a b')],
    ['no volume keys', invalid, (p) => (p['volumeKeys'] = [])],
    ['version 0', invalid, (p) => (at(p, 'volumeKeys', 0)['version'] = 0)],
    ['version 2^32', invalid, (p) => (at(p, 'volumeKeys', 2)['version'] = 2 ** 32)],
    ['versions that fall', invalid, (p) => (p['volumeKeys'] = (p['volumeKeys'] as JsonValue[]).toReversed())],
    ['one version twice', invalid, (p) => (at(p, 'volumeKeys', 1)['version'] = 1)],
    [
      'one key id twice',
      invalid,
      (p) => (at(p, 'volumeKeys', 1)['keyId'] = at(p, 'volumeKeys', 2)['keyId'] as string),
    ],
    [
      'a key id of another volume',
      invalid,
      (p) => (at(p, 'volumeKeys', 0)['keyId'] = at(p, 'slots', 0)['keyId'] as string),
    ],
    ['no primary key', invalid, (p) => (at(p, 'volumeKeys', 2)['state'] = 'active')],
    ['two primary keys', invalid, (p) => (at(p, 'volumeKeys', 1)['state'] = 'primary')],
    ['a destroyed key with bytes', invalid, (p) => (at(p, 'volumeKeys', 1)['state'] = 'destroyed')],
    ['an active key without bytes', invalid, (p) => (at(p, 'volumeKeys', 0)['state'] = 'active')],
    [
      'a state of later versions',
      'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
      (p) => (at(p, 'volumeKeys', 1)['state'] = 'escrowed'),
    ],
    ['the volume keys as an object', invalid, (p) => (p['volumeKeys'] = {})],
    ['a slot that is a list', invalid, (p) => (p['slots'] = [[]])],
    ['a payload that is a list', invalid, () => []],
  ])('%s', async (_name, code, edit) => {
    expect(
      await reseal((payload) => {
        const result = edit(payload);
        return Array.isArray(result) && result.length === 0 ? result : undefined;
      }),
    ).toBe(code);
  });

  test('wraps of volume keys cannot be exchanged: key id, version and volume are bound', async () => {
    const swapped = await reseal((payload) => {
      const [a, b] = [at(payload, 'volumeKeys', 1), at(payload, 'volumeKeys', 2)];
      [a['wrap'], b['wrap']] = [b['wrap'] as string, a['wrap'] as string];
    });
    expect(swapped).toBe('ERR_VOLSEAL_KEYRING_INVALID');
    const renumbered = await reseal((payload) => void (at(payload, 'volumeKeys', 2)['version'] = 9));
    expect(renumbered).toBe('ERR_VOLSEAL_KEYRING_INVALID');
  });
});
