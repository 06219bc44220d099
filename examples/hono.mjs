/**
 * Uploads and downloads with Hono 4 on Node, sealed on the volume.
 *
 *     VOLSEAL_SECRET_v1=$(npx volseal keygen) TENANTS='{"letmein":"acme"}' DATA_DIR=/tmp/files node examples/hono.mjs
 *     curl -H 'Authorization: Bearer letmein' --data-binary @photo.jpg http://localhost:8080/files
 */

import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { createEncryptWriteStream, openEncrypted } from 'volseal';
import { flySecrets } from 'volseal/kms';
import { answer, folder, limited, onStop, pathOf, statusOf, tenantOf } from './http.mjs';

const keys = flySecrets({ removeFromEnv: true });
await mkdir(folder, { recursive: true });

const app = new Hono();

app.post('/files', async (c) => {
  const id = randomUUID();
  const context = { tenant: tenantOf(c.req.header('authorization')), id };
  // The file appears when all of it is on the disk; an upload that fails or goes away leaves nothing behind.
  const sealed = createEncryptWriteStream(pathOf(id), { keys, context, overwrite: false });
  await pipeline(limited(c.env.incoming, c.req.header('content-length')), sealed);
  return c.json({ id }, 201, { location: `/files/${id}` });
});

// Hono answers HEAD with this, too.
app.get('/files/:id', async (c) => {
  const id = c.req.param('id');
  const context = { tenant: tenantOf(c.req.header('authorization')), id };
  const file = await openEncrypted(pathOf(id), { keys, context }); // checks key, context and size
  const { status, headers, send } = answer(c.req.method, c.req.header(), await file.stat());
  // Bytes that are not authentic end the connection, so that no client takes a part for the whole.
  if (send !== undefined)
    return new Response(Readable.toWeb(file.createReadStream(send)), { status, headers });
  await file.close();
  return new Response(null, { status, headers });
});

app.onError((error, c) => {
  const status = statusOf(error);
  if (status >= 500) console.error(error);
  return c.json({ error: error.code ?? error.message }, status);
});

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 8080) }, ({ port }) => {
  console.log(`listening on http://localhost:${port}`);
});
onStop(() => server.close(() => keys.close()));
