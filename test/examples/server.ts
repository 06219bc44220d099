/** One of the servers of examples/ as a process of its own, and a plain HTTP client that shows what came over the wire. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import { flySecrets, type KeyProvider } from '../../src/kms/index.ts';
import { generateSecret } from '../../src/kms/secret-value.ts';

export const tokens = { acme: 'token-of-acme', globex: 'token-of-globex' } as const;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** False when the connection ended before the response did. */
  readonly complete: boolean;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly tenant?: keyof typeof tokens | undefined;
  /** A Buffer is announced with its length, a stream is sent in chunks. */
  readonly body?: Buffer | Readable;
}

export class ExampleServer {
  readonly folder: string;
  readonly keys: KeyProvider;
  readonly #secret: string;
  readonly #child: ChildProcess;
  #port = 0;
  #complaints = '';

  private constructor(name: string, maxUploadBytes: number, predecessor?: ExampleServer) {
    this.folder = predecessor?.folder ?? mkdtempSync(join(tmpdir(), 'volseal-examples-'));
    this.#secret = predecessor === undefined ? generateSecret() : predecessor.#secret;
    this.keys = flySecrets({ env: { VOLSEAL_SECRET_v1: this.#secret } });
    const tenants = Object.fromEntries(Object.entries(tokens).map(([tenant, token]) => [token, tenant]));
    const program = fileURLToPath(new URL(`../../examples/${name}.mjs`, import.meta.url));
    this.#child = spawn(process.execPath, [program], {
      env: {
        PATH: process.env['PATH'],
        PORT: '0',
        DATA_DIR: this.folder,
        MAX_UPLOAD_BYTES: String(maxUploadBytes),
        TENANTS: JSON.stringify(tenants),
        VOLSEAL_SECRET_v1: this.#secret,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints += text;
    });
  }

  /** Starts it and waits until it listens: with a folder and a secret of its own, or those of one that has ended. */
  static async start(
    name: string,
    maxUploadBytes: number,
    predecessor?: ExampleServer,
  ): Promise<ExampleServer> {
    const server = new ExampleServer(name, maxUploadBytes, predecessor);
    for await (const line of createInterface({ input: server.#child.stdout as Readable })) {
      const port = /^listening on http:\/\/localhost:(\d+)$/.exec(line)?.[1];
      if (port === undefined) continue;
      server.#port = Number(port);
      return server;
    }
    await server.remove();
    throw new Error(`the server did not start: ${server.#complaints}`);
  }

  /** Asks it to stop and gives its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const exit = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exit;
    return this.#child.exitCode;
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.folder, { recursive: true });
  }

  files(): string[] {
    return readdirSync(this.folder);
  }

  /** Sealed files that the process has open. Linux only; elsewhere none. */
  openFiles(): string[] {
    if (process.platform !== 'linux') return [];
    return readdirSync(`/proc/${this.#child.pid}/fd`).flatMap((name) => {
      try {
        const target = readlinkSync(`/proc/${this.#child.pid}/fd/${name}`);
        return target.startsWith(this.folder) ? [target] : [];
      } catch {
        return []; // closed meanwhile
      }
    });
  }

  request(path: string, asked: Asked = {}): ReturnType<typeof request> {
    const { method = 'GET', tenant, headers = {} } = asked;
    const authorization = tenant === undefined ? {} : { authorization: `Bearer ${tokens[tenant]}` };
    const sent = { connection: 'close', ...authorization, ...headers };
    return request({ host: '127.0.0.1', port: this.#port, path, method, headers: sent, agent: false });
  }

  /** Sends all of the body and takes what comes back, to its end or until the connection breaks. */
  async ask(path: string, asked: Asked = {}): Promise<Answer> {
    const outgoing = this.request(path, asked);
    const answered = new Promise<Answer>((resolve, reject) => {
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = [];
        const finish = (): void => {
          const { statusCode = 0, headers, complete } = incoming;
          resolve({ status: statusCode, headers, body: Buffer.concat(chunks), complete });
        };
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', () => {}); // told by `complete`
        incoming.on('close', finish);
      });
    });
    if (asked.body instanceof Readable) asked.body.pipe(outgoing);
    else outgoing.end(asked.body);
    return answered;
  }
}
