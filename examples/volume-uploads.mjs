/**
 * Resumable uploads into a volume, with Express 5. What was acknowledged is on the disk: after a crash, a kill or a lost
 * connection the client asks where to go on (HEAD) and sends the rest (PATCH).
 *
 *     VOLSEAL_SECRET_v1=$(npx volseal keygen) TENANTS='{"letmein":"acme"}' DATA_DIR=/tmp/data node examples/volume-uploads.mjs
 *     curl -i -H 'Authorization: Bearer letmein' -X POST http://localhost:8080/files
 *     curl -i -H 'Authorization: Bearer letmein' -H 'Upload-Offset: 0' -X PATCH --data-binary @photo.jpg http://localhost:8080/files/ID
 */

import { randomUUID } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { openVolume } from 'volseal';
import { flySecrets } from 'volseal/kms';
import { answer, HttpError, limited, onStop, tenantOf } from './http.mjs';

const volume = await openVolume(process.env.DATA_DIR ?? '/data', {
  keys: flySecrets({ removeFromEnv: true }),
  create: true,
});

/** A folder for each tenant. Ids are ours: a client's text never becomes part of a path unless it is one. */
function pathOf(req) {
  const tenant = tenantOf(req.get('authorization'));
  const { id } = req.params;
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw new HttpError(404, 'no such file');
  return `${tenant}/${id}`;
}

const app = express();
app.disable('x-powered-by');

app.post('/files', async (req, res) => {
  const id = randomUUID();
  await volume.outputFile(`${tenantOf(req.get('authorization'))}/${id}`, '');
  res.status(201).location(`/files/${id}`).json({ id });
});

app.patch('/files/:id', async (req, res) => {
  const file = await volume.open(pathOf(req), 'r+'); // a second upload of the same file: EBUSY in another process
  let { size } = await file.stat();
  try {
    if (Number(req.get('upload-offset')) !== size) throw new HttpError(409, `the next byte is ${size}`);
    for await (const chunk of limited(req, req.get('content-length'))) {
      await file.write(chunk, 0, chunk.length, size);
      size += chunk.length;
    }
  } finally {
    await file.close(); // syncs: what came is kept, also when the client went away
  }
  res.status(204).set('upload-offset', String(size)).end();
});

// Express answers HEAD with this, too.
app.get('/files/:id', async (req, res) => {
  const file = await volume.open(pathOf(req), 'r');
  const { size, ino, mtimeMs } = await file.stat();
  const { status, headers, send } = answer(req.method, req.headers, { size, fileId: `${ino}-${mtimeMs}` });
  res.writeHead(status, { ...headers, 'upload-offset': String(size) });
  // Bytes that are not authentic end the connection, so that no client takes a part for the whole.
  if (send !== undefined) return pipeline(file.createReadStream(send), res); // closes the file
  await file.close();
  res.end();
});

app.delete('/files/:id', async (req, res) => {
  await volume.unlink(pathOf(req));
  res.status(204).end();
});

const statusOf = { ENOENT: 404, EBUSY: 423, ENOSPC: 507 };

app.use((error, req, res, _next) => {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const status = error.status ?? statusOf[error.code] ?? 500;
  if (status >= 500) console.error(error);
  res.status(status).json({ error: error.code ?? error.message });
  req.resume(); // whoever is still sending has to finish before they read the answer
});

const server = app.listen(process.env.PORT ?? 8080, () => {
  console.log(`listening on http://localhost:${server.address().port}`);
});

// Fly waits `kill_timeout`, five seconds by default: requests get three, the volume the rest.
onStop(async () => {
  const ended = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  await Promise.race([ended, sleep(3_000, undefined, { ref: false })]);
  await volume.close();
  process.exit();
});
