/**
 * Uploads and downloads with Express 5, sealed on the volume.
 *
 *     VOLSEAL_SECRET_v1=$(npx volseal keygen) TENANTS='{"letmein":"acme"}' DATA_DIR=/tmp/files node examples/express.mjs
 *     curl -H 'Authorization: Bearer letmein' --data-binary @photo.jpg http://localhost:8080/files
 */

import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import express from 'express';
import { createEncryptWriteStream, openEncrypted } from 'volseal';
import { flySecrets } from 'volseal/kms';
import { answer, folder, limited, onStop, pathOf, statusOf, tenantOf } from './http.mjs';

const keys = flySecrets({ removeFromEnv: true });
await mkdir(folder, { recursive: true });

const app = express();
app.disable('x-powered-by');

app.post('/files', async (req, res) => {
  const id = randomUUID();
  const context = { tenant: tenantOf(req.get('authorization')), id };
  // The file appears when all of it is on the disk; an upload that fails or goes away leaves nothing behind.
  const sealed = createEncryptWriteStream(pathOf(id), { keys, context, overwrite: false });
  await pipeline(limited(req, req.get('content-length')), sealed);
  res.status(201).location(`/files/${id}`).json({ id });
});

// Express answers HEAD with this, too.
app.get('/files/:id', async (req, res) => {
  const { id } = req.params;
  const context = { tenant: tenantOf(req.get('authorization')), id };
  const file = await openEncrypted(pathOf(id), { keys, context }); // checks key, context and size
  const { status, headers, send } = answer(req.method, req.headers, await file.stat());
  res.writeHead(status, headers);
  // Bytes that are not authentic end the connection, so that no client takes a part for the whole.
  if (send !== undefined) return pipeline(file.createReadStream(send), res);
  await file.close();
  res.end();
});

app.use((error, req, res, _next) => {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const status = statusOf(error);
  if (status >= 500) console.error(error);
  res.status(status).json({ error: error.code ?? error.message });
  req.resume(); // whoever is still sending has to finish before they read the answer
});

const server = app.listen(process.env.PORT ?? 8080, () => {
  console.log(`listening on http://localhost:${server.address().port}`);
});
onStop(() => server.close(() => keys.close()));
