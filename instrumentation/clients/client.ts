/** The contract of one wire API: which requests are its own, and what request and response say. */

import type { CallFacts } from "./facts.ts";
import type { JsonObject } from "./json.ts";

/** Where a request goes. `path` has no query. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/**
 * One file per wire API. No method throws on any input: what is not understood is left out of the facts.
 * `readEvent` and `readResponse` may be called with anything that parses as JSON.
 */
export interface WireClient {
  readonly name: string;
  readonly operation: CallFacts["operation"];
  /** Cheap test on the path alone. */
  matches(target: Target): boolean;
  /** True when the body has the shape of this API, so that a stranger's `/messages` is left alone. */
  accepts(body: JsonObject, target: Target): boolean;
  /** True when path and headers alone tell this API: for forms with a file, and bodies that are streams or too large. */
  acceptsUnread?(header: (name: string) => string | undefined): boolean;
  readRequest(body: JsonObject, target: Target, facts: CallFacts): void;
  /** A whole answer. */
  readResponse(body: JsonObject, facts: CallFacts): void;
  /** One server-sent event. True when it carries output of the model. */
  readEvent(event: JsonObject, facts: CallFacts): boolean;
  /** Texts of the prompt in the order in which providers cache it; for lengths and hashes only. */
  promptTexts(body: JsonObject): readonly string[];
  /** True when streams of this API report usage only if `stream_options.include_usage` asks for it. */
  readonly asksForStreamUsage?: boolean;
  /** True when the event that sets `finished` is the last of a stream: the call ends with it. */
  readonly finishesStream?: boolean;
}
