/** Who and what a span was for, from its own attributes first and its resource second. */

import { attributionKeys } from "../../instrumentation/protocol.ts";
import type { Attributes, Span } from "../model/span.ts";
import type { Attribution } from "../model/usage-record.ts";
import { text, textOf } from "./attributes.ts";

/** The keys of each dimension, the first that holds a text wins. */
export type AttributionKeys = { readonly [dimension in keyof Attribution]: readonly string[] };

/** What every dialect understands: OpenTelemetry's names, else `burnwatch.`. */
export const commonAttribution: AttributionKeys = {
  tenant: [attributionKeys.tenant],
  service: [attributionKeys.service],
  environment: [attributionKeys.environment, "deployment.environment"],
  feature: [attributionKeys.feature],
  user: [attributionKeys.user, "enduser.id"],
  session: [attributionKeys.session, attributionKeys.conversation],
  agent: [attributionKeys.agent],
  run: [attributionKeys.run],
  promptName: [attributionKeys.promptName],
  promptVersion: [attributionKeys.promptVersion],
  release: [attributionKeys.release],
};

/** The common keys, then a dialect's own where nobody set a common one on the span. */
export function alsoFrom(own: Partial<AttributionKeys>): AttributionKeys {
  const dimensions = Object.keys(commonAttribution) as (keyof Attribution)[];
  const both = dimensions.map((name) => [name, [...commonAttribution[name], ...(own[name] ?? [])]] as const);
  return Object.fromEntries(both) as unknown as AttributionKeys;
}

/** The span's word comes before its resource's, which is the default for all spans of a process. */
export function attributionOf({ attributes, resource }: Span, keys: AttributionKeys): Attribution {
  return {
    tenant: either(attributes, resource, keys.tenant) || "default",
    service: either(attributes, resource, keys.service),
    environment: either(attributes, resource, keys.environment),
    feature: either(attributes, resource, keys.feature),
    user: either(attributes, resource, keys.user),
    session: either(attributes, resource, keys.session),
    agent: either(attributes, resource, keys.agent),
    run: either(attributes, resource, keys.run),
    promptName: either(attributes, resource, keys.promptName),
    promptVersion: either(attributes, resource, keys.promptVersion),
    release: either(attributes, resource, keys.release),
  };
}

function either(attributes: Attributes, resource: Attributes, keys: readonly string[]): string {
  const [only = ""] = keys;
  if (keys.length === 1) return text(attributes[only]) || text(resource[only]);
  return textOf(attributes, keys) || textOf(resource, keys);
}
