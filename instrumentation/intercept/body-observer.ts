/** Watches the bytes of one answer on their way to the application: reads usage, hides what was not asked for. */

import type { Call } from "../call.ts";
import { asObject, parseJson } from "../clients/json.ts";
import { splitEvents } from "./server-sent-events.ts";

export interface BodyObserver {
  /** The bytes to deliver in place of this chunk, in order; often the chunk itself. */
  write(chunk: Uint8Array): Uint8Array[];
  /** The end of the body. Returns bytes held back, if any. */
  end(): Uint8Array[];
}

const wholeBodyMax = 1_048_576;
const edgeBytes = 65_536;
const nullUsage = /,\s*"usage":\s*null/;

/** Chooses by content type; a type without usage in it (audio) is only passed on. */
export function observeBody(call: Call, contentType: string): BodyObserver {
  if (contentType.includes("event-stream")) return guard(call, observeEvents(call));
  if (contentType.includes("json") || contentType === "") return guard(call, observeJson(call));
  return passOn;
}

/** Passes bytes on as they come. */
export const passOn: BodyObserver = { write: (chunk) => [chunk], end: () => [] };

/** After a fault of ours the application's bytes go on without us. */
function guard(call: Call, observer: BodyObserver): BodyObserver {
  let current = observer;
  const tried = (work: () => Uint8Array[], instead: Uint8Array[]): Uint8Array[] => {
    let bytes: Uint8Array[] | undefined;
    call.guarded(() => {
      bytes = work();
    });
    if (bytes === undefined) current = passOn;
    return bytes ?? instead;
  };
  return { write: (chunk) => tried(() => current.write(chunk), [chunk]), end: () => tried(() => current.end(), []) };
}

/**
 * Events are passed on chunk by chunk as they came. Only where usage was asked for on the application's behalf is an
 * unfinished event held until it is whole, the usage-only event left out and the `"usage":null` that the request
 * caused in all others cut, so that the application reads the stream it asked for.
 */
function observeEvents(call: Call): BodyObserver {
  const splitter = splitEvents();
  const hides = call.injectedUsage;
  call.facts.stream = true;
  return {
    write(chunk) {
      if (splitter.overflowed) return [chunk];
      const before = hides ? chunk : undefined;
      const events = splitter.write(chunk);
      const delivered: Uint8Array[] = [];
      for (const event of events) {
        const hidden = readEvent(call, event.data);
        if (before !== undefined && !hidden) delivered.push(withoutNullUsage(event.bytes));
      }
      if (before === undefined) return [chunk];
      if (splitter.overflowed) delivered.push(splitter.rest());
      return delivered;
    },
    end() {
      const rest = splitter.rest();
      if (rest.length === 0) return [];
      // A last event without its blank line is void by the standard, yet some servers end like this and SDKs read it.
      const hidden = readEvent(call, /data: ?([^\r\n]*)/.exec(rest.toString("utf8"))?.[1] ?? "");
      return hides && !hidden ? [rest] : [];
    },
  };
}

/** True when the event is the usage-only one that the application did not ask for. */
function readEvent(call: Call, data: string): boolean {
  if (data === "") return false;
  if (data === "[DONE]") {
    call.facts.finished = true;
    call.end();
    return false;
  }
  const event = asObject(parseJson(data));
  if (event === null) return false;
  call.readEvent(event);
  const choices = event["choices"];
  return call.injectedUsage && Array.isArray(choices) && choices.length === 0 && asObject(event["usage"]) !== null;
}

function withoutNullUsage(bytes: Buffer): Uint8Array {
  if (!bytes.includes('"usage"')) return bytes;
  const text = bytes.toString("utf8");
  // Inside a JSON string the quotes would be escaped, so that this can only be a key.
  return nullUsage.test(text) ? Buffer.from(text.replace(nullUsage, ""), "utf8") : bytes;
}

/** Keeps up to 1 MB to parse; of a larger body only both ends, where `model` and `usage` stand. */
function observeJson(call: Call): BodyObserver {
  const chunks: Buffer[] = [];
  let size = 0;
  let head: Buffer | undefined;
  let tail: Buffer = Buffer.alloc(0);
  return {
    write(chunk) {
      const copy = Buffer.from(chunk);
      size += copy.length;
      if (size <= wholeBodyMax) {
        chunks.push(copy);
        return [chunk];
      }
      head ??= Buffer.concat(chunks).subarray(0, edgeBytes);
      tail = Buffer.concat([...(tail.length === 0 ? chunks : [tail]), copy]);
      tail = Buffer.from(tail.subarray(Math.max(0, tail.length - edgeBytes)));
      chunks.length = 0;
      return [chunk];
    },
    end() {
      if (head === undefined) readWhole(call, Buffer.concat(chunks).toString("utf8"));
      else readEdges(call, head.toString("utf8"), tail.toString("utf8"));
      return [];
    },
  };
}

/** Reads a whole body of JSON. Gemini's streams without `alt=sse` are one array of events. */
export function readWhole(call: Call, text: string): void {
  readParsed(call, parseJson(text));
}

/** The same for a body that is parsed already. */
export function readParsed(call: Call, parsed: unknown): void {
  if (Array.isArray(parsed)) {
    for (const item of parsed) {
      const event = asObject(item);
      if (event !== null) call.readEvent(event);
    }
    return;
  }
  const body = asObject(parsed);
  if (body !== null) call.readResponse(body);
}

/** Large bodies are not parsed in the application's time: the last `usage` object and the first labels are enough. */
export function readEdges(call: Call, head: string, tail: string): void {
  const body: Record<string, unknown> = {};
  for (const key of ["usage", "usageMetadata"]) {
    const at = Math.max(tail.lastIndexOf(`"${key}":`), -1);
    const source = at === -1 ? head : tail;
    const from = at === -1 ? head.indexOf(`"${key}":`) : at;
    if (from !== -1) body[key] = parseJson(balanced(source, source.indexOf("{", from)));
  }
  for (const key of ["id", "model", "service_tier"]) {
    const pattern = new RegExp(`"${key}":\\s*"([^"\\\\]{1,128})"`);
    const found = pattern.exec(head)?.[1] ?? pattern.exec(tail)?.[1];
    if (found !== undefined) body[key] = found;
  }
  call.readResponse(body);
}

function balanced(text: string, from: number): string {
  let depth = 0;
  for (let at = from; at >= 0 && at < text.length; at += 1) {
    if (text[at] === "{") depth += 1;
    else if (text[at] === "}" && --depth === 0) return text.slice(from, at + 1);
  }
  return "";
}
