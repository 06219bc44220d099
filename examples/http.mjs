/** What the three servers share and what has nothing to do with volseal: who is asking, how much, and which bytes (RFC 9110). */

import { join } from 'node:path';

export const folder = process.env.DATA_DIR ?? '/data/files';
export const maxUploadBytes = Number(process.env.MAX_UPLOAD_BYTES ?? 100 * 1024 * 1024);

/** Stands in for your own sign-in: `TENANTS={"token":"tenant"}` says which bearer token is which tenant. */
const tenants = new Map(Object.entries(JSON.parse(process.env.TENANTS ?? '{}')));

export class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function tenantOf(authorization) {
  const tenant = tenants.get(/^Bearer (\S+)$/.exec(authorization ?? '')?.[1]);
  if (tenant === undefined) throw new HttpError(401, 'sign in first');
  return tenant;
}

/** Ids are ours; a client's text never becomes part of a path unless it is one. */
export function pathOf(id) {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw new HttpError(404, 'no such file');
  return join(folder, `${id}.vsl`);
}

/** The chunks of a request body. Too many of them fail, and the request stays open so that it can be answered. */
export async function* limited(request, announcedBytes) {
  const tooLarge = new HttpError(413, `at most ${maxUploadBytes} bytes`);
  if (Number(announcedBytes ?? 0) > maxUploadBytes) throw tooLarge;
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > maxUploadBytes) throw tooLarge;
    yield chunk;
  }
}

/** What a client is told about a failure. Another tenant's file does not exist for this one. */
export function statusOf(error) {
  if (error instanceof HttpError) return error.status;
  if (error.code === 'ERR_VOLSEAL_NOT_FOUND' || error.code === 'ERR_VOLSEAL_CONTEXT_MISMATCH') return 404;
  return error.code === 'ERR_VOLSEAL_NO_SPACE' ? 507 : 500;
}

/**
 * The answer to GET and HEAD: status, headers, and the bytes to send as `{ start, end }`, inclusive; no `send`, no body.
 * The file id is new whenever a file is sealed, so with the size it is a strong ETag.
 */
export function answer(
  method,
  { range, 'if-range': ifRange, 'if-none-match': ifNoneMatch },
  { size, fileId },
) {
  const etag = `"${fileId}-${size}"`;
  const headers = {
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-cache',
    'content-type': 'application/octet-stream',
    'x-content-type-options': 'nosniff',
    etag,
  };
  if (ifNoneMatch?.trim() === '*' || ifNoneMatch?.match(/"[^"]*"/g)?.includes(etag))
    return { status: 304, headers };

  const asked =
    method === 'GET' && (ifRange === undefined || ifRange === etag) ? oneRange(range, size) : undefined;
  if (asked === 'none of it')
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${size}` } };

  const { start, end } = asked ?? { start: 0, end: size - 1 };
  headers['content-length'] = String(end - start + 1);
  if (asked !== undefined) headers['content-range'] = `bytes ${start}-${end}/${size}`;
  const send = method === 'GET' && size > 0 ? { start, end } : undefined;
  return { status: asked === undefined ? 200 : 206, headers, send };
}

/** One range of bytes. Anything else (no header, several ranges, another unit, nonsense) may be answered with everything. */
function oneRange(header, size) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/i.exec(header ?? '') ?? [];
  if (
    first === undefined ||
    first + last === '' ||
    (first !== '' && last !== '' && Number(last) < Number(first))
  )
    return undefined;
  if (first === '') {
    if (Number(last) === 0) return 'none of it';
    return size === 0 ? undefined : { start: Math.max(0, size - Number(last)), end: size - 1 };
  }
  if (Number(first) >= size) return 'none of it';
  return { start: Number(first), end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

/** Fly sends SIGINT before it stops a Machine (`kill_signal`) and waits five seconds (`kill_timeout`): finish what runs. */
export function onStop(stop) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
}
