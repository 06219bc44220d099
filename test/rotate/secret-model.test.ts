/** Rotations of secrets in any order, by processes with any secrets, against a model that is a few sets of labels. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { VolsealError } from '../../src/errors.ts';
import { type SecretStep, secretSteps } from '../../src/rotate/secret-steps.ts';
import { codeOf, previousIn, secrets, storedIn } from '../keyring/scratch.ts';
import { referencePayload } from '../reference/keyring.ts';
import { makeSubject, type Subject } from './secret-scratch.ts';

const labels = ['v1', 'v2', 'v3'] as const;
type Label = (typeof labels)[number];

interface Command {
  readonly has: readonly Label[];
  readonly to: Label;
  readonly step: SecretStep | undefined;
  readonly offline: boolean;
  readonly dryRun: boolean;
}

const commands: fc.Arbitrary<Command[]> = fc.array(
  fc
    .record({
      has: fc.subarray([...labels], { minLength: 1 }),
      to: fc.constantFrom(...labels),
      step: fc.option(fc.constantFrom(...secretSteps), { nil: undefined, freq: 2 }),
      offline: fc.boolean(),
      dryRun: fc.boolean(),
    })
    .map((command) => ({
      ...command,
      offline: command.offline && (command.step === undefined || command.step === 'check'),
    })),
  { minLength: 4, maxLength: 14 },
);

/** What there is; every method says whether it could be done. */
class Model {
  open = new Set<Label>(['v1']);
  before: Set<Label> | undefined;
  primary: Label = 'v1';
  readonly vouched = new Set<Label>();
  /** Ever made primary with nobody vouching. */
  readonly promoted = new Set<Label>(['v1']);

  change(open: Set<Label>, twice = false): void {
    this.before = twice ? new Set(open) : this.open;
    this.open = open;
  }

  isTrue(step: SecretStep, to: Label): boolean {
    if (!this.open.has(to)) return false;
    if (step === 'check') return this.vouched.has(to) || this.primary === to;
    if (step === 'promote') return this.primary === to;
    if (step === 'rewrap') return this.before?.has(to) ?? true;
    if (step === 'retire') return this.open.size === 1 && (this.before?.size ?? 1) === 1;
    return true;
  }

  do(step: SecretStep, { has, offline, to }: Command): boolean {
    if (this.isTrue(step, to)) return true;
    const earlier = secretSteps.slice(0, secretSteps.indexOf(step));
    if (!has.includes(to) || earlier.some((other) => !this.isTrue(other, to))) return false;
    if (step === 'check' && !offline) return false;
    if (step === 'add') this.change(new Set([...this.open, to]));
    else if (step === 'check') this.vouched.add(to);
    else if (step === 'promote') {
      this.change(new Set(this.open));
      this.primary = to;
      this.promoted.add(to);
    } else if (step === 'rewrap') this.change(new Set(this.open));
    // What is gone from the newer generation already is written over once.
    else this.change(new Set([to]), true);
    return true;
  }
}

async function play(subject: Subject, model: Model, command: Command): Promise<void> {
  const { dryRun, has, offline, step, to } = command;
  const options = { to, dryRun, ...(offline ? { offline } : {}), ...(step === undefined ? {} : { step }) };
  const run = subject.rotate([secrets(...has)], options);
  if (!has.some((label) => model.open.has(label))) {
    expect(await codeOf(() => run)).toBe('ERR_VOLSEAL_KEY_MISSING');
    return;
  }
  if (dryRun) {
    await run;
    return;
  }
  // A secret that is not set here makes nothing true.
  const isDone = (wanted: SecretStep): boolean => has.includes(to) && model.do(wanted, command);
  if (step === undefined) {
    const report = await run;
    const first = secretSteps.find((wanted) => !isDone(wanted));
    expect(report.waiting?.step).toBe(first);
    expect(report.complete).toBe(first === undefined);
  } else {
    const done = await run.then(
      () => true,
      (error: unknown) => {
        expect((error as VolsealError).code).toBe('ERR_VOLSEAL_ROTATION_REFUSED');
        return false;
      },
    );
    expect(done).toBe(isDone(step));
  }
}

const slotsIn = (document: Uint8Array): Set<string | undefined> => {
  const { slots } = referencePayload(document);
  return new Set(slots.map(({ label }) => label));
};

test('the keyring is as the model is, and who is not in it opens nothing', { timeout: 240_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (list) => {
      const subject = await makeSubject({ providers: [secrets('v1')] });
      const model = new Model();
      try {
        for (const command of list) {
          await play(subject, model, command);
          expect(slotsIn(storedIn(subject.directory))).toEqual(model.open);
          if (model.before !== undefined)
            expect(slotsIn(previousIn(subject.directory))).toEqual(model.before);
          expect(model.promoted.has(model.primary)).toBe(true);
        }
        for (const label of labels) {
          const opens = await codeOf(async () => (await subject.open([secrets(label)])).close());
          expect(opens).toBe(model.open.has(label) ? 'no error' : 'ERR_VOLSEAL_KEY_MISSING');
        }
        const keyring = await subject.open([secrets(...labels)]);
        const primary = keyring.info().slots.find((slot) => slot.primary);
        expect(primary?.label).toBe(model.primary);
        keyring.close();
      } finally {
        subject.remove();
      }
    }),
    { numRuns: 60 },
  );
});
