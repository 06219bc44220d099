import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ProgressMeter } from '../../src/cli/progress.ts';
import { Reporter } from '../../src/cli/report.ts';
import { Readable, Writable } from 'node:stream';

const mebibyte = 1_048_576;

/** A reporter whose outputs are kept. */
function reporterOf(options: { terminal?: boolean; json?: boolean; quiet?: boolean }): {
  reporter: Reporter;
  out: () => string;
  err: () => string;
} {
  const texts = { out: '', err: '' };
  const output = (name: 'out' | 'err'): Writable & { isTTY: boolean; columns: number } => {
    const stream = new Writable({
      write(chunk: Buffer, _encoding, callback) {
        texts[name] += chunk.toString();
        callback();
      },
    });
    return Object.assign(stream, { isTTY: options.terminal === true, columns: 80 });
  };
  const io = {
    stdin: Readable.from([]),
    stdout: output('out'),
    stderr: output('err'),
    env: {},
    signal: new AbortController().signal,
  };
  const reporter = new Reporter(io, { json: options.json === true, quiet: options.quiet === true });
  return { reporter, out: () => texts.out, err: () => texts.err };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Ten seconds at 10 MiB a second, of 400 MiB. */
function tenSeconds(meter: ProgressMeter): void {
  for (let second = 1; second <= 10; second++) {
    for (let tenth = 1; tenth <= 10; tenth++) {
      meter.update((second - 1) * 10 * mebibyte + tenth * mebibyte, second);
      vi.advanceTimersByTime(100);
    }
  }
}

describe('on a terminal', () => {
  test('one line, rewritten, with rate and ETA, and gone at the end', () => {
    const { err, out, reporter } = reporterOf({ terminal: true });
    const meter = new ProgressMeter(
      reporter,
      'encrypting',
      { totalBytes: 400 * mebibyte, totalItems: 20 },
      true,
    );
    tenSeconds(meter);
    const last = err().split('\r\u001b[K').at(-1);
    expect(last).toMatch(
      /^encrypting {2}10 of 20 files {2}2[45]% {2}\d+\.\d MiB of 400\.0 MiB {2}(9\.\d|10\.\d) MiB\/s {2}ETA 0:3\d$/,
    );
    expect(err()).not.toContain('\n');
    meter.stop();
    expect(err().endsWith('\r\u001b[K')).toBe(true);
    expect(out()).toBe('');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('short work shows nothing', () => {
    const { err, reporter } = reporterOf({ terminal: true });
    const meter = new ProgressMeter(reporter, 'encrypting', { totalBytes: 1, totalItems: 1 }, true);
    vi.advanceTimersByTime(390);
    meter.stop();
    expect(err()).toBe('');
  });

  test('a message goes above the line', () => {
    const { err, reporter } = reporterOf({ terminal: true });
    const meter = new ProgressMeter(reporter, 'encrypting', { totalItems: 1 }, true);
    vi.advanceTimersByTime(600);
    const line = err().split('\r\u001b[K').at(-1) as string;
    expect(line).toBe('encrypting  0 bytes  0.0 MiB/s');
    reporter.note('something');
    expect(err().endsWith(`${line}\r\u001b[Kvolseal: something\n${line}`)).toBe(true);
    meter.stop();
  });

  test('work that is not about bytes goes by its files', () => {
    const { err, reporter } = reporterOf({ terminal: true });
    const meter = new ProgressMeter(reporter, 'removing', { totalItems: 500 }, true);
    for (let items = 1; items <= 100; items++) {
      meter.update(0, items);
      vi.advanceTimersByTime(100);
    }
    meter.stop();
    expect(err().split('\r\u001b[K').at(-2)).toMatch(
      /^removing {2}(?:99|100) of 500 files {2}10 files\/s {2}ETA 0:4[01]$/,
    );
  });

  test('what nobody has counted is told as far as it is', () => {
    const { err, reporter } = reporterOf({ terminal: true });
    const meter = new ProgressMeter(reporter, 'reading headers', {}, true);
    tenSeconds(meter);
    meter.stop();
    expect(err().split('\r\u001b[K').at(-2)).toMatch(
      /^reading headers {2}10 files {2}\d+\.\d MiB {2}(?:9\.\d|10\.\d) MiB\/s$/,
    );
  });

  test('it is cut to the width of the terminal', () => {
    const { err, reporter } = reporterOf({ terminal: true });
    reporter.status('x'.repeat(200));
    expect(err()).toBe('x'.repeat(79));
  });
});

test('elsewhere a line about every five seconds', () => {
  const { err, reporter } = reporterOf({});
  const meter = new ProgressMeter(
    reporter,
    'decrypting',
    { totalBytes: 400 * mebibyte, totalItems: 1 },
    true,
  );
  tenSeconds(meter);
  meter.stop();
  const lines = err().trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(
    /^volseal: decrypting {2}1[23]% {2}\d+\.\d MiB of 400\.0 MiB {2}\d+\.\d MiB\/s {2}ETA 0:3\d$/,
  );
});

test('with --json an event a second', () => {
  const { err, out, reporter } = reporterOf({ json: true });
  const meter = new ProgressMeter(
    reporter,
    'encrypting',
    { totalBytes: 400 * mebibyte, totalItems: 20 },
    true,
  );
  tenSeconds(meter);
  meter.stop();
  expect(err()).toBe('');
  const events = out()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events).toHaveLength(10);
  expect(events[9]).toMatchObject({
    event: 'progress',
    totalBytes: 400 * mebibyte,
    doneItems: 10,
    totalItems: 20,
  });
  expect(events[9]?.['doneBytes']).toBe(100 * mebibyte);
  expect(events[9]?.['etaSeconds']).toBe(30);
});

test.each([
  ['--no-progress', {}, false],
  ['--quiet', { quiet: true }, true],
  ['--json --no-progress', { json: true }, false],
])('%s: nothing', (_name, options, enabled) => {
  const { err, out, reporter } = reporterOf(options);
  const meter = new ProgressMeter(reporter, 'encrypting', { totalItems: 1 }, enabled);
  tenSeconds(meter);
  meter.stop();
  expect(out() + err()).toBe('');
});
