/** Spans as they are after decoding, from attributes as their producer sends them. Test support. */

import type { Attributes, AttributeValue, Span } from "../model/span.ts";
import { keepsAttribute } from "./dialects.ts";

/** What the allow-list leaves of a producer's attributes. */
export function arriving(attributes: Attributes): Attributes {
  const kept: Record<string, AttributeValue> = {};
  for (const [key, value] of Object.entries(attributes)) {
    const keeps = keepsAttribute(key);
    if (keeps === true || (keeps !== false && typeof value === "number")) kept[key] = value;
    else if (keeps !== false) Object.assign(kept, keeps(key, value));
  }
  return kept;
}

/** A span of 1 microsecond that has arrived, whatever else it is given. */
export function exampleSpan(own: Partial<Span>): Span {
  return {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    parentSpanId: "",
    name: "span",
    scope: "",
    startUs: 1,
    endUs: 2,
    status: "ok",
    ...own,
    attributes: arriving(own.attributes ?? {}),
    resource: arriving(own.resource ?? {}),
  };
}
