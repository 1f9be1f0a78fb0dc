/** The server's HTTP API as commands use it: JSON checked at the door, time limits, errors in words. */

import { z } from "zod";

/** Where a server listens unless told otherwise. */
export const defaultApiUrl = "http://127.0.0.1:4319";

const timeoutMsDefault = 30_000;

/** An expected failure of a request: one line, and what to do where that is known. */
export class ApiError extends Error {
  readonly hint: string | undefined;
  /** HTTP status; undefined where nobody answered. */
  readonly status: number | undefined;

  constructor(
    message: string,
    options: { readonly hint?: string | undefined; readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ApiError";
    this.hint = options.hint;
    this.status = options.status;
  }
}

export interface ApiRequest {
  readonly method?: "GET" | "POST";
  /** From `/api/v1/`. */
  readonly path: string;
  /** Parameters; a list repeats its key, undefined is left out. */
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Until the answer begins; `"none"` for one that waits for events. */
  readonly timeoutMs?: number | "none";
}

export interface ApiClient {
  readonly url: string;
  /** The answer's JSON, of the schema's type. */
  json<T>(request: ApiRequest, schema: z.ZodType<T>): Promise<T>;
  /** As `json`, with the headers. */
  answer<T>(request: ApiRequest, schema: z.ZodType<T>): Promise<{ readonly value: T; readonly headers: Headers }>;
  /** The answer as it is, once its status is known to be good. */
  raw(request: ApiRequest): Promise<Response>;
}

export interface ApiClientOptions {
  /** Of `--api`. */
  readonly api?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

/** A client of the server named by `--api`, BURNWATCH_URL or the default; BURNWATCH_TOKEN goes along as a bearer token. */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const url = baseUrl(options.api ?? options.env["BURNWATCH_URL"] ?? defaultApiUrl);
  const token = options.env["BURNWATCH_TOKEN"];
  async function raw(request: ApiRequest): Promise<Response> {
    const { timeoutMs = timeoutMsDefault } = request;
    const waiting = new AbortController();
    const timer = timeoutMs === "none" ? undefined : setTimeout(() => waiting.abort("timeout"), timeoutMs);
    try {
      const response = await fetch(requestUrl(url, request), {
        method: request.method ?? "GET",
        headers: {
          ...(request.body === undefined ? {} : { "content-type": "application/json" }),
          ...(token === undefined || token === "" ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        signal: AbortSignal.any([waiting.signal, ...(options.signal === undefined ? [] : [options.signal])]),
      });
      if (!response.ok) throw await refusal(url, response);
      return response;
    } catch (error) {
      if (error instanceof ApiError) throw error;
      if (options.signal?.aborted === true) throw new ApiError("interrupted", { cause: error });
      if (waiting.signal.aborted)
        throw new ApiError(`${url} did not answer within ${Number(timeoutMs) / 1000} s`, { cause: error });
      throw connectionError(url, error);
    } finally {
      clearTimeout(timer);
    }
  }
  async function answer<T>(request: ApiRequest, schema: z.ZodType<T>) {
    const response = await raw(request);
    return { value: await readJson(url, { request, response, schema }), headers: response.headers };
  }
  return { url, raw, answer, json: async (request, schema) => (await answer(request, schema)).value };
}

function baseUrl(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new ApiError(`"${text}" is no URL of a server`, { hint: `it should look like ${defaultApiUrl}` });
  }
  return text.replace(/\/+$/, "");
}

function requestUrl(base: string, request: ApiRequest): URL {
  const url = new URL(`${base}/api/v1/${request.path}`);
  for (const [key, value] of Object.entries(request.query ?? {})) {
    for (const each of Array.isArray(value) ? value : [value])
      if (each !== undefined) url.searchParams.append(key, each);
  }
  return url;
}

const errorBodySchema = z.object({ error: z.object({ message: z.string(), hint: z.string().nullish() }) });

async function refusal(url: string, response: Response): Promise<ApiError> {
  const { status } = response;
  const text = await response.text().catch(() => "");
  const body = errorBodySchema.safeParse(parseJson(text));
  if (body.success) return new ApiError(body.data.error.message, { hint: body.data.error.hint ?? undefined, status });
  if (status === 401 || status === 403) {
    return new ApiError(`${url} wants a token it knows (HTTP ${status})`, { hint: "set BURNWATCH_TOKEN", status });
  }
  return new ApiError(`${url} answers HTTP ${status}: ${text.slice(0, 200).trim() || response.statusText}`, { status });
}

async function readJson<T>(
  url: string,
  answer: { readonly request: ApiRequest; readonly response: Response; readonly schema: z.ZodType<T> },
): Promise<T> {
  let text: string;
  try {
    text = await answer.response.text();
  } catch (error) {
    throw connectionError(url, error);
  }
  const parsed = answer.schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? "the body" : issue.path.join(".");
  throw new ApiError(
    `${url} answers ${answer.request.path} with something else than expected: ${where}: ${issue?.message}`,
    {
      hint: "is it a Burnwatch of this version?",
    },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // No schema accepts it: the caller says what is wrong, with the address.
  }
}

function connectionError(url: string, error: unknown): ApiError {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const reason =
    code === "ECONNREFUSED" ? "connection refused" : cause instanceof Error ? cause.message || code : String(error);
  return new ApiError(
    `no Burnwatch at ${url} (${reason}): start one with "npm start", or name it with --api or BURNWATCH_URL`,
    { cause: error },
  );
}
