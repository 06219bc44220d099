/** The calls of one volume: refused when it is closed or read-only, counted while they run, their failures said in the caller's words. */

import { errnoError } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import { asStated, type Call, stateError } from './errors.ts';
import { pathText } from './path-rules.ts';

/** A call before its arguments are checked. */
export interface Request {
  /** As Node names it in errors. */
  readonly syscall: string;
  readonly path: unknown;
  readonly dest?: unknown;
  /** Of the arguments, for errors about them. Default `path` and `dest`. */
  readonly names?: readonly [path: string, dest: string];
  /** Whether it is refused on a volume that was opened read-only. */
  readonly changes: boolean;
}

export class Operations {
  readonly #readonly: boolean;
  #running = 0;
  #closed = false;
  #idle: (() => void) | undefined;

  constructor(isReadonly: boolean) {
    this.#readonly = isReadonly;
  }

  /** How many calls have not ended yet. */
  get running(): number {
    return this.#running;
  }

  /** @throws VolsealError `ERR_VOLSEAL_CLOSED` */
  checkOpen(): void {
    if (this.#closed)
      throw new VolsealError('ERR_VOLSEAL_CLOSED', 'the volume was closed', { hint: 'open it again' });
  }

  /** @throws EROFS */
  checkWritable(call: Call): void {
    if (!this.#readonly) return;
    const { syscall, path, dest } = call;
    const detail = 'the volume was opened read-only';
    throw asStated(errnoError('EROFS', syscall, path, dest, { detail }));
  }

  /** Runs one call. `work` gets its paths as text. */
  async run<T>(request: Request, work: (path: string, dest: string) => Promise<T> | T): Promise<T> {
    this.checkOpen();
    const { changes, names = ['path', 'dest'], syscall } = request;
    const path = pathText(request.path, names[0]);
    const dest = request.dest === undefined ? undefined : pathText(request.dest, names[1]);
    const call: Call = { syscall, path, dest };
    if (changes) this.checkWritable(call);
    this.#running++;
    try {
      return await work(path, dest ?? '');
    } catch (error) {
      throw stateError(error, call);
    } finally {
      if (--this.#running === 0) this.#idle?.();
    }
  }

  /** Refuses calls from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when no call runs. */
  whenIdle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }
}
