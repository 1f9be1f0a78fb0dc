/**
 * Completeness seen from the side: tokens that producers' own metrics count, beside the tokens their spans brought. Where
 * metrics say more, spans were sampled or lost. Judged per service, its instances apart where both name them, and type of
 * token, not per model: metrics and spans of one call may name provider and model differently.
 */

import type { Store } from "../../store/store.ts";

/** How far back is compared. */
const windowMs = 3_600_000;
/** Claims are judged this long after their time: spans come by other batches. */
const delayMs = 120_000;
/** Metrics that say more by a larger share of their claim, and by more tokens than the second, are a finding. */
export const excessShareMin = 0.02;
const excessTokensMin = 1000;

export interface ModelTokens {
  readonly provider: string;
  readonly model: string;
  readonly claimed_tokens: number;
  readonly span_tokens: number;
}

/** One type of token of a service, or of one of its instances. */
export interface TokenComparison {
  readonly service: string;
  /** Null where the instances are compared together: some span of the service is of none that sends metrics. */
  readonly instance: string | null;
  readonly token_type: "input" | "output";
  /** RFC 3339: what is compared came after `since`, up to `until`. */
  readonly since: string;
  readonly until: string;
  readonly claimed_tokens: number;
  readonly claimed_calls: number;
  readonly span_tokens: number;
  readonly span_calls: number;
  /** What metrics say more, as a share of what spans say; negative where they say less, null where spans say nothing. */
  readonly excess: number | null;
  /** True where it is too much for chance. */
  readonly spans_missing: boolean;
  readonly models: readonly ModelTokens[];
}

interface ClaimRow {
  readonly service: string;
  readonly instance: string;
  readonly token_type: string;
  readonly provider: string;
  readonly model: string;
  readonly tokens: string;
  readonly calls: string;
  readonly since_us: string;
  readonly until_us: string;
}

interface SpanRow {
  readonly service: string;
  /** "" beside `known` 0: not one that sends metrics. */
  readonly instance: string;
  readonly known: number | string;
  readonly provider: string;
  readonly model: string;
  readonly input_tokens: string;
  readonly output_tokens: string;
  readonly calls: string;
}

/** Rows of an answer: some thousand instances with a few models each. Beyond, the smallest are left out. */
const rowsMax = 20_000;
const claimsInTime =
  "c.ts > fromUnixTimestamp64Micro({from:Int64}) AND c.ts <= fromUnixTimestamp64Micro({to:Int64}) AND c.from_ts < c.ts";

/** Several scopes that count one model are taken to count the same calls: the largest claim of an instance stands. */
const claimsSql = `SELECT service, instance, token_type, provider, model, max(tokens) AS tokens, max(calls) AS calls,
  min(since_us) AS since_us, max(until_us) AS until_us
FROM (
  SELECT c.service AS service, c.instance AS instance, c.token_type AS token_type, c.provider AS provider,
    c.model AS model, c.scope AS scope, sum(c.tokens) AS tokens, sum(c.calls) AS calls,
    toUnixTimestamp64Micro(min(c.from_ts)) AS since_us, toUnixTimestamp64Micro(max(c.ts)) AS until_us
  FROM token_claims AS c FINAL
  WHERE ${claimsInTime} AND c.token_type IN ('input', 'output')
  GROUP BY c.service, c.instance, c.token_type, c.provider, c.model, c.scope
)
GROUP BY service, instance, token_type, provider, model
ORDER BY tokens DESC, service, instance, token_type, provider, model
LIMIT ${rowsMax}`;

/**
 * A call counts where it ended, which is when its producer's metric counted it: within the time of its instance's claims
 * where that sends any, else of its service's.
 */
const spansSql = `SELECT u.service AS service, if(i.known = 1, u.instance, '') AS instance, i.known AS known,
  u.provider AS provider, u.model AS model,
  sum(u.input_tokens) AS input_tokens, sum(u.output_tokens) AS output_tokens, sum(u.calls) AS calls
FROM usage AS u
INNER JOIN (
  SELECT c.service AS service, min(c.from_ts) AS since, max(c.ts) AS until
  FROM token_claims AS c FINAL WHERE ${claimsInTime} GROUP BY c.service
) AS s ON u.service = s.service
LEFT JOIN (
  SELECT c.service AS service, c.instance AS instance, 1 AS known, min(c.from_ts) AS since, max(c.ts) AS until
  FROM token_claims AS c FINAL WHERE ${claimsInTime} GROUP BY c.service, c.instance
) AS i ON u.service = i.service AND u.instance = i.instance
WHERE u.ts > fromUnixTimestamp64Micro({earliest:Int64})
  AND u.ts + toIntervalMicrosecond(u.duration_us) > if(i.known = 1, i.since, s.since)
  AND u.ts + toIntervalMicrosecond(u.duration_us) <= if(i.known = 1, i.until, s.until)
GROUP BY u.service, if(i.known = 1, u.instance, ''), i.known, u.provider, u.model
ORDER BY calls DESC
LIMIT ${rowsMax}`;

/** Compares the last hour, less the last two minutes, of every service that sends the metric. */
export async function compareTokens(store: Pick<Store, "query">, nowMs: number): Promise<readonly TokenComparison[]> {
  const params = { from: (nowMs - windowMs - delayMs) * 1000, to: (nowMs - delayMs) * 1000 };
  const claims = await store.query<ClaimRow>(claimsSql, { params });
  if (claims.length === 0) return [];
  const earliest = Math.min(...claims.map((claim) => Number(claim.since_us))) - windowMs * 1000;
  const spans = await store.query<SpanRow>(spansSql, { params: { ...params, earliest } });
  // Where one of a service's spans is of no instance that sends metrics, any instance's calls may be among them.
  const together = new Set(spans.filter(({ known }) => Number(known) === 0).map(({ service }) => service));
  const groups = Map.groupBy(claims, ({ service, instance, token_type }) =>
    JSON.stringify([service, token_type, together.has(service) ? null : instance]),
  );
  const byName = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return byName.map(([, group]) => {
    const [{ service, instance }] = group as [ClaimRow];
    const apart = together.has(service) ? null : instance;
    const own = spans.filter((span) => span.service === service && (apart === null || span.instance === apart));
    return compare(group, { instance: apart, spans: own });
  });
}

interface OwnSpans {
  readonly instance: string | null;
  readonly spans: readonly SpanRow[];
}

function compare(claims: readonly ClaimRow[], { instance, spans }: OwnSpans): TokenComparison {
  const service = claims[0]?.service ?? "";
  const tokenType = claims[0]?.token_type === "output" ? "output" : "input";
  const tokensOf = (span: SpanRow) => Number(span[`${tokenType}_tokens`]);
  const claimed = sum(claims.map(({ tokens }) => Number(tokens)));
  const said = sum(spans.map(tokensOf));
  const more = claimed - said;
  return {
    service,
    instance,
    token_type: tokenType,
    since: rfc3339(Math.min(...claims.map((claim) => Number(claim.since_us)))),
    until: rfc3339(Math.max(...claims.map((claim) => Number(claim.until_us)))),
    claimed_tokens: claimed,
    claimed_calls: sum(claims.map(({ calls }) => Number(calls))),
    span_tokens: said,
    span_calls: sum(spans.map(({ calls }) => Number(calls))),
    excess: said === 0 ? null : more / said,
    spans_missing: more > excessTokensMin && more > claimed * excessShareMin,
    models: modelsOf(claims, spans, tokensOf),
  };
}

function modelsOf(
  claims: readonly ClaimRow[],
  spans: readonly SpanRow[],
  tokensOf: (span: SpanRow) => number,
): readonly ModelTokens[] {
  const models = new Map<string, { provider: string; model: string; claimed_tokens: number; span_tokens: number }>();
  const entry = ({ provider, model }: { readonly provider: string; readonly model: string }) => {
    const key = JSON.stringify([provider, model]);
    const known = models.get(key) ?? { provider, model, claimed_tokens: 0, span_tokens: 0 };
    models.set(key, known);
    return known;
  };
  for (const claim of claims) entry(claim).claimed_tokens += Number(claim.tokens);
  for (const span of spans) entry(span).span_tokens += tokensOf(span);
  return [...models.values()];
}

/** What a finding says, for people: the one with most missing tokens first; null where there is none. */
export function missingSpansText(comparisons: readonly TokenComparison[]): string | null {
  const found = comparisons.filter((comparison) => comparison.spans_missing);
  const missing = ({ claimed_tokens: claimed, span_tokens: said }: TokenComparison) => claimed - said;
  const worst = found.toSorted((a, b) => missing(b) - missing(a))[0];
  if (worst === undefined) return null;
  const { service, instance, token_type: tokenType, excess } = worst;
  const others = found.length > 1 ? ` (and ${found.length - 1} more)` : "";
  const whose =
    instance === null || instance === "" ? `service ${service}` : `service ${service}, instance ${instance}`;
  if (excess === null) return `metrics count ${tokenType} tokens of ${whose}, its spans none${others}`;
  const percent = excess < 0.1 ? (excess * 100).toFixed(1) : Math.round(excess * 100).toString();
  return `metrics say ${percent} % more ${tokenType} tokens than spans of ${whose}${others}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function rfc3339(us: number): string {
  return new Date(us / 1000).toISOString();
}
