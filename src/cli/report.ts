/**
 * What is said, and where. Data goes to standard output; people are spoken to on standard error: errors, notes and
 * warnings as `volseal: message`, hints on a line of their own. With --json a program is spoken to instead, in JSON
 * lines on standard output, or on standard error where standard output carries data.
 */

import { styleText } from 'node:util';

import { VolsealError, type VolsealErrorCode } from '../errors.ts';
import { exitCodeOf } from './exit-codes.ts';
import { Interruption, type Io } from './io.ts';
import { printable } from './printable.ts';

/** A hint that names what the command line offers, where the library's speaks of its options. */
const libraryExistsHint = 'choose another name, or allow it to be replaced';
const existsHint = 'give --force to replace it, or name another destination';

function hintOf({ code, hint }: VolsealError): string | undefined {
  const isGeneral = hint === undefined || hint === libraryExistsHint;
  return code === 'ERR_VOLSEAL_EXISTS' && isGeneral ? existsHint : hint;
}

export interface ErrorDocument {
  code: VolsealErrorCode;
  message: string;
  hint?: string;
  path?: string;
  offset?: number;
}

export interface ReportOptions {
  readonly json: boolean;
  readonly quiet: boolean;
}

/** A failure in our terms, whatever was thrown. */
export function asVolsealError(error: unknown): VolsealError {
  if (error instanceof VolsealError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new VolsealError('ERR_VOLSEAL_INTERNAL', `unexpected error: ${message}`, {
    hint: 'this is a defect of volseal; please report it with the lines above',
    cause: error,
  });
}

export function errorDocument(error: VolsealError): ErrorDocument {
  const { code, message, path, offset } = error;
  const document: ErrorDocument = { code, message };
  const hint = hintOf(error);
  if (hint !== undefined) document.hint = hint;
  if (path !== undefined) document.path = path;
  if (offset !== undefined) document.offset = offset;
  return document;
}

export class Reporter {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly #io: Io;
  #jsonToStderr = false;
  #status = '';
  #lastHint: string | undefined;

  constructor(io: Io, options: ReportOptions) {
    this.#io = io;
    this.json = options.json;
    this.quiet = options.quiet;
  }

  /** Whether someone watches standard error live. */
  get onTerminal(): boolean {
    return this.#io.stderr.isTTY === true && this.#io.env['TERM'] !== 'dumb';
  }

  /** From now on standard output carries data only. */
  dataOnStdout(): void {
    this.#jsonToStderr = true;
  }

  /** Text of the result itself. */
  print(text: string): void {
    this.#clearStatus();
    this.#io.stdout.write(`${text}\n`);
    this.#drawStatus();
  }

  /** One JSON document on one line. */
  document(value: object): void {
    const target = this.#jsonToStderr ? this.#io.stderr : this.#io.stdout;
    target.write(`${JSON.stringify(value)}\n`);
  }

  /** A step of long work, for programs. */
  event(event: string, fields: object): void {
    if (this.json) this.document({ event, ...fields });
  }

  /** For people who did not ask for silence. */
  note(text: string): void {
    if (!this.json && !this.quiet) this.#say(`volseal: ${printable(text)}`);
  }

  warning(message: string): void {
    if (this.json) this.event('warning', { message });
    else if (!this.quiet) this.#say(`volseal: ${this.#styled('yellow', 'warning:')} ${printable(message)}`);
  }

  /**
   * Reports a failure and gives its exit code.
   * @param fields what else a program is told beside the error
   */
  failure(thrown: unknown, fields: object = {}): number {
    const error = asVolsealError(thrown);
    const document = errorDocument(error);
    if (this.json) {
      this.document({ ...fields, error: document });
    } else {
      const { hint, message } = document;
      if (error.cause === thrown && thrown instanceof Error) {
        for (const line of (thrown.stack ?? '').split('\n')) this.#say(printable(line));
      }
      this.#say(`volseal: ${this.#styled('red', printable(message))}`);
      // A hundred files that fail for one reason need one hint.
      if (hint !== undefined && hint !== this.#lastHint) this.#say(`hint: ${printable(hint)}`);
      this.#lastHint = hint;
    }
    return this.exitCodeFor(error);
  }

  exitCodeFor(error: VolsealError): number {
    const reason: unknown = this.#io.signal.reason;
    if (error.code === 'ERR_VOLSEAL_ABORTED' && reason instanceof Interruption) return reason.exitCode;
    return exitCodeOf[error.code];
  }

  /** The line at the bottom of a terminal that is rewritten in place; empty removes it. */
  status(text: string): void {
    this.#clearStatus();
    const columns = this.#io.stderr.columns ?? 80;
    this.#status = printable(text).slice(0, Math.max(0, columns - 1));
    this.#drawStatus();
  }

  #say(line: string): void {
    this.#clearStatus();
    this.#io.stderr.write(`${line}\n`);
    this.#drawStatus();
  }

  #clearStatus(): void {
    if (this.#status !== '') this.#io.stderr.write('\r\u001b[K');
  }

  #drawStatus(): void {
    if (this.#status !== '') this.#io.stderr.write(this.#status);
  }

  #styled(style: 'red' | 'yellow', text: string): string {
    const { NO_COLOR } = this.#io.env;
    const plain = !this.onTerminal || (NO_COLOR !== undefined && NO_COLOR !== '');
    return plain ? text : styleText(style, text, { validateStream: false });
  }
}
