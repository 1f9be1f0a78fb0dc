/** `http.request` and `https.request`, watched: what node-fetch, axios and got send. */

import type { ClientRequest, IncomingMessage } from "node:http";
import { encodeBaggage } from "../baggage.ts";
import type { Call } from "../call.ts";
import type { Target } from "../clients/client.ts";
import type { JsonObject } from "../clients/json.ts";
import { mayBeModelCall } from "../clients/list.ts";
import { type FetchParts, rememberRefusal } from "./fetch.ts";
import { holdRefusal } from "./http-refusal.ts";
import { observeIncoming } from "./http-response.ts";

export type Request = (...parameters: unknown[]) => ClientRequest;

interface Described {
  readonly target: Target;
  readonly method: string;
}

interface BegunCall {
  readonly call: Call;
  /** To be sent in place of the application's. */
  readonly body: string | undefined;
}

const heldBytesMax = 8_388_608;

/** A `request` that behaves as the given one does. `secure` is true for that of `node:https`. */
export function watchRequest(original: Request, parts: FetchParts, secure: boolean): Request {
  return function request(this: unknown, ...parameters: unknown[]): ClientRequest {
    const sent = Reflect.apply(original, this, parameters);
    try {
      const described = describe(parameters, secure);
      if (parts.baggage.any) addBaggage(parts, sent, described.target.host);
      const isCall = described.method === "POST" && mayBeModelCall(described.target.path);
      if (isCall && parts.runtime.insideCall.getStore() !== true) {
        // A host that refuses `stream_options` is asked once more without it.
        const again = () => Reflect.apply(original, this, withoutCallback(parameters));
        watchClientRequest({ parts, sent, described, again });
      }
    } catch {
      parts.runtime.counters.faults += 1;
    }
    return sent;
  };
}

function withoutCallback(parameters: readonly unknown[]): unknown[] {
  return parameters.filter((parameter) => typeof parameter !== "function");
}

interface Options {
  readonly hostname?: string;
  readonly host?: string;
  readonly port?: number | string;
  readonly path?: string;
  readonly method?: string;
  readonly protocol?: string;
}

/** Merges URL and options as Node does: options win. */
function describe(parameters: readonly unknown[], secure: boolean): Described {
  const [first, second] = parameters;
  const url = typeof first === "string" ? new URL(first) : first instanceof URL ? first : undefined;
  const options = ((url === undefined ? first : typeof second === "object" ? second : undefined) ?? {}) as Options;
  const host = options.hostname ?? options.host?.split(":")[0] ?? url?.hostname ?? "localhost";
  const port = Number(options.port ?? url?.port ?? 0) || (secure ? 443 : 80);
  const path = options.path ?? (url === undefined ? "/" : url.pathname);
  const target = { host, port, path: path.split("?")[0] ?? path };
  return { target, method: (options.method ?? "GET").toUpperCase() };
}

function addBaggage(parts: FetchParts, sent: ClientRequest, host: string): void {
  const attribution = parts.runtime.attributions.getStore();
  if (attribution === undefined || sent.headersSent || !parts.baggage.sendsTo(host)) return;
  const existing = sent.getHeader("baggage");
  const value = encodeBaggage(attribution, existing === undefined ? undefined : String(existing));
  if (value !== undefined) sent.setHeader("baggage", value);
}

interface Watching {
  readonly parts: FetchParts;
  readonly sent: ClientRequest;
  readonly described: Described;
  readonly again: () => ClientRequest;
}

/**
 * A JSON body is held until it is whole (its size is bounded), since usage may have to be asked for in it. Other
 * bodies pass as they are written; of a form only the model is read.
 */
function watchClientRequest(watching: Watching): void {
  const { sent } = watching;
  const write = sent.write.bind(sent);
  const end = sent.end.bind(sent);
  const isForm = String(sent.getHeader("content-type") ?? "").includes("form-data");
  const chunks: Buffer[] = [];
  let size = 0;
  let holding = !isForm;
  const release = () => {
    holding = false;
    for (const chunk of chunks.splice(0)) write(chunk);
  };
  const keep = (chunk: unknown, encoding: unknown) => {
    const bytes = toBuffer(chunk, encoding);
    size += bytes.length;
    if (size <= heldBytesMax) chunks.push(bytes);
    else if (holding) release();
    return bytes;
  };
  sent.write = ((chunk: unknown, ...rest: unknown[]) => {
    const wasHolding = holding;
    const bytes = keep(chunk, rest[0]);
    if (!wasHolding) return Reflect.apply(write, sent, [chunk, ...rest]);
    if (!holding) return write(bytes);
    const done = rest.find((parameter) => typeof parameter === "function");
    if (typeof done === "function") process.nextTick(done as () => void);
    return true;
  }) as ClientRequest["write"];
  sent.end = ((...parameters: unknown[]) => {
    restore(sent, write, end);
    const [chunk, encoding] = parameters;
    const hasChunk = chunk !== undefined && chunk !== null && typeof chunk !== "function";
    if (hasChunk) keep(chunk, encoding);
    const body = Buffer.concat(chunks);
    const whole = size <= heldBytesMax;
    const begun = begin(watching, whole ? readBody(body, isForm) : null);
    if (!holding) return Reflect.apply(end, sent, parameters);
    const done = parameters.find((parameter) => typeof parameter === "function") as (() => void) | undefined;
    const replaced = begun?.body === undefined ? body : replaceBody(sent, begun.body);
    if (begun !== null && begun.body !== undefined) watchRefusal(watching, begun.call, body);
    return replaced.length === 0 ? end(done) : end(replaced, done);
  }) as ClientRequest["end"];
}

function restore(sent: ClientRequest, write: ClientRequest["write"], end: ClientRequest["end"]): void {
  sent.write = write;
  sent.end = end;
}

function toBuffer(chunk: unknown, encoding: unknown): Buffer {
  if (typeof chunk === "string") {
    return Buffer.from(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8");
  }
  return chunk instanceof Uint8Array ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.alloc(0);
}

function readBody(body: Buffer, isForm: boolean): string | JsonObject | null {
  if (!isForm) return body.toString("utf8");
  const model = /name="model"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]{1,128})\r\n/.exec(body.toString("latin1"))?.[1];
  return model === undefined ? null : { model };
}

function begin(watching: Watching, body: string | JsonObject | null): BegunCall | null {
  const { parts, sent, described } = watching;
  try {
    const request = parts.recognise({
      target: described.target,
      body,
      changeable: !(sent.headersSent && sent.hasHeader("content-length")),
      header: (name) => {
        const value = sent.getHeader(name);
        return value === undefined ? undefined : String(value);
      },
    });
    if (request === null) return null;
    const call = request.begin();
    watchAnswer(parts, sent, call);
    return { call, body: request.body };
  } catch {
    parts.runtime.counters.faults += 1;
    return null;
  }
}

function replaceBody(sent: ClientRequest, body: string): Buffer {
  const bytes = Buffer.from(body, "utf8");
  if (!sent.headersSent) {
    if (sent.hasHeader("content-length")) sent.setHeader("content-length", bytes.length);
    // What is to be hidden from the application must be readable here.
    sent.setHeader("accept-encoding", "identity");
  }
  return bytes;
}

/** Sees events before the application's listeners and adds none of its own: Node acts on whether there are any. */
function watchAnswer(parts: FetchParts, sent: ClientRequest, call: Call): void {
  const emit = sent.emit.bind(sent);
  let answered = false;
  sent.emit = ((event: string, ...values: unknown[]) => {
    try {
      if (event === "response" && !answered) {
        answered = true;
        observeIncoming(values[0] as IncomingMessage, call);
      } else if (event === "error") call.fail(values[0]);
      else if (event === "close" && !answered) call.fail({ name: "AbortError" });
    } catch {
      parts.runtime.counters.faults += 1;
    }
    return Reflect.apply(emit, sent, [event, ...values]);
  }) as ClientRequest["emit"];
}

function watchRefusal(watching: Watching, call: Call, body: Buffer): void {
  const { parts, described, sent, again } = watching;
  holdRefusal(sent, () => {
    call.injectedUsage = false;
    const second = again();
    second.prependOnceListener("response", ({ statusCode }) =>
      rememberRefusal(parts.runtime, described.target, statusCode ?? 500),
    );
    for (const [name, value] of Object.entries(sent.getHeaders())) {
      if (value !== undefined && name !== "content-length") second.setHeader(name, value);
    }
    second.setHeader("content-length", body.length);
    second.end(body);
    return second;
  });
}
