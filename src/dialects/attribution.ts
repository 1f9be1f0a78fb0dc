/** Who and what a span was for, from its own attributes first and its resource second. */

import { attributionKeys } from "../../instrumentation/protocol.ts";
import type { Attributes, Span } from "../model/span.ts";
import type { Attribution } from "../model/usage-record.ts";
import { textOf } from "./attributes.ts";

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
  const other = ofResource(resource, keys);
  return {
    tenant: textOf(attributes, keys.tenant) || other.tenant || "default",
    service: textOf(attributes, keys.service) || other.service,
    environment: textOf(attributes, keys.environment) || other.environment,
    feature: textOf(attributes, keys.feature) || other.feature,
    user: textOf(attributes, keys.user) || other.user,
    session: textOf(attributes, keys.session) || other.session,
    agent: textOf(attributes, keys.agent) || other.agent,
    run: textOf(attributes, keys.run) || other.run,
    promptName: textOf(attributes, keys.promptName) || other.promptName,
    promptVersion: textOf(attributes, keys.promptVersion) || other.promptVersion,
    release: textOf(attributes, keys.release) || other.release,
  };
}

/** Spans of one resource stand together and share one object, and those of one dialect share its keys: read once. */
let known: { readonly resource: Attributes; readonly keys: AttributionKeys; readonly attribution: Attribution } | null =
  null;

function ofResource(resource: Attributes, keys: AttributionKeys): Attribution {
  if (known !== null && known.resource === resource && known.keys === keys) return known.attribution;
  const texts = Object.entries(keys).map(([dimension, list]) => [dimension, textOf(resource, list)]);
  const attribution = Object.fromEntries(texts) as unknown as Attribution;
  known = { resource, keys, attribution };
  return attribution;
}
