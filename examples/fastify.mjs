/**
 * Uploads and downloads with Fastify 5, sealed on the volume.
 *
 *     VOLSEAL_SECRET_v1=$(npx volseal keygen) TENANTS='{"letmein":"acme"}' DATA_DIR=/tmp/files node examples/fastify.mjs
 *     curl -H 'Authorization: Bearer letmein' --data-binary @photo.jpg http://localhost:8080/files
 */

import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import Fastify from 'fastify';
import { createEncryptWriteStream, openEncrypted } from 'volseal';
import { flySecrets } from 'volseal/kms';
import { answer, folder, limited, onStop, pathOf, statusOf, tenantOf } from './http.mjs';

const keys = flySecrets({ removeFromEnv: true });
await mkdir(folder, { recursive: true });

const app = Fastify();
// Bodies of every type go to the route as the stream that they are.
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', (_request, _body, done) => done(null));

app.post('/files', async (request, reply) => {
  const id = randomUUID();
  const context = { tenant: tenantOf(request.headers.authorization), id };
  // The file appears when all of it is on the disk; an upload that fails or goes away leaves nothing behind.
  const sealed = createEncryptWriteStream(pathOf(id), { keys, context, overwrite: false });
  await pipeline(limited(request.raw, request.headers['content-length']), sealed);
  return reply.code(201).header('location', `/files/${id}`).send({ id });
});

app.route({
  method: ['GET', 'HEAD'], // a HEAD route made by Fastify would set its own content-length
  url: '/files/:id',
  async handler(request, reply) {
    const { id } = request.params;
    const context = { tenant: tenantOf(request.headers.authorization), id };
    const file = await openEncrypted(pathOf(id), { keys, context }); // checks key, context and size
    const { status, headers, send } = answer(request.method, request.headers, await file.stat());
    reply.code(status).headers(headers);
    // Bytes that are not authentic end the connection, so that no client takes a part for the whole.
    if (send !== undefined) return reply.send(file.createReadStream(send));
    await file.close();
    return reply.send();
  },
});

app.setErrorHandler((error, request, reply) => {
  const status = statusOf(error);
  if (status >= 500) console.error(error);
  reply.code(status).send({ error: error.code ?? error.message });
  request.raw.resume(); // whoever is still sending has to finish before they read the answer
});

await app.listen({ port: Number(process.env.PORT ?? 8080), host: '0.0.0.0' });
console.log(`listening on http://localhost:${app.server.address().port}`);
onStop(() => app.close().then(() => keys.close()));
