// The HTTP API: requests with the token, answers and problems as values.

import { token } from "./token.js";

const ANSWER_SECONDS = 35; // the gateway gives up after 30, and then answers
export const WAIT_SECONDS = 20; // the longest that the API holds an answer
export const API = "api/v3";

/** An answer that says why not (RFC 9457), or what the gateway says by itself. */
export class Problem extends Error {
  constructor(status, document, retryAfter) {
    super(document.detail ?? document.message ?? `The API answered ${status}.`);
    this.status = status;
    this.code = document.code ?? `http_${status}`;
    this.title = document.title ?? document.message ?? "";
    this.errors = document.errors ?? [];
    this.requestId = document.request_id ?? null;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may well be answered otherwise a little later. */
  get passes() {
    return this.status === 429 || this.status >= 500;
  }
}

/** No answer came at all. */
export class Unreachable extends Error {
  constructor() {
    super("The API cannot be reached.");
    this.passes = true;
  }
}

export function address(path, query = {}) {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url;
}

/** One key for one wish: the same wish again, after a double click or a lost answer, starts nothing new. */
export function newKey() {
  const raw = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Ask the API. Resolves to `{status, data, etag}`; 304 has no data. Throws Problem, Unreachable, or an AbortError when
 * `signal` ended it. A refused token is told to the whole page as `token-refused`.
 */
export async function ask(method, path, { query, body, key, etag, signal, bearer } = {}) {
  const response = await send(method, address(path, query), { body, key, etag, signal, bearer });
  if (response.status === 304) return { status: 304, data: null, etag };
  const data = await parsed(response, signal);
  return { status: response.status, data, etag: response.headers.get("ETag") };
}

export const get = (path, options) => ask("GET", path, options);
export const post = (path, body, options) => ask("POST", path, { ...options, body });
export const put = (path, body, options) => ask("PUT", path, { ...options, body });

/** The response itself, for what is no JSON. Throws as `ask`, for what is no success. */
export async function send(method, url, { body, key, etag, signal, bearer } = {}) {
  const headers = { Authorization: `Bearer ${bearer ?? token() ?? ""}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  if (etag) headers["If-None-Match"] = etag;
  const limit = AbortSignal.timeout(ANSWER_SECONDS * 1000);
  let response;
  try {
    response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      cache: "no-store", // validators are handled here
      credentials: "omit",
      redirect: "error",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable();
  }
  if (response.ok || response.status === 304) return response;
  const problem = new Problem(response.status, await documentOf(response), Number(response.headers.get("Retry-After")));
  if (response.status === 401 && !bearer) dispatchEvent(new CustomEvent("token-refused", { detail: problem }));
  throw problem;
}

async function parsed(response, signal) {
  try {
    return await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable(); // it broke off on the way
  }
}

async function documentOf(response) {
  try {
    const told = await response.json();
    return typeof told === "object" && told !== null ? told : {};
  } catch {
    return {};
  }
}
