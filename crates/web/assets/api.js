// @ts-check
/** Requests to the service. */

/** @import { Answer, ProblemDetails, RequestOptions } from './types.d.ts' */

/** The address of the page: two folders above the versioned folder of the assets. */
export const root = new URL('../../', import.meta.url);

/** Without an answer for this long, a request counts as unanswered. */
const TIMEOUT = 30_000;

/** An answer of the service that is an error. */
export class Problem extends Error {
  /** @param {Partial<ProblemDetails> & {status: number}} details */
  constructor(details) {
    super(details.detail ?? `HTTP ${details.status}`);
    this.name = 'Problem';
    this.status = details.status;
    this.error_code = details.error_code ?? '';
    this.detail = details.detail ?? '';
    this.errors = details.errors ?? [];
    this.task = details.task ?? null;
    this.retryAfter = details.retryAfter ?? null;
  }

  /** Returns the members, in a form that IndexedDB can store. @returns {ProblemDetails} */
  details() {
    const { status, error_code, detail, errors, task, retryAfter } = this;
    return { status, error_code, detail, errors, task, retryAfter };
  }
}

/** There was no answer: the outcome of the request is unknown. */
export class Offline extends Error {
  constructor() {
    super('The service did not answer.');
    this.name = 'Offline';
  }
}

/**
 * Returns an access token of the user `as` other than `refused`, or throws a problem 401 if there is none. The module
 * `session` sets it, so that the modules do not import each other.
 * @typedef {(as?: string, refused?: string) => Promise<string>} TokenSource
 * @type {TokenSource}
 */
let accessToken = async () => {
  throw new Problem({ status: 401 });
};

/** @param {TokenSource} source */
export function takeTokensFrom(source) {
  accessToken = source;
}

/** Whether the last request was answered; event `change`. */
class Connection extends EventTarget {
  isOnline = true;

  /** @param {boolean} isOnline */
  set(isOnline) {
    if (this.isOnline === isOnline) return;
    this.isOnline = isOnline;
    this.dispatchEvent(new Event('change'));
  }
}

export const connection = new Connection();

/**
 * Sends a request of the logged-in user. If the access token is refused, sends it once more with a new one.
 * @template [T=any]
 * @param {string} method
 * @param {string} path from the page's address, such as `api/v1/tasks`
 * @param {RequestOptions} [options]
 * @returns {Promise<Answer<T>>}
 */
export async function request(method, path, options = {}) {
  const response = await open(method, path, options);
  return { ...heads(response), body: await content(response) };
}

/**
 * Like `request`, and returns as soon as the head of the answer is there. Without a `signal` the whole answer must
 * arrive in time.
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions} [options]
 */
export async function open(method, path, options = {}) {
  const token = await accessToken(options.as);
  try {
    return await exchange(method, path, { ...options, token });
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
    return exchange(method, path, { ...options, token: await accessToken(options.as, token) });
  }
}

/**
 * Sends a request about accounts, without an access token unless given.
 * @template [T=any]
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions & {token?: string, keepalive?: boolean}} [options]
 * @returns {Promise<Answer<T>>}
 */
export async function send(method, path, options = {}) {
  const response = await exchange(method, path, options);
  return { ...heads(response), body: await content(response) };
}

/**
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions & {token?: string, keepalive?: boolean}} options
 */
async function exchange(method, path, { body, key, ifMatch, signal, headers, token, keepalive }) {
  /** @type {Record<string, string>} */
  const all = { ...headers };
  if (token) all['Authorization'] = `Bearer ${token}`;
  if (key) all['Idempotency-Key'] = key;
  if (ifMatch) all['If-Match'] = ifMatch;
  const given = body !== undefined && body !== null;
  if (given) all['Content-Type'] ??= 'application/json';
  const response = await fetch(new URL(path, root), {
    method,
    headers: all,
    body: given ? (typeof body === 'string' || body instanceof Blob ? body : JSON.stringify(body)) : null,
    signal: signal ?? AbortSignal.timeout(TIMEOUT),
    keepalive: keepalive ?? false,
    cache: 'no-store',
  }).catch((error) => {
    if (signal?.aborted) throw error;
    connection.set(false);
    throw new Offline();
  });
  connection.set(true);
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** @param {Response} response */
function heads(response) {
  const seq = response.headers.get('Change-Seq');
  return {
    status: response.status,
    etag: response.headers.get('ETag'),
    seq: seq === null ? null : Number(seq),
    replayed: response.headers.get('Idempotent-Replayed') === 'true',
  };
}

/** An answer that breaks off is no answer. @param {Response} response */
async function content(response) {
  const text = await response.text().catch(() => {
    throw new Offline();
  });
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    throw new Offline();
  }
}

/** @param {Response} response */
async function problemOf(response) {
  const text = await response.text().catch(() => '');
  /** @type {Partial<ProblemDetails>} */
  let members = {};
  try {
    members = JSON.parse(text);
  } catch {
    // A proxy answered.
  }
  const wait = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
  return new Problem({ ...members, status: response.status, retryAfter: Number.isNaN(wait) ? null : wait });
}
