/** The routes of the API with their documentation: one list, from which requests are served and OpenAPI is written. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { RequestError, readJson, sendError } from "./answer.ts";

export interface Route {
  readonly method: "GET" | "POST";
  /** With `{name}` for one path segment. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  readonly serve: (call: Call) => Promise<void>;
}

export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly segments: Readonly<Record<string, string>>;
  /** Parsed by the route's `query`; repeated names arrive as arrays. */
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
}

const loopbackNames: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Serves the routes; anything else is answered with what exists. Never throws. */
export function createRouter(routes: readonly Route[]) {
  return async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      checkHost(request);
      const url = new URL(request.url ?? "/", "http://localhost");
      const { route: found, segments } = match(routes, request.method ?? "GET", url.pathname);
      const query = parsed(found.query, queryObject(url.searchParams), "query");
      const body = found.body === undefined ? {} : parsed(found.body, await readJson(request), "body");
      await found.serve({ request, response, segments, query, body });
    } catch (error) {
      sendError(response, error);
    }
  };
}

/** The OpenAPI 3.1 document of the routes. */
export function openApi(routes: readonly Route[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, summary, query, body } of routes) {
    const segmentNames = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
    paths[path] = {
      ...paths[path],
      [method.toLowerCase()]: {
        summary,
        parameters: [
          ...segmentNames.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
          ...Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
            name,
            in: "query",
            required: !(schema as z.ZodType).safeParse(undefined).success,
            schema: z.toJSONSchema(schema as z.ZodType, { io: "input", unrepresentable: "any" }),
          })),
        ],
        ...(body === undefined
          ? {}
          : {
              requestBody: {
                required: true,
                content: {
                  "application/json": { schema: z.toJSONSchema(body, { io: "input", unrepresentable: "any" }) },
                },
              },
            }),
        responses: { 200: { description: "OK" }, default: { description: "an error: {error: {message, hint}}" } },
      },
    };
  }
  return { openapi: "3.1.0", info: { title: "Burnwatch API", version }, paths };
}

/** A page of the open web must not reach this server by a name of its own that resolves to loopback. */
function checkHost(request: IncomingMessage): void {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  if (!loopbackNames.has(host)) throw new RequestError(403, `host ${host}`, "call it as 127.0.0.1 or localhost");
}

function match(routes: readonly Route[], method: string, path: string) {
  const methods: string[] = [];
  for (const route of routes) {
    const segments = matchPath(route.path, path);
    if (segments === null) continue;
    if (route.method === method) return { route, segments };
    methods.push(route.method);
  }
  if (methods.length > 0) throw new RequestError(405, `${method} ${path}`, `use ${methods.join(" or ")}`);
  throw new RequestError(404, `no such page: ${path}`, "see /api/v1/openapi.json");
}

function matchPath(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return null;
  const segments: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? "";
    if (part.startsWith("{")) segments[part.slice(1, -1)] = decodeSegment(value);
    else if (part !== value) return null;
  }
  return segments;
}

function decodeSegment(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new RequestError(400, `path segment ${value} is not percent-encoded UTF-8`);
  }
}

function queryObject(parameters: URLSearchParams): Record<string, string | string[]> {
  const names = [...new Set(parameters.keys())];
  return Object.fromEntries(
    names.map((name) => {
      const values = parameters.getAll(name);
      return [name, values.length === 1 ? (values[0] ?? "") : values];
    }),
  );
}

function parsed(schema: z.ZodObject | undefined, value: unknown, part: string): Record<string, unknown> {
  if (schema === undefined) return {};
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => `${[part, ...issue.path].join(".")}: ${issue.message}`);
  throw new RequestError(400, issues.join("; "), "see /api/v1/openapi.json");
}
