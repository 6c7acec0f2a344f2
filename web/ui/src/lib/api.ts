/** Talking to the desk: JSON, one header against forgery, one key against doing things twice. */

export const API = '/api/v1';
const PATIENCE_MS = 8000;

/** Why the desk did not do it. `status` 0 means that nobody answered. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly retryAfter_s: number | null = null,
  ) {
    super(detail);
    this.name = 'Problem';
  }

  /** Nobody was there to say yes or no: trying again later is right. */
  get isAway(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

/** The forgery token lives here, set by the session; asked for again when the desk says it is stale. */
export const credentials: { csrf: string; renew: () => Promise<boolean> } = {
  csrf: '',
  renew: () => Promise.resolve(false),
};

export const newKey = (): string => crypto.randomUUID();

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
interface Asking {
  body?: unknown;
  key?: string;
  signal?: AbortSignal;
  patience_ms?: number;
}

async function problemFrom(answer: Response): Promise<Problem> {
  const wait = Number(answer.headers.get('Retry-After')) || null;
  try {
    const said = (await answer.json()) as { code?: string; detail?: string; title?: string };
    return new Problem(answer.status, said.code ?? 'unknown', said.detail ?? said.title ?? '', wait);
  } catch {
    return new Problem(answer.status, `http.${answer.status}`, answer.statusText, wait);
  }
}

async function once(method: Method, path: string, asking: Asking): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (asking.body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET' && credentials.csrf) headers['X-CSRF-Token'] = credentials.csrf;
  if (asking.key) headers['Idempotency-Key'] = asking.key;
  const limit = AbortSignal.timeout(asking.patience_ms ?? PATIENCE_MS);
  try {
    return await fetch(API + path, {
      method,
      headers,
      credentials: 'same-origin',
      cache: 'no-store',
      ...(asking.body === undefined ? {} : { body: JSON.stringify(asking.body) }),
      signal: asking.signal ? AbortSignal.any([asking.signal, limit]) : limit,
    });
  } catch (cause) {
    if (asking.signal?.aborted) throw cause;
    throw new Problem(0, 'desk.away', cause instanceof Error ? cause.message : String(cause));
  }
}

export async function ask<T>(method: Method, path: string, asking: Asking = {}): Promise<T> {
  let answer = await once(method, path, asking);
  if ((answer.status === 403 || answer.status === 401) && path !== '/session') {
    const problem = await problemFrom(answer.clone());
    const stale = problem.code === 'csrf.wrong' || answer.status === 401;
    if (stale && (await credentials.renew())) answer = await once(method, path, asking);
  }
  if (!answer.ok) throw await problemFrom(answer);
  if (answer.status === 204) return undefined as T;
  return (await answer.json()) as T;
}

export const get = <T>(path: string, signal?: AbortSignal) =>
  ask<T>('GET', path, signal === undefined ? {} : { signal });
export const post = <T>(path: string, body: unknown = {}, key: string = newKey()) =>
  ask<T>('POST', path, { body, key });
export const put = <T>(path: string, body: unknown) => ask<T>('PUT', path, { body, key: newKey() });
export const patch = <T>(path: string, body: unknown) => ask<T>('PATCH', path, { body });
export const remove = <T>(path: string) => ask<T>('DELETE', path);

export function query(fields: Record<string, string | number | null | undefined>): string {
  const given = Object.entries(fields).filter(
    ([, value]) => value !== null && value !== undefined && value !== '',
  );
  if (given.length === 0) return '';
  return `?${new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString()}`;
}

/** The address of a websocket, wherever the desk says it is. */
export function socketAddress(url: string): string {
  const address = new URL(url, location.href);
  if (address.protocol === 'http:') address.protocol = 'ws:';
  if (address.protocol === 'https:') address.protocol = 'wss:';
  return address.toString();
}
