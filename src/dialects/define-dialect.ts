/** A dialect from what is particular to it: scopes, keys, operation, level. */

import type { Attributes, Span } from "../model/span.ts";
import type { Operation } from "../model/usage-record.ts";
import { commonKeys } from "./attributes.ts";
import type { Dialect, DialectExample, Level } from "./dialect.ts";
import { type EmitterFacts, emitterLevel, emitterOf } from "./emitters.ts";
import { flags } from "./flags.ts";
import { readSpan } from "./read-span.ts";
import { allKeys, type ReadingKeys } from "./reading-keys.ts";
import type { CacheConvention } from "./token-algebra.ts";
import { tokenReader } from "./token-reader.ts";

export interface DialectDefinition {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly keys: ReadingKeys;
  /** Keys that only decide: operation, kind of span. */
  readonly decidingKeys: readonly string[];
  readonly keyPrefixes: readonly string[];
  readonly jsonKeys?: readonly string[];
  readonly signature: readonly string[];
  /** The operation, `unknown` where the span reports tokens under a name nobody knows, undefined where it is not kept. */
  readonly operationOf: (attributes: Attributes, span: Span) => Operation | "unknown" | undefined;
  /** Asked of model operations only, where the table of emitters does not know; agents and their like are wrappers. */
  readonly levelOf: (attributes: Attributes, emitter: EmitterFacts) => Level;
  /** Whether input includes cached tokens, where the dialect has a rule; the table of emitters comes first. */
  readonly cacheInput?: (provider: string, attributes: Attributes) => CacheConvention;
  /** Where tokens that are no text are counted; by default within input and output, as OpenTelemetry has them. */
  readonly modalities?: "within" | "beside";
  /** The provider where none of its keys names it. */
  readonly otherProvider?: (attributes: Attributes) => string;
  readonly examples: readonly DialectExample[];
}

const noFlags: readonly string[] = [];
/** They repeat no call, whatever they stand around. */
const unbilled: ReadonlySet<string> = new Set(["execute_tool", "retrieval"]);
const aggregated: readonly string[] = [flags.usageAggregated];
const unknownOperation: readonly string[] = [flags.operationUnknown];

/** The dialect of a definition. */
export function defineDialect(definition: DialectDefinition): Dialect {
  const { name, keys, keyPrefixes, operationOf, levelOf } = definition;
  const level = (operation: Operation | "unknown", attributes: Attributes, emitter: EmitterFacts): Level => {
    if (unbilled.has(operation)) return "provider";
    if (operation === "invoke_agent" || operation === "unknown") return "wrapper";
    return emitterLevel(emitter) ?? levelOf(attributes, emitter);
  };
  const jsonKeys = definition.jsonKeys ?? [];
  const readKeys = allKeys(keys);
  const cacheInput = definition.cacheInput ?? (() => "unknown" as const);
  const tokensOf = tokenReader(keys.tokens, keyPrefixes, [
    ...commonKeys,
    ...readKeys,
    ...definition.decidingKeys,
    ...definition.signature,
  ]);
  return {
    name,
    scopes: definition.scopes,
    keys: [...commonKeys, ...readKeys, ...definition.decidingKeys, ...definition.signature],
    keyPrefixes,
    jsonKeys,
    signature: definition.signature,
    keeps: (span) => operationOf(span.attributes, span) !== undefined,
    read: (span) => {
      const { attributes } = span;
      const found = operationOf(attributes, span);
      if (found === undefined) return null;
      const emitter = emitterOf(span.scope);
      return readSpan(span, keys, {
        dialect: name,
        operation: found === "unknown" ? "chat" : found,
        level: level(found, attributes, emitter),
        emitter,
        cacheInput: (provider) => cacheInput(provider, attributes),
        tokensOf,
        jsonKeys,
        modalities: definition.modalities ?? "within",
        otherProvider: definition.otherProvider?.(attributes) ?? "",
        flags: found === "invoke_agent" ? aggregated : found === "unknown" ? unknownOperation : noFlags,
      });
    },
    examples: definition.examples,
  };
}

/** True when one of the keys is there. */
export function hasAny(attributes: Attributes, keys: readonly string[]): boolean {
  for (const key of keys) if (attributes[key] !== undefined) return true;
  return false;
}
