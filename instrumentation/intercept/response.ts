/**
 * Reads an answer while the application reads it. The `Response` stays the one that `fetch` made (`url`, `type`,
 * `instanceof` and all); only its ways to the body are replaced, so that nothing is read ahead, teed or buffered twice.
 */

import type { ReadableByteStreamController, UnderlyingByteSource } from "node:stream/web";
import type { Call } from "../call.ts";
import { type BodyObserver, observeBody, passOn, readEdges, readParsed } from "./body-observer.ts";

const parseMax = 1_048_576;

/** The same response, observed. Answers with an error status are not read: they hold no usage. */
export function observeResponse(response: Response, call: Call): Response {
  call.answered(response.status);
  if (response.status >= 400) {
    call.end();
    return response;
  }
  const nativeBody = response.body;
  if (nativeBody === null) {
    call.end();
    return response;
  }
  const contentType = response.headers.get("content-type")?.toLowerCase() ?? "";
  replaceBody(response, nativeBody, call, contentType);
  return response;
}

interface Observed {
  readonly call: Call;
  readonly nativeBody: ReadableStream<Uint8Array>;
  readonly contentType: string;
  stream: ReadableStream<Uint8Array> | undefined;
}

/** A constructor that returns what it is given: what its heirs declare is then put on that object. */
const Given = function given(object: object) {
  return object;
} as unknown as new (
  object: object,
) => object;

/** Puts its state on a response where nobody else can see it. A WeakMap would cost the garbage collector some microseconds a call. */
class ObservedResponse extends Given {
  #observed: Observed;

  constructor(response: Response, observed: Observed) {
    super(response);
    this.#observed = observed;
  }

  static stateOf(response: Response): Observed {
    if (!(#observed in response)) throw new TypeError("Illegal invocation");
    return (response as object as ObservedResponse).#observed;
  }
}

const observedPrototypes = new WeakMap<object, object>();

/** The methods stand on a prototype between the response and its class: one step a call, whatever their number. */
function replaceBody(
  response: Response,
  nativeBody: ReadableStream<Uint8Array>,
  call: Call,
  contentType: string,
): void {
  const native = Object.getPrototypeOf(response) as Response;
  let prototype = observedPrototypes.get(native);
  if (prototype === undefined) {
    prototype = Object.create(native, observedMethods(native)) as object;
    observedPrototypes.set(native, prototype);
  }
  new ObservedResponse(response, { call, nativeBody, contentType, stream: undefined });
  Object.setPrototypeOf(response, prototype);
}

function observedMethods(native: Response): PropertyDescriptorMap {
  const { stateOf } = ObservedResponse;
  /** Once the observed stream is read from, the native methods refuse, as they do for any body that is used. */
  const whole = async (response: Response): Promise<Uint8Array> => {
    const { call, contentType } = stateOf(response);
    return watched(call, native.arrayBuffer.call(response), (buffer) =>
      observeWhole(call, contentType, new Uint8Array(buffer)),
    );
  };
  const methods = {
    async text(this: Response): Promise<string> {
      const { call, contentType } = stateOf(this);
      if (!contentType.includes("json")) return new TextDecoder().decode(await whole(this));
      return watched(call, native.text.call(this), (text) => observeText(call, text));
    },
    async json(this: Response): Promise<unknown> {
      const { call, contentType } = stateOf(this);
      if (!contentType.includes("json")) return JSON.parse(new TextDecoder().decode(await whole(this)));
      return watched(call, native.text.call(this), (text) => observeJsonText(call, text));
    },
    async arrayBuffer(this: Response): Promise<ArrayBuffer> {
      return new Uint8Array(await whole(this)).buffer;
    },
    async bytes(this: Response): Promise<Uint8Array> {
      return new Uint8Array(await whole(this));
    },
    async blob(this: Response): Promise<Blob> {
      return new Blob([new Uint8Array(await whole(this))], { type: stateOf(this).contentType });
    },
    clone(this: Response): Response {
      const { call, contentType } = stateOf(this);
      const copy = native.clone.call(this);
      const body = copy.body;
      if (body !== null) replaceBody(copy, body, call, contentType);
      return copy;
    },
  };
  const body: PropertyDescriptor = {
    get(this: Response) {
      const state = stateOf(this);
      state.stream ??= observedStream(state.nativeBody, state.call, state.contentType);
      return state.stream;
    },
    configurable: true,
  };
  return { ...Object.getOwnPropertyDescriptors(methods), body };
}

/** What was read, observed. A body that breaks off ends the call with the same error that the application gets. */
function watched<Read, Result>(call: Call, reading: Promise<Read>, observe: (read: Read) => Result): Promise<Result> {
  // One `then` and no `await`: each step between the answer and the application is added to its time.
  return reading.then(observe, (error: unknown) => {
    // A second read of a used body is the application's mistake and no end of the call.
    if (!(error instanceof TypeError && /already been|locked|unusable|disturbed/i.test(error.message)))
      call.fail(error);
    throw error;
  });
}

function observeText(call: Call, text: string): string {
  if (!call.claimBody()) return text;
  if (text.length > parseMax) readEdges(call, text.slice(0, 65_536), text.slice(-65_536));
  else observeParsed(call, text);
  call.end();
  return text;
}

/** Parses once for the application and for the call; a broken text throws what `response.json()` throws. */
function observeJsonText(call: Call, text: string): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    if (call.claimBody()) call.end();
    throw error;
  }
  if (call.claimBody()) {
    readParsed(call, parsed);
    call.end();
  }
  return parsed;
}

function observeParsed(call: Call, text: string): void {
  try {
    readParsed(call, JSON.parse(text));
  } catch {
    // A truncated answer: the call keeps what the headers said.
  }
}

function observeWhole(call: Call, contentType: string, bytes: Uint8Array): Uint8Array {
  const claimed = call.claimBody();
  if (!claimed && !call.injectedUsage) return bytes;
  const observer = observeBody(call, contentType);
  const delivered = [...observer.write(bytes), ...observer.end()];
  if (claimed) call.end();
  return delivered.length === 1 && delivered[0] !== undefined ? delivered[0] : Buffer.concat(delivered);
}

/** Pulls from the native stream only when the application pulls; what it cancels is cancelled there. */
function observedStream(
  native: ReadableStream<Uint8Array>,
  call: Call,
  contentType: string,
): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let observer: BodyObserver = passOn;
  let claimed = false;
  // Looking at `response.body` is no reading yet: the body is locked and claimed with the first pull.
  const begin = () => {
    claimed = call.claimBody();
    if (claimed || call.injectedUsage) observer = observeBody(call, contentType);
    return native.getReader();
  };
  const source: UnderlyingByteSource = {
    type: "bytes",
    async pull(controller) {
      reader ??= begin();
      for (;;) {
        const { done, value } = await reader.read().catch((error: unknown) => {
          if (claimed) call.fail(error);
          throw error;
        });
        const sent = deliver(controller, done ? observer.end() : observer.write(value));
        if (done) {
          if (claimed) call.end();
          controller.close();
          // A reader that brought its own buffer learns of the end by an empty answer; Node's types do not know it.
          (controller as unknown as { byobRequest?: { respond(bytes: number): void } | null }).byobRequest?.respond(0);
          return;
        }
        if (sent) return;
      }
    },
    async cancel(reason) {
      if (reader === undefined ? call.claimBody() : claimed) call.end();
      await (reader === undefined ? native.cancel(reason) : reader.cancel(reason));
    },
  };
  return new ReadableStream(source, { highWaterMark: 0 }) as ReadableStream<Uint8Array>;
}

function deliver(controller: ReadableByteStreamController, chunks: readonly Uint8Array[]): boolean {
  let sent = false;
  for (const chunk of chunks) {
    if (chunk.byteLength === 0) continue;
    // A slice of a larger buffer is copied: enqueueing hands the whole buffer over.
    controller.enqueue(
      chunk.byteLength === chunk.buffer.byteLength ? (chunk as Uint8Array<ArrayBuffer>) : new Uint8Array(chunk),
    );
    sent = true;
  }
  return sent;
}
