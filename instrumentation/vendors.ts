/**
 * Datadog's and Sentry's tracers, read through the objects that they hang on the process: neither registers itself with
 * OpenTelemetry's API. Tried with dd-trace 6 and Sentry 11; of other versions that look different nothing is read.
 */

import { createRequire } from "node:module";
import type { SpanIds } from "./ambient.ts";

/** The active span of one of them. */
export interface VendorSpan {
  readonly ids: SpanIds;
  readonly key: object;
}

interface Datadog {
  scope?(): { active?(): DatadogSpan | null };
}
interface DatadogSpan {
  context?(): { toTraceId(hex: boolean): string; toSpanId(hex: boolean): string; toTraceparent?(): string };
}
interface DatadogStorage {
  storage?(name: string): { run(store: object, work: () => void): void };
}
interface SentryScope {
  readonly refs?: { readonly span?: SentrySpan | { deref?(): SentrySpan | undefined } };
  setSDKProcessingMetadata?(metadata: object): void;
}
interface SentrySpan {
  spanContext?(): SpanIds;
}
interface Sentry {
  getCurrentScope?(): SentryScope;
  withIsolationScope?(work: () => void): void;
}

const globals = globalThis as unknown as {
  readonly _ddtrace?: Datadog;
  readonly __SENTRY__?: { readonly version?: string } & Readonly<Record<string, unknown>>;
};
const traceIdPattern = /^(?!0+$)[0-9a-f]{32}$/;
const spanIdPattern = /^[0-9a-f]{16}$/;

/** Names of the tracers that are present, for the start line. */
export function vendorsPresent(): readonly string[] {
  const names: string[] = [];
  if (globals._ddtrace !== undefined) names.push("Datadog");
  if (sentry() !== undefined) names.push("Sentry");
  return names;
}

/** The active span of Sentry, else of Datadog, else null. May throw what they throw. */
export function activeVendorSpan(): VendorSpan | null {
  return sentrySpan() ?? datadogSpan();
}

function sentry(): Sentry | undefined {
  const carriers = globals.__SENTRY__;
  const carrier = carriers?.[carriers.version ?? ""] as { readonly acs?: Sentry } | undefined;
  return carrier?.acs;
}

function sentrySpan(): VendorSpan | null {
  const held = sentry()?.getCurrentScope?.().refs?.span;
  const span = held !== undefined && "deref" in held ? held.deref?.() : (held as SentrySpan | undefined);
  const ids = span?.spanContext?.();
  return span === undefined ? null : vendorSpan(span, ids?.traceId, ids?.spanId, ids?.traceFlags ?? 0);
}

function datadogSpan(): VendorSpan | null {
  const span = globals._ddtrace?.scope?.().active?.();
  const context = span?.context?.();
  if (span === undefined || span === null || context === undefined) return null;
  return vendorSpan(span, context.toTraceId(true), context.toSpanId(true), 1);
}

function vendorSpan(
  key: object,
  traceId: string | undefined,
  spanId: string | undefined,
  traceFlags: number,
): VendorSpan | null {
  if (traceId === undefined || spanId === undefined) return null;
  if (!traceIdPattern.test(traceId) || !spanIdPattern.test(spanId)) return null;
  return { ids: { traceId, spanId, traceFlags }, key };
}

/** Runs `work`, whose requests neither of them shall trace: what this package sends is no business of the application. */
export function untraced(work: () => void): void {
  untracedBySentry(() => untracedByDatadog(work));
}

/** Sentry's own `suppressTracing` in a scope of its own, so that its breadcrumbs end there too. */
function untracedBySentry(work: () => void): void {
  const present = sentry();
  if (present?.withIsolationScope === undefined) {
    work();
    return;
  }
  present.withIsolationScope(() => {
    present.getCurrentScope?.().setSDKProcessingMetadata?.({ __SENTRY_SUPPRESS_TRACING__: true });
    work();
  });
}

/** The way Datadog's own exporters take: a store that says `noop`. It is found among the loaded modules. */
function untracedByDatadog(work: () => void): void {
  const storage = globals._ddtrace === undefined ? undefined : datadogStorage();
  if (storage === undefined) work();
  else storage.run({ noop: true }, work);
}

const datadogModule = /[\\/]dd-trace[\\/]packages[\\/]datadog-core[\\/]index\.js$/;

function datadogStorage(): { run(store: object, work: () => void): void } | undefined {
  const { cache } = createRequire(`${process.cwd()}/`);
  const path = Object.keys(cache).find((name) => datadogModule.test(name));
  const exported = path === undefined ? undefined : (cache[path]?.exports as DatadogStorage | undefined);
  return exported?.storage?.("legacy");
}
