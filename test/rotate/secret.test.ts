/** The rotation of a secret, step by step. */

import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { addVolumeKey } from '../../src/keyring/changes.ts';
import { recoveryKey } from '../../src/kms/recovery-key.ts';
import { type SecretStep, secretSteps } from '../../src/rotate/secret-steps.ts';
import {
  codeOf,
  errorOf,
  fileId,
  floeHeader,
  ikmOf,
  newDataKey,
  previousIn,
  secrets,
  store,
  storedIn,
} from '../keyring/scratch.ts';
import { referenceKeyId, referenceKeyIdText } from '../reference/keys.ts';
import { referencePayload } from '../reference/keyring.ts';
import { TestKms } from '../unit/envelope/test-kms.ts';
import { makeSubject, statesOf, type Subject } from './secret-scratch.ts';

const both = [secrets('v1', 'v2')];
const idOf = (label: string): string => referenceKeyIdText(referenceKeyId(ikmOf(label)));

/** Labels of the slots, the primary one marked. */
async function slotsOf(subject: Subject, providers = both): Promise<string> {
  const keyring = await subject.open(providers);
  const slots = keyring
    .info()
    .slots.map(({ label, primary, type }) => `${label ?? type}${primary ? '*' : ''}`);
  keyring.close();
  return slots.join(' ');
}

describe('step by step', () => {
  test('each step refuses until the one before is true, and changes nothing then', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    const done: SecretStep[] = [];
    for (const step of secretSteps) {
      // Every later step is refused, and says which one is missing. The steps but the last need no rewrap of their own:
      // the generation before has the new slot once the one after it was written.
      for (const later of secretSteps.slice(secretSteps.indexOf(step) + 1)) {
        if (step === 'rewrap') continue;
        const before = storedIn(subject.directory);
        const error = await errorOf(() => subject.rotate(both, { to: 'v2', step: later })).catch(
          (cause: unknown) => {
            throw new Error(`${later} while ${step} is missing`, { cause });
          },
        );
        expect(error.code).toBe('ERR_VOLSEAL_ROTATION_REFUSED');
        expect(error.message).toBe(`${later} has to wait: ${step} is not done yet`);
        expect(error.hint).toContain(`volseal rotate secret ${step} --to v2`);
        expect(storedIn(subject.directory)).toEqual(before);
      }
      const offline = step === 'check' ? { offline: true } : {};
      const report = await subject.rotate(both, { to: 'v2', step, ...offline });
      expect(report.complete).toBe(true);
      expect(report.steps.map(({ step: name }) => name)).toEqual([step]);
      done.push(step);
      // Once more is no harm.
      const generation = report.generation;
      for (const again of done) {
        const repeated = await subject.rotate(both, { to: 'v2', step: again });
        expect([repeated.generation, statesOf(repeated)]).toEqual([generation, `${again}:before`]);
      }
    }
    expect(await slotsOf(subject, [secrets('v2')])).toBe('v2*');
    expect(await codeOf(() => subject.open([secrets('v1')]))).toBe('ERR_VOLSEAL_KEY_MISSING');
  });

  test('without a step it goes as far as it can, and on from there', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    const first = await subject.rotate(both, { to: 'v2' });
    expect(statesOf(first)).toBe('add:done check:waiting promote:later rewrap:later retire:later');
    expect(first).toMatchObject({
      complete: false,
      retired: [],
      to: { label: 'v2', keyId: idOf('v2') },
      waiting: { step: 'check', command: 'volseal rotate secret --to v2 --offline' },
    });
    expect(await slotsOf(subject)).toBe('v1* v2');
    expect(statesOf(await subject.rotate(both, { to: 'v2' }))).toMatch(/^add:before check:waiting /);
    const seen: string[] = [];
    const second = await subject.rotate(both, {
      to: 'fly-secrets:v2',
      offline: true,
      onProgress: ({ step }) => seen.push(step),
    });
    expect(statesOf(second)).toBe('add:before check:done promote:done rewrap:before retire:done');
    expect(seen).toEqual([...secretSteps]);
    expect(second).toMatchObject({
      complete: true,
      retired: [{ type: 'fly-secrets', label: 'v1', keyId: idOf('v1') }],
    });
    expect(second.waiting).toBeUndefined();
    const third = await subject.rotate([secrets('v2')], { to: 'v2' });
    expect(statesOf(third)).toBe('add:before check:before promote:before rewrap:before retire:before');
    expect([third.generation, third.retired]).toEqual([second.generation, []]);
  });

  test('what was vouched for is recorded, and not asked again', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    await subject.rotate(both, { to: 'v2', step: 'add' });
    const from = new Date().toISOString();
    await subject.rotate(both, { to: 'v2', step: 'check', offline: true });
    const path = join(subject.directory, 'vouched.json');
    const { records, volsealVouched } = JSON.parse(readFileSync(path, 'utf8')) as {
      volsealVouched: number;
      records: { label: string; keyId: string; at: string }[];
    };
    expect(volsealVouched).toBe(1);
    expect(records).toEqual([{ label: 'v2', keyId: idOf('v2'), at: expect.any(String) }]);
    expect((records[0]?.at ?? '') >= from).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    // For this secret, not for another one.
    expect(statesOf(await subject.rotate([secrets('v1', 'v3')], { to: 'v3' }))).toContain('check:waiting');
    expect((await subject.rotate(both, { to: 'v2' })).complete).toBe(true);
    expect(await slotsOf(subject, [secrets('v2')])).toBe('v2*');
  });

  test.each([
    ['nothing', ''],
    ['no JSON', 'vouched'],
    ['another form', '{"volsealVouched":2,"records":[{"label":"v2"}]}'],
    ['null', 'null'],
    ['records that are none', '{"volsealVouched":1,"records":[null,1,{"label":"v2","keyId":"x","at":"y"}]}'],
    ['too much', ' '.repeat(70_000)],
  ])('a record with %s in it counts as none, and is replaced', async (_what, content) => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    const path = join(subject.directory, 'vouched.json');
    writeFileSync(path, content);
    expect((await subject.rotate(both, { to: 'v2' })).waiting?.step).toBe('check');
    expect((await subject.rotate(both, { to: 'v2', offline: true })).complete).toBe(true);
    expect(readFileSync(path, 'utf8')).toContain(idOf('v2'));
  });

  test('a link in the place of the record is not followed', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    const victim = join(subject.directory, '..', 'victim');
    writeFileSync(victim, 'as it was');
    symlinkSync(victim, join(subject.directory, 'vouched.json'));
    await subject.rotate(both, { to: 'v2', offline: true });
    expect(readFileSync(victim, 'utf8')).toBe('as it was');
    expect(readFileSync(join(subject.directory, 'vouched.json'), 'utf8')).toContain('volsealVouched');
  });
});

describe('once the old secret is retired', () => {
  test('neither generation has it, and the old keyring key opens nothing new', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    const stolen = storedIn(subject.directory);
    await subject.rotate(both, { to: 'v2', offline: true });
    for (const document of [storedIn(subject.directory), previousIn(subject.directory)]) {
      const { slots } = referencePayload(document);
      expect(slots.map(({ keyId }) => keyId)).toEqual([idOf('v2')]);
    }
    const keyring = await subject.open([secrets('v2')]);
    const slot = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
    keyring.close();
    // The thief has last week's keyring, the secret of that time, and a file of today.
    store(subject.directory, stolen);
    const old = await subject.open([secrets('v1')]);
    expect(await codeOf(() => old.unwrapDataKey([slot], fileId, floeHeader))).toBe(
      'ERR_VOLSEAL_KEYRING_ROLLED_BACK',
    );
    old.close();
  });

  test('a crash between the two writes leaves work, which the same command does', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    await subject.rotate(both, { to: 'v2' });
    const before = storedIn(subject.directory);
    await subject.rotate(both, { to: 'v2', offline: true });
    writeFileSync(join(subject.directory, 'keyring.json.prev'), before);
    const planned = await subject.rotate([secrets('v2')], { to: 'v2', dryRun: true });
    expect(statesOf(planned)).toContain('retire:due');
    const report = await subject.rotate([secrets('v2')], { to: 'v2' });
    expect(statesOf(report)).toContain('retire:done');
    const { slots } = referencePayload(previousIn(subject.directory));
    expect(slots.map(({ keyId }) => keyId)).toEqual([idOf('v2')]);
  });

  test.each([
    ['missing', undefined],
    ['damaged', 'damaged'],
  ])('a generation before that is %s', async (_what, content) => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    await subject.rotate(both, { to: 'v2', offline: true });
    const path = join(subject.directory, 'keyring.json.prev');
    if (content === undefined) rmSync(path);
    else writeFileSync(path, content);
    const report = await subject.rotate([secrets('v2')], { to: 'v2' });
    expect(report.complete).toBe(true);
    expect(statesOf(report)).toContain(content === undefined ? 'rewrap:before' : 'rewrap:done');
    if (content !== undefined) expect(() => referencePayload(previousIn(subject.directory))).not.toThrow();
    else expect(existsSync(path)).toBe(false);
  });

  test('it does not go while the generation before may need it', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    for (const step of ['add', 'check', 'promote'] as const)
      await subject.rotate(both, { to: 'v2', step, ...(step === 'check' ? { offline: true } : {}) });
    writeFileSync(join(subject.directory, 'keyring.json.prev'), 'damaged');
    const error = await errorOf(() => subject.rotate(both, { to: 'v2', step: 'retire' }));
    expect(error.message).toBe('retire has to wait: rewrap is not done yet');
    expect(statesOf(await subject.rotate(both, { to: 'v2' }))).toContain('rewrap:done retire:done');
  });

  test('all other secrets go, not only one', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    await subject.rotate(both, { to: 'v2' });
    const report = await subject.rotate([secrets('v1', 'v3')], { to: 'v3', offline: true });
    expect(report.retired.map(({ label }) => label)).toEqual(['v1', 'v2']);
    expect(await slotsOf(subject, [secrets('v3')])).toBe('v3*');
  });

  test('the volume key is a new one, the old one still opens', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    const before = await subject.open([secrets('v1')]);
    const slot = before.wrapDataKey(newDataKey(), fileId, floeHeader);
    before.close();
    await subject.rotate(both, { to: 'v2', offline: true });
    const keyring = await subject.open([secrets('v2')]);
    expect(keyring.info().volumeKeys.map(({ state, version }) => `${version} ${state}`)).toEqual([
      '1 active',
      '2 primary',
    ]);
    keyring.unwrapDataKey([slot], fileId, floeHeader).wipe();
    keyring.close();
  });
});

describe('a recovery key', () => {
  test('has to be at hand when the old secret goes, and opens the volume afterwards', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')], recovery: true });
    const key = recoveryKey(subject.recoveryKey as string);
    const report = await subject.rotate(both, { to: 'v2', offline: true });
    expect(statesOf(report)).toBe('add:done check:done promote:done rewrap:before retire:waiting');
    expect(report.waiting?.command).toBe('volseal rotate secret --to v2 --kms fly-secrets: --kms recovery:');
    const refused = await errorOf(() => subject.rotate(both, { to: 'v2', step: 'retire' }));
    expect([refused.code, refused.hint]).toEqual([
      'ERR_VOLSEAL_ROTATION_REFUSED',
      expect.stringContaining('--kms recovery:'),
    ]);
    expect(await slotsOf(subject)).toBe('v1 recovery v2*');
    const done = await subject.rotate([...both, key], { to: 'v2' });
    expect(done.complete).toBe(true);
    expect(await slotsOf(subject, [key])).toBe('recovery v2*');
  });

  test.each(['recovery', 'recovery:', 'by its id'])('can be given up: %s', async (name) => {
    const subject = await makeSubject({ providers: [secrets('v1')], recovery: true });
    const key = recoveryKey(subject.recoveryKey as string);
    const { primary } = await key.describe();
    const drop = [name === 'by its id' ? primary : name];
    const report = await subject.rotate(both, { to: 'v2', offline: true, drop });
    expect(report.complete).toBe(true);
    expect(report.retired.map(({ keyId, type }) => [type, keyId])).toEqual([
      ['fly-secrets', idOf('v1')],
      ['recovery', primary],
    ]);
    expect(await codeOf(() => subject.open([key]))).toBe('ERR_VOLSEAL_KEY_MISSING');
    // The same command again is no harm.
    expect((await subject.rotate(both, { to: 'v2', drop })).complete).toBe(true);
  });

  test('takes the volume over when its secret is lost', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')], recovery: true });
    const key = recoveryKey(subject.recoveryKey as string);
    const report = await subject.rotate([secrets('v2'), key], { to: 'v2', offline: true });
    expect(report).toMatchObject({ complete: true, retired: [{ label: 'v1' }] });
    expect(await slotsOf(subject, [secrets('v2')])).toBe('recovery v2*');
  });

  test('keys of other providers count in the same way', async () => {
    const kms = new TestKms('alpha');
    const subject = await makeSubject({ providers: [secrets('v1'), kms] });
    const report = await subject.rotate(both, { to: 'v2', offline: true });
    expect(report.waiting).toMatchObject({
      step: 'retire',
      hint: expect.stringContaining('--drop test-kms:alpha'),
    });
    expect((await subject.rotate([...both, kms], { to: 'v2' })).complete).toBe(true);
    expect(await slotsOf(subject, [kms])).toBe('test-kms v2*');
  });
});

describe('refusals', () => {
  test('a secret that is not set', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    const report = await subject.rotate([secrets('v1')], { to: 'v2' });
    expect(report.waiting).toMatchObject({
      step: 'add',
      message: 'no secret v2 is set here',
      command: 'volseal keygen --label v2 | fly secrets set VOLSEAL_SECRET_v2=-',
    });
    expect(report.to).toEqual({ label: 'v2' });
    expect(await codeOf(() => subject.rotate([secrets('v1')], { to: 'v2', step: 'add' }))).toBe(
      'ERR_VOLSEAL_ROTATION_REFUSED',
    );
  });

  test('another value under the label of the old secret', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')], recovery: true });
    const { flySecrets } = await import('../../src/kms/fly-secrets.ts');
    const { referenceSecretText } = await import('../reference/keys.ts');
    const other = flySecrets({ env: { VOLSEAL_SECRET_v1: referenceSecretText(ikmOf('other')) } });
    const key = recoveryKey(subject.recoveryKey as string);
    const report = await subject.rotate([other, key], { to: 'v1', offline: true });
    expect(report.waiting?.message).toContain('has another value here');
    // And the old value under a new label.
    const same = flySecrets({ env: { VOLSEAL_SECRET_v2: referenceSecretText(ikmOf('v1')) } });
    expect((await subject.rotate([same], { to: 'v2', offline: true })).waiting?.message).toContain(
      'has the value of v1',
    );
    expect(await slotsOf(subject, [secrets('v1')])).toBe('v1* recovery');
  });

  test('the secret that is there already needs nothing', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    const report = await subject.rotate([secrets('v1')], { to: 'v1' });
    expect([report.complete, statesOf(report), report.generation]).toEqual([
      true,
      'add:before check:before promote:before rewrap:before retire:before',
      1,
    ]);
  });

  test('a slot that was changed', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    await subject.rotate(both, { to: 'v2', step: 'add' });
    const { slotOpens } = await import('../../src/keyring/slot-proof.ts');
    const document = storedIn(subject.directory);
    const name = { type: 'fly-secrets', keyId: idOf('v2') };
    expect(await slotOpens(document, both[0] as never, name)).toBe(true);
    expect(await slotOpens(document, both[0] as never, { ...name, keyId: 'none' })).toBe(false);
    const outer = JSON.parse(Buffer.from(document).toString()) as { payload: string };
    const payload = Buffer.from(outer.payload, 'base64url').toString();
    const inner = JSON.parse(payload) as { slots: { wrap: string }[] };
    const [one, two] = inner.slots as [{ wrap: string }, { wrap: string }];
    // The wrap of one secret in the slot of the other: the slot of v2 does not open.
    const changed = payload.replace(two.wrap, one.wrap);
    const forged = JSON.stringify({ ...outer, payload: Buffer.from(changed).toString('base64url') });
    expect(await slotOpens(Buffer.from(forged), both[0] as never, name)).toBe(false);
  });

  test.each([
    [{}, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ to: '' }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ to: 'recovery:x' }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ to: 'v2', step: 'all' }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ to: 'v2', step: 'promote', offline: true }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ to: 'v2', offline: 'yes' }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ to: 'v2', dryRun: 1 }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ to: 'v2', drop: 'recovery' }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ to: 'v2', drop: [''] }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ to: 'v2', drop: ['v2'] }, 'no error'],
    [{ to: 'v2', database: [] }, 'ERR_VOLSEAL_UNKNOWN_OPTION'],
    [{ to: 'v2', fleet: {} }, 'ERR_VOLSEAL_UNKNOWN_OPTION'],
  ])('%j: %s', async (options, code) => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    expect(await codeOf(() => subject.rotate(both, options as never))).toBe(code);
  });

  test('dropping the very secret, or any of several', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    await subject.rotate(both, { to: 'v2' });
    for (const drop of ['fly-secrets:v2', idOf('v2'), 'fly-secrets'])
      expect(await codeOf(() => subject.rotate(both, { to: 'v2', drop: [drop] }))).toBe(
        'ERR_VOLSEAL_INVALID_ARGUMENT',
      );
  });

  test('an aborted rotation stops between two steps', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')] });
    const controller = new AbortController();
    const rotation = subject.rotate(both, {
      to: 'v2',
      offline: true,
      signal: controller.signal,
      onProgress: ({ step }) => {
        if (step === 'check') controller.abort();
      },
    });
    expect(await codeOf(() => rotation)).toBe('ERR_VOLSEAL_ABORTED');
    expect(await slotsOf(subject)).toBe('v1* v2');
    expect((await subject.rotate(both, { to: 'v2' })).complete).toBe(true);
  });
});

describe('a dry run', () => {
  test('says what would be done, and writes nothing', async () => {
    const subject = await makeSubject({ providers: [secrets('v1')], recovery: true });
    const before = storedIn(subject.directory);
    const plain = await subject.rotate(both, { to: 'v2', dryRun: true });
    expect(statesOf(plain)).toBe('add:due check:waiting promote:later rewrap:later retire:later');
    const vouched = await subject.rotate(both, { to: 'v2', dryRun: true, offline: true });
    expect(statesOf(vouched)).toBe('add:due check:due promote:due rewrap:before retire:waiting');
    const all = await subject.rotate(both, { to: 'v2', dryRun: true, offline: true, drop: ['recovery'] });
    expect(statesOf(all)).toBe('add:due check:due promote:due rewrap:before retire:due');
    expect(all.retired.map(({ label, type }) => label ?? type)).toEqual(['v1', 'recovery']);
    expect([plain.complete, vouched.complete, all.complete]).toEqual([false, false, false]);
    expect(storedIn(subject.directory)).toEqual(before);
    expect(existsSync(join(subject.directory, 'vouched.json'))).toBe(false);
    expect(existsSync(join(subject.directory, 'keyring.json.prev'))).toBe(false);
  });
});

test('a change by somebody else in between is kept', async () => {
  const subject = await makeSubject({ providers: [secrets('v1')] });
  const other = await subject.open([secrets('v1', 'v2')]);
  await subject.rotate(both, { to: 'v2' });
  await other.change(addVolumeKey());
  const report = await subject.rotate(both, { to: 'v2', offline: true });
  expect(report.complete).toBe(true);
  await other.refresh();
  expect(other.info().volumeKeys.map(({ state }) => state)).toEqual(['active', 'active', 'primary']);
  other.close();
});
