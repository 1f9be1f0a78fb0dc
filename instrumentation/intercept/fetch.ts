/** `fetch`, watched: requests to models become calls; everything else passes through. */

import type { BaggageHosts } from "../baggage.ts";
import { encodeBaggage } from "../baggage.ts";
import { hostKey, type ModelRequest, nowMs, type Recognise } from "../begin-call.ts";
import type { Call } from "../call.ts";
import type { Target } from "../clients/client.ts";
import { mayBeModelCall } from "../clients/list.ts";
import type { Runtime } from "../runtime.ts";
import { refusesStreamUsage } from "./refusal.ts";
import { observeResponse } from "./response.ts";

export type Fetch = typeof globalThis.fetch;

export interface FetchParts {
  readonly runtime: Runtime;
  readonly recognise: Recognise;
  readonly baggage: BaggageHosts;
}

type Input = Parameters<Fetch>[0];
type Init = Parameters<Fetch>[1];

/** A `fetch` that behaves as the given one does: results, errors, streams and timing are the original's. */
export function watchFetch(original: Fetch, parts: FetchParts): Fetch {
  const watched = function fetch(this: unknown, input: Input, init?: Init): Promise<Response> {
    const { runtime, baggage } = parts;
    const send = (nextInput: Input, nextInit: Init) => Reflect.apply(original, this, [nextInput, nextInit]);
    let sentInit = init;
    let url: string;
    try {
      url = urlOf(input);
      if (baggage.any) sentInit = withBaggage(parts, url, input, init);
      if (!mayBeModelCall(url) || methodOf(input, init) !== "POST") return send(input, sentInit);
      if (runtime.insideCall.getStore() === true) return send(input, sentInit);
    } catch {
      return send(input, init);
    }
    return sendWatched(parts, send, { url, input, init: sentInit });
  };
  // What frameworks hang on to a fetch stays reachable; its name and length are those of the platform's.
  return Object.defineProperty(Object.assign(watched, original), "length", { value: original.length });
}

interface Sending {
  readonly url: string;
  readonly input: Input;
  readonly init: Init;
}

type Send = (input: Input, init: Init) => Promise<Response>;

async function sendWatched(parts: FetchParts, send: Send, sending: Sending): Promise<Response> {
  const read = safely(parts, () => bodyOf(sending.input, sending.init));
  const body = read instanceof Promise ? await read.catch(() => null) : read;
  const request = recognise(parts, sending, body);
  if (request === null) return send(sending.input, sending.init);
  return request.body === undefined
    ? sendAsItIs(parts, send, sending, request)
    : sendWithUsage(parts, send, sending, { request, body: request.body });
}

/** The call begins while the request is on its way: the time for that is not the application's. */
async function sendAsItIs(parts: FetchParts, send: Send, sending: Sending, request: ModelRequest): Promise<Response> {
  const { runtime } = parts;
  const startMs = nowMs();
  let call: Call | null | undefined;
  try {
    const sent = runtime.insideCall.run(true, () => send(sending.input, sending.init));
    call = safely(parts, () => request.begin(startMs));
    const response = await sent;
    return call === null ? response : watchAnswer(runtime, response, call);
  } catch (error) {
    // A `fetch` of the application's own may throw at once.
    if (call === undefined) call = safely(parts, () => request.begin(startMs));
    call?.fail(error);
    throw error;
  }
}

interface Changed {
  readonly request: ModelRequest;
  readonly body: string;
}

/** A host that refuses to be asked for usage is asked once more without. */
async function sendWithUsage(parts: FetchParts, send: Send, sending: Sending, changed: Changed): Promise<Response> {
  const { runtime } = parts;
  const call = safely(parts, () => changed.request.begin());
  if (call === null) return send(sending.input, sending.init);
  try {
    const [input, init] = withBody(sending, changed.body);
    let response = await runtime.insideCall.run(true, () => send(input, init));
    if (await refusesUsage(response)) {
      call.injectedUsage = false;
      response = await runtime.insideCall.run(true, () => send(sending.input, sending.init));
      rememberRefusal(runtime, targetOf(sending.url), response.status);
    }
    return watchAnswer(runtime, response, call);
  } catch (error) {
    call.fail(error);
    throw error;
  }
}

function recognise(parts: FetchParts, sending: Sending, body: ReadBody): ModelRequest | null {
  const { input, init } = sending;
  return safely(parts, () => {
    const headers = init?.headers ?? (isRequest(input) ? input.headers : undefined);
    return parts.recognise({ target: targetOf(sending.url), body, header: (name) => headerOf(headers, name) });
  });
}

/** Null and one more fault where the work throws: the application goes on without us. */
function safely<Result>(parts: FetchParts, work: () => Result): Result | null {
  try {
    return work();
  } catch {
    parts.runtime.counters.faults += 1;
    return null;
  }
}

function watchAnswer(runtime: Runtime, response: Response, call: Call): Response {
  try {
    return observeResponse(response, call);
  } catch (error) {
    runtime.counters.faults += 1;
    call.fail(error);
    return response;
  }
}

async function refusesUsage(response: Response): Promise<boolean> {
  if (response.status !== 400 && response.status !== 422) return false;
  try {
    return refusesStreamUsage(await response.clone().text());
  } catch {
    return false;
  }
}

/**
 * Remembers a host that does not know `stream_options`; at most 1,024 hosts. A request that fails without it as well
 * was refused for another reason.
 */
export function rememberRefusal(runtime: Runtime, target: Target, statusWithout: number): void {
  if (statusWithout < 400 && runtime.refusingHosts.size < 1024) runtime.refusingHosts.add(hostKey(target));
}

function isRequest(input: Input): input is Request {
  return typeof input === "object" && !(input instanceof URL) && "url" in input;
}

function urlOf(input: Input): string {
  if (typeof input === "string") return input;
  return isRequest(input) ? input.url : input.href;
}

function methodOf(input: Input, init: Init): string {
  return (init?.method ?? (isRequest(input) ? input.method : "GET")).toUpperCase();
}

const targetsMax = 256;
const targetByUrl = new Map<string, Target>();

/** Host, port and path of an absolute URL; the last 256 are kept, since an application calls few. */
export function targetOf(url: string): Target {
  const known = targetByUrl.get(url);
  if (known !== undefined) return known;
  if (targetByUrl.size >= targetsMax) targetByUrl.clear();
  const target = readTarget(url);
  targetByUrl.set(url, target);
  return target;
}

function readTarget(url: string): Target {
  const { hostname, port, protocol, pathname } = new URL(url);
  return { host: hostname, port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port), path: pathname };
}

type ReadBody = string | Record<string, unknown> | null;

/** The body where it can be read without taking it from the application: text, bytes, form fields, or a clone. */
function bodyOf(input: Input, init: Init): ReadBody | Promise<ReadBody> {
  const body: unknown = init?.body;
  if (typeof body === "string") return body;
  if (body === undefined || body === null) return isRequest(input) && input.body ? requestBody(input) : null;
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
  if (body instanceof ArrayBuffer) return Buffer.from(body).toString("utf8");
  if (body instanceof FormData) return formFields(body);
  if (body instanceof Blob) return body.text();
  return null;
}

async function requestBody(request: Request): Promise<ReadBody> {
  const isForm = request.headers.get("content-type")?.includes("form-data") ?? false;
  return isForm ? null : await request.clone().text();
}

function formFields(form: FormData): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const name of ["model", "stream"]) {
    const value = form.get(name);
    if (typeof value === "string") fields[name] = value;
  }
  return fields;
}

function headerOf(headers: NonNullable<Init>["headers"], name: string): string | undefined {
  if (headers === undefined || headers === null) return undefined;
  if (typeof (headers as Headers).get === "function") return (headers as Headers).get(name) ?? undefined;
  const entries = Array.isArray(headers) ? headers : Object.entries(headers);
  for (const [key, value] of entries) if (String(key).toLowerCase() === name) return String(value);
  return undefined;
}

/** The same request with another body; an explicit Content-Length follows it. */
function withBody(sending: Sending, body: string): [Input, Init] {
  const { input, init } = sending;
  const given = init?.headers ?? (isRequest(input) ? input.headers : undefined);
  if (headerOf(given, "content-length") === undefined) {
    return isRequest(input) && init?.body === undefined
      ? [new Request(input, { body }), init]
      : [input, { ...init, body }];
  }
  const headers = new Headers(given as ConstructorParameters<typeof Headers>[0]);
  headers.set("content-length", String(Buffer.byteLength(body)));
  return [isRequest(input) ? new Request(input, { body }) : input, { ...init, headers, body }];
}

function withBaggage(parts: FetchParts, url: string, input: Input, init: Init): Init {
  const attribution = parts.runtime.attributions.getStore();
  if (attribution === undefined || !parts.baggage.sendsTo(new URL(url).hostname)) return init;
  const given = init?.headers ?? (isRequest(input) ? input.headers : undefined);
  const headers = new Headers(given as ConstructorParameters<typeof Headers>[0]);
  const value = encodeBaggage(attribution, headers.get("baggage") ?? undefined);
  if (value === undefined) return init;
  headers.set("baggage", value);
  return { ...init, headers };
}
