// @ts-check
/** Requests to the service. */

import { emitter } from './emitter.js';

/** @import * as T from './types.d.ts' */

/** The address of the page: two folders above the versioned folder of the assets. */
export const root = new URL('../../', import.meta.url);

/** Without an answer for so many milliseconds, a request counts as unanswered. */
const TIMEOUT = 30_000;

/** An answer that is an error. Its own members are those of `ProblemDetails`, so that IndexedDB can store `{...problem}`. */
export class Problem extends Error {
  status = 0;
  error_code = '';
  detail = '';
  /** @type {T.ProblemDetails['errors']} */
  errors = [];
  /** @type {T.Task | null} */
  task = null;
  /** @type {number | null} */
  retryAfter = null;

  /** @param {Partial<T.ProblemDetails>} details */
  constructor(details) {
    super(details.detail);
    Object.assign(this, details);
  }
}

/** There was no answer: the outcome of the request is unknown. */
export class Offline extends Error {}

/** The connection: `isOnline` says whether the last request was answered. */
export const connection = emitter({ isOnline: true });

/** @param {boolean} isOnline */
function setOnline(isOnline) {
  if (connection.isOnline === isOnline) return;
  connection.isOnline = isOnline;
  connection.emit('change');
}

/** The last change that this tab knows of: every answer to a GET must include it, whichever instance answers. */
export const known = { seq: 0 };
/** Takes note of the number of a change that the service has told. @param {number | null | undefined} seq */
export const learn = (seq) => (known.seq = Math.max(known.seq, seq ?? 0));

/** The module `session` sets `accessToken`, so that the modules do not import each other. @type {T.TokenSource} */
export const tokenSource = {
  async accessToken() {
    throw new Problem({ status: 401 });
  },
};

/** Sends a request, and returns when the head of the answer is there. @type {T.Open} */
export async function open(method, path, options = {}) {
  if (options.isAnonymous) return exchange(method, path, options);
  const token = await tokenSource.accessToken(options.as);
  try {
    return await exchange(method, path, options, token);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
    return exchange(method, path, options, await tokenSource.accessToken(options.as, token));
  }
}

/** Sends a request, and returns the whole answer. @type {T.Request} */
export async function request(method, path, options) {
  const response = await open(method, path, options);
  const { headers } = response;
  const seq = Number(headers.get('Change-Seq')) || null;
  learn(seq);
  try {
    return {
      body: await parsed(response),
      seq,
      replayed: headers.has('Idempotent-Replayed'),
    };
  } catch {
    // An answer that breaks off is no answer.
    throw new Offline();
  }
}

/** @type {(method: string, path: string, options: T.RequestOptions, token?: string) => Promise<Response>} */
async function exchange(method, path, { body, key, ifMatch, signal, headers, keepalive = false }, token) {
  const all = new Headers(headers);
  if (token) all.set('Authorization', `Bearer ${token}`);
  if (key) all.set('Idempotency-Key', key);
  if (ifMatch) all.set('If-Match', ifMatch);
  if (method === 'GET') all.set('Change-Seq', String(known.seq));
  if (body && !all.has('Content-Type')) all.set('Content-Type', 'application/json');
  const isRaw = typeof body === 'string' || body instanceof Blob;
  let response;
  try {
    response = await fetch(new URL(path, root), {
      method, headers: all, body: isRaw ? body : body ? JSON.stringify(body) : null,
      signal: signal ?? AbortSignal.timeout(TIMEOUT), keepalive, cache: 'no-store',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    setOnline(false);
    throw new Offline();
  }
  setOnline(true);
  if (response.ok) return response;
  const retryAfter = Number.parseInt(response.headers.get('Retry-After') ?? '', 10) || null;
  // The problem of a proxy has no members.
  throw new Problem({ ...(await parsed(response).catch(() => null)), status: response.status, retryAfter });
}

/** @param {Response} response */
async function parsed(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}
