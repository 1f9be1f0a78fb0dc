/** Reads a request of the ClickHouse HTTP protocol: query, parameters, settings, credentials and format. */

import type { IncomingMessage } from "node:http";
import { ClickhouseError } from "./clickhouse-error.ts";
import { contentCodingOf, inflateBody, supportedCodings } from "./inflate-body.ts";
import { readBody } from "./otlp-body.ts";
import type { InFlightBytes } from "./otlp-in-flight.ts";

export interface ClickhouseRequest {
  readonly sql: string;
  /** The body as it is, where the URL has an INSERT that leaves the rows to it; empty otherwise. */
  readonly rows: Buffer;
  readonly format: string;
  readonly database: string;
  readonly queryId: string | undefined;
  readonly parameters: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, string>;
}

export interface RequestLimits {
  readonly bodyBytesMax: number;
  readonly deadlineMs: number;
  /** Shared by all requests. */
  readonly inFlight: InFlightBytes;
}

/** Of the query string, these are no settings. */
const ownParameters: ReadonlySet<string> = new Set([
  "query",
  "database",
  "default_format",
  "query_id",
  "user",
  "password",
]);

const insertOfRows = /^\s*INSERT\b.*\bFORMAT\s+\w+\s*;?\s*$/is;

/**
 * Reads the whole request.
 * @throws ClickhouseError when it is too large, cannot be decoded, or its user is not known.
 */
export async function readClickhouseRequest(
  request: IncomingMessage,
  url: URL,
  limits: RequestLimits,
): Promise<ClickhouseRequest> {
  checkUser(request, url.searchParams);
  const body = await readWholeBody(request, limits);
  const fields = new URLSearchParams(url.searchParams);
  const multipart = /^multipart\/form-data\b/i.test(request.headers["content-type"] ?? "");
  if (multipart) await takeFields(body, request.headers["content-type"] ?? "", fields);
  const query = fields.get("query") ?? "";
  const isRows = insertOfRows.test(query);
  const text = multipart || isRows ? "" : decodeUtf8(body);
  const parameters = new Map<string, string>();
  const settings = new Map<string, string>();
  for (const [name, value] of fields) {
    if (name.startsWith("param_")) parameters.set(name.slice("param_".length), value);
    else if (!ownParameters.has(name)) settings.set(name, value);
  }
  return {
    // As a server does: a line feed stands between the two, so that a word cannot be cut in half.
    sql: query === "" || text === "" ? query + text : `${query}\n${text}`,
    rows: isRows ? body : Buffer.alloc(0),
    format: header(request, "x-clickhouse-format") ?? fields.get("default_format") ?? "TabSeparated",
    database: header(request, "x-clickhouse-database") ?? fields.get("database") ?? "",
    queryId: fields.get("query_id") ?? undefined,
    parameters,
    settings,
  };
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** There is one user, `default`, without a password: whoever reaches loopback may read. */
function checkUser(request: IncomingMessage, fields: URLSearchParams): void {
  const basic = /^Basic\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  const [basicUser = "", ...basicPassword] = Buffer.from(basic ?? "", "base64")
    .toString("utf8")
    .split(":");
  const user = header(request, "x-clickhouse-user") ?? fields.get("user") ?? basicUser;
  const password = header(request, "x-clickhouse-key") ?? fields.get("password") ?? basicPassword.join(":");
  const otherScheme = request.headers.authorization !== undefined && basic === undefined;
  if ((user === "" || user === "default") && password === "" && !otherScheme) return;
  throw new ClickhouseError(
    "AUTHENTICATION_FAILED",
    `${user.slice(0, 100) || "default"}: Authentication failed: password is incorrect, or there is no user with such name; the user is default, without a password`,
  );
}

async function readWholeBody(request: IncomingMessage, limits: RequestLimits): Promise<Buffer> {
  const encoding = request.headers["content-encoding"];
  const coding = contentCodingOf(encoding);
  if (coding === undefined)
    throw new ClickhouseError(
      "UNKNOWN_COMPRESSION_METHOD",
      `Unknown Content-Encoding ${encoding?.slice(0, 50)}; ${supportedCodings} are taken`,
      { status: 415 },
    );
  const lease = limits.inFlight.lease();
  try {
    const bounds = { bytesMax: limits.bodyBytesMax, deadlineMs: limits.deadlineMs, lease };
    const raw = await readBody(request, bounds);
    const read = raw.kind === "body" && raw.bytes.length > 0 ? await inflateBody(raw.bytes, coding, bounds) : raw;
    if (read.kind === "body") return read.bytes;
    if (read.kind === "gone") throw new ClickhouseError("ABORTED", "the client went away");
    const kind = read.status === 429 ? "TOO_MANY_SIMULTANEOUS_QUERIES" : "BAD_ARGUMENTS";
    throw new ClickhouseError(kind, read.message, { status: read.status });
  } finally {
    lease.release();
  }
}

/** The fields of a form join those of the URL; a file would be a table, which nothing here can hold. */
async function takeFields(body: Buffer, contentType: string, fields: URLSearchParams): Promise<void> {
  let form: FormData;
  try {
    form = await new Response(Uint8Array.from(body), { headers: { "content-type": contentType } }).formData();
  } catch (cause) {
    throw new ClickhouseError("BAD_ARGUMENTS", "the form cannot be read", { cause });
  }
  for (const [name, value] of form) {
    if (typeof value !== "string")
      throw new ClickhouseError("NOT_IMPLEMENTED", `External data (${name.slice(0, 100)}) is not taken`);
    fields.append(name, value);
  }
}

function decodeUtf8(body: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch (cause) {
    throw new ClickhouseError("BAD_ARGUMENTS", "The body is not UTF-8: only text formats are taken", { cause });
  }
}
