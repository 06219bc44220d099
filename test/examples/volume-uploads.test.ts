/** examples/volume-uploads.mjs as a process of its own: uploads that go on where they were broken off. */

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { openVolume } from '../../src/index.ts';
import { type Answer, type Asked, ExampleServer } from './server.ts';

const maxUploadBytes = 4 * 1024 * 1024;
const marker = 'patient record, not for the backup operator';
const content = Buffer.concat([Buffer.from(marker.repeat(100)), randomBytes(2 * 1024 * 1024 + 17)]);
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let server: ExampleServer;

async function create(tenant: Asked['tenant'] = 'acme'): Promise<string> {
  const { status, headers, body } = await server.ask('/files', { method: 'POST', tenant });
  const { id } = JSON.parse(body.toString()) as { id: string };
  expect({ status, location: headers['location'] }).toEqual({ status: 201, location: `/files/${id}` });
  return id;
}

const send = (id: string, offset: number, body: Buffer, tenant: Asked['tenant'] = 'acme'): Promise<Answer> =>
  server.ask(`/files/${id}`, { method: 'PATCH', tenant, body, headers: { 'upload-offset': offset } });

async function offsetOf(id: string): Promise<number> {
  const { headers } = await server.ask(`/files/${id}`, { method: 'HEAD', tenant: 'acme' });
  return Number(headers['upload-offset']);
}

async function upload(bytes: Buffer): Promise<string> {
  const id = await create();
  expect((await send(id, 0, bytes)).status).toBe(204);
  return id;
}

async function expectContent(id: string, bytes: Buffer): Promise<void> {
  const { status, body, complete } = await server.ask(`/files/${id}`, { tenant: 'acme' });
  expect({ status, complete, hash: hash(body) }).toEqual({ status: 200, complete: true, hash: hash(bytes) });
}

beforeAll(async () => {
  server = await ExampleServer.start('volume-uploads', maxUploadBytes);
});
afterAll(() => server.remove());

describe('volume-uploads', () => {
  it('makes the mount a volume and puts no plaintext into it', async () => {
    const id = await upload(content);
    expect(readdirSync(server.folder).sort()).toEqual(['.volseal', 'acme']);
    expect(readFileSync(join(server.folder, 'acme', id)).includes(marker)).toBe(false);
    await expectContent(id, content);
  });

  it('takes an upload in pieces of any size', async () => {
    const cuts = fc.array(fc.nat(content.length), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        const id = await create();
        const ends = [...places.sort((a, b) => a - b), content.length];
        let at = 0;
        for (const end of ends) {
          const { status, headers } = await send(id, at, content.subarray(at, end));
          expect({ status, offset: headers['upload-offset'] }).toEqual({ status: 204, offset: String(end) });
          at = end;
        }
        await expectContent(id, content);
      }),
      { numRuns: 5 },
    );
  });

  it('refuses a piece that does not follow the last one', async () => {
    const id = await upload(Buffer.from('abc'));
    for (const offset of [0, 2, 4]) {
      const { status, body } = await send(id, offset, Buffer.from('x'));
      expect({ status, body: body.toString() }).toEqual({
        status: 409,
        body: '{"error":"the next byte is 3"}',
      });
    }
    await expectContent(id, Buffer.from('abc'));
  });

  it('keeps what came before the client went away, and goes on from there', async () => {
    const id = await create();
    const outgoing = server.request(`/files/${id}`, {
      method: 'PATCH',
      tenant: 'acme',
      headers: { 'upload-offset': 0, 'content-length': content.length },
    });
    outgoing.on('error', () => {}); // its own going away
    outgoing.write(content.subarray(0, 1_000_000));
    await vi.waitFor(async () => expect(await offsetOf(id)).toBeGreaterThan(100_000), {
      timeout: 10_000,
      interval: 5,
    });
    outgoing.destroy();
    await vi.waitFor(
      async () => {
        const at = await offsetOf(id);
        expect((await send(id, at, content.subarray(at))).status).toBe(204);
      },
      { timeout: 10_000, interval: 5 },
    );
    await expectContent(id, content);
  });

  it('has every acknowledged byte after it was killed', async () => {
    const id = await upload(content.subarray(0, 1_234_567));
    await server.stop('SIGKILL');
    server = await ExampleServer.start('volume-uploads', maxUploadBytes, server);
    expect(await offsetOf(id)).toBe(1_234_567);
    expect((await send(id, 1_234_567, content.subarray(1_234_567))).status).toBe(204);
    await expectContent(id, content);
  });

  it('serves ranges', async () => {
    const id = await upload(content);
    await fc.assert(
      fc.asyncProperty(fc.nat(content.length - 1), fc.nat(100_000), async (start, more) => {
        const end = Math.min(content.length - 1, start + more);
        const { status, headers, body } = await server.ask(`/files/${id}`, {
          tenant: 'acme',
          headers: { range: `bytes=${start}-${end}` },
        });
        const range = `bytes ${start}-${end}/${content.length}`;
        expect({ status, range: headers['content-range'] }).toEqual({ status: 206, range });
        expect(body.equals(content.subarray(start, end + 1))).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it('gives another ETag once a file has changed', async () => {
    const id = await upload(Buffer.from('abc'));
    const etag = async (): Promise<unknown> =>
      (await server.ask(`/files/${id}`, { method: 'HEAD', tenant: 'acme' })).headers['etag'];
    const before = await etag();
    expect(await etag()).toBe(before);
    await send(id, 3, Buffer.from('def'));
    expect(await etag()).not.toBe(before);
  });

  it('knows no files of other tenants, no paths, and nothing that is not a file of it', async () => {
    const id = await upload(content);
    expect((await server.ask(`/files/${id}`)).status).toBe(401);
    expect((await server.ask(`/files/${id}`, { tenant: 'globex' })).status).toBe(404);
    expect((await send(id, content.length, Buffer.from('x'), 'globex')).status).toBe(404);
    for (const text of [`..%2Facme%2F${id}`, '..%2F.volseal%2Fkeyring.json', '%2e%2e', '.volseal']) {
      expect([400, 404]).toContain((await server.ask(`/files/${text}`, { tenant: 'acme' })).status);
    }
  });

  it('refuses what is too large, and keeps at most what came', async () => {
    const id = await create();
    expect((await send(id, 0, Buffer.alloc(maxUploadBytes + 1))).status).toBe(413);
    expect(await offsetOf(id)).toBe(0);
  });

  it('removes', async () => {
    const id = await upload(Buffer.from('abc'));
    expect((await server.ask(`/files/${id}`, { method: 'DELETE', tenant: 'acme' })).status).toBe(204);
    expect((await server.ask(`/files/${id}`, { tenant: 'acme' })).status).toBe(404);
  });

  it('ends in order while a client stalls, and the volume is whole afterwards', {
    timeout: 30_000,
  }, async () => {
    const id = await create();
    const outgoing = server.request(`/files/${id}`, {
      method: 'PATCH',
      tenant: 'acme',
      headers: { 'upload-offset': 0, 'content-length': content.length },
    });
    const broken = once(outgoing, 'error');
    outgoing.write(content.subarray(0, 500_000));
    await vi.waitFor(() => expect(server.openFiles().some((path) => path.endsWith(id))).toBe(true), {
      timeout: 10_000,
      interval: 5,
    });
    expect(await server.stop('SIGTERM')).toBe(0);
    await broken;
    const volume = await openVolume(server.folder, { keys: server.keys });
    const kept = await volume.readFile(`acme/${id}`);
    expect(content.subarray(0, kept.length).equals(kept)).toBe(true);
    await volume.close();
    server = await ExampleServer.start('volume-uploads', maxUploadBytes, server);
  });
});
