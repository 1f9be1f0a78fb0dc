/** The only reader of the environment. Every setting has a default; nothing here throws. */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Settings {
  /** False under `OTEL_SDK_DISABLED=true`: then nothing is patched and nothing is sent. */
  readonly enabled: boolean;
  /** `OTEL_SERVICE_NAME`, else `service.name` of `OTEL_RESOURCE_ATTRIBUTES`, else the name in ./package.json. */
  readonly serviceName: string;
  /** Where spans go, for the start line; the exporter reads the same variables. */
  readonly endpoint: string;
  /** Key of all hashes. Without `BURNWATCH_HASH_KEY` random per process: hashes then compare within it only. */
  readonly hashKey: string | Buffer;
  /** `BURNWATCH_BAGGAGE_HOSTS`: names, `*.suffix`, addresses, CIDR blocks that attribution is sent to and taken from. */
  readonly baggageHosts: readonly string[];
  /** `BURNWATCH_PROVIDERS`: `host=provider` pairs for gateways and own servers. */
  readonly providers: ReadonlyMap<string, string>;
  /** `BURNWATCH_LOG=off` silences the start line and the warnings. */
  readonly quiet: boolean;
  /** `BURNWATCH_NODE_SDK=on` also starts `@opentelemetry/sdk-node` as the application's own SDK, if it has none. */
  readonly startsNodeSdk: boolean;
  /** Milliseconds that the flush at exit may take: `BURNWATCH_EXIT_FLUSH_MS`, 2,000 by default. */
  readonly exitFlushMs: number;
  /** `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_EXPORTER_OTLP_TRACES_HEADERS`, for the sending at `process.exit()`. */
  readonly exportHeaders: Readonly<Record<string, string>>;
  /** `OTEL_RESOURCE_ATTRIBUTES`, for the same. */
  readonly resourceAttributes: Readonly<Record<string, string>>;
  /** Milliseconds of one export: `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT`, `OTEL_EXPORTER_OTLP_TIMEOUT`, else 2,000. */
  readonly exportTimeoutMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings out of environment variables, `directory` for the service's own package.json. */
export function readSettings(environment: Environment, directory: string): Settings {
  const value = (name: string) => environment[name]?.trim() || undefined;
  const hashKey = value("BURNWATCH_HASH_KEY");
  const resourceAttributes = pairs(value("OTEL_RESOURCE_ATTRIBUTES"));
  const base = value("OTEL_EXPORTER_OTLP_ENDPOINT")?.replace(/\/+$/, "");
  return {
    enabled: value("OTEL_SDK_DISABLED")?.toLowerCase() !== "true",
    serviceName: value("OTEL_SERVICE_NAME") ?? resourceAttributes["service.name"] ?? packageName(directory),
    endpoint: value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") ?? `${base ?? "http://localhost:4318"}/v1/traces`,
    hashKey: hashKey ?? randomBytes(32),
    baggageHosts: list(value("BURNWATCH_BAGGAGE_HOSTS")),
    providers: new Map(list(value("BURNWATCH_PROVIDERS")).flatMap(pair)),
    quiet: value("BURNWATCH_LOG") === "off",
    startsNodeSdk: value("BURNWATCH_NODE_SDK") === "on",
    exportHeaders: {
      ...pairs(value("OTEL_EXPORTER_OTLP_HEADERS")),
      ...pairs(value("OTEL_EXPORTER_OTLP_TRACES_HEADERS")),
    },
    resourceAttributes,
    exitFlushMs: milliseconds(value("BURNWATCH_EXIT_FLUSH_MS")) ?? 2000,
    exportTimeoutMs:
      milliseconds(value("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")) ??
      milliseconds(value("OTEL_EXPORTER_OTLP_TIMEOUT")) ??
      2000,
  };
}

function list(text: string | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== "");
}

function pair(text: string): [string, string][] {
  const [host, provider] = text.split("=");
  return host && provider ? [[host, provider]] : [];
}

function milliseconds(text: string | undefined): number | undefined {
  const number = Number(text);
  return text !== undefined && Number.isFinite(number) && number >= 0 ? number : undefined;
}

/** `key=value` pairs with percent escapes, as OpenTelemetry's variables hold them. Broken ones are left out. */
function pairs(text: string | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  for (const item of (text ?? "").split(",")) {
    const at = item.indexOf("=");
    if (at < 1) continue;
    try {
      found[item.slice(0, at).trim()] = decodeURIComponent(item.slice(at + 1).trim());
    } catch {
      // A broken escape voids its own pair only.
    }
  }
  return found;
}

function packageName(directory: string): string {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
    const name = (parsed as { name?: unknown }).name;
    return typeof name === "string" && name !== "" ? name : "unknown_service:node";
  } catch {
    return "unknown_service:node";
  }
}
