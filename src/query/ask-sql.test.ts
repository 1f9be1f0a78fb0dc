/** The gate with the engine behind it: what people may ask runs, what they may not does not, and limits hold. */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openEmbeddedStore } from "../store/embedded.ts";
import { sampleRecords } from "../store/sample-records.ts";
import type { Store } from "../store/store.ts";
import { askSql, SqlRefusedError } from "./ask-sql.ts";
import { isRefusedFunction, isRefusedTableFunction, tableFunctions } from "./sql-names.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-sql-"));
const limits = { seconds: 10, rows: 10_000, memoryBytes: 500_000_000 };
let store: Store;

beforeAll(async () => {
  store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500, rollupRetentionMonths: 1200 });
  await store.migrate();
  const records = [...sampleRecords({ count: 2000, startMs: Date.UTC(2025, 10, 20), spanMs: 86_400_000 })];
  await store.insert({ token: "sql", records });
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

async function ask(sql: string, over: Partial<typeof limits> = {}): Promise<string> {
  const { bytes } = await askSql(store, sql, "TSV", { ...limits, ...over });
  return Buffer.from(bytes).toString();
}

describe("people may ask", () => {
  const questions = [
    "SELECT 1",
    "select count() from usage",
    "SELECT tenant, sum(cost_usd) AS cost FROM usage GROUP BY tenant ORDER BY cost DESC LIMIT 5",
    "WITH 0.1 AS share SELECT feature, sum(cost_usd) FROM usage GROUP BY feature HAVING sum(calls) > share",
    "WITH dear AS (SELECT tenant FROM usage GROUP BY tenant ORDER BY sum(cost_usd) DESC LIMIT 3) SELECT model, count() FROM usage WHERE tenant IN dear GROUP BY model",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r",
    "SELECT day, sum(cost_usd) OVER (ORDER BY day) FROM (SELECT day, sum(cost_usd) AS cost_usd FROM usage_by_day GROUP BY day)",
    "SELECT tenant, row_number() OVER (PARTITION BY feature ORDER BY ts) AS n FROM usage QUALIFY n = 1 LIMIT 5",
    "SELECT sum(calls) OVER w FROM usage WINDOW w AS (PARTITION BY tenant ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) LIMIT 5",
    "SELECT a.tenant, b.calls FROM usage AS a JOIN usage_by_hour AS b ON a.tenant = b.tenant AND a.hour = b.hour LIMIT 5",
    "SELECT * FROM usage LEFT JOIN (SELECT tenant, count() AS n FROM usage GROUP BY tenant) AS t USING (tenant) LIMIT 2",
    "SELECT a.hour, b.input_tokens FROM usage_by_hour a ASOF JOIN usage_by_hour b ON a.tenant = b.tenant AND a.hour >= b.hour LIMIT 3",
    "SELECT arrayJoin([1, 2, 3]) AS x, x * 2",
    "SELECT arrayMap(x -> x * 2, [1, 2]), arrayFilter((x, y) -> x > y, [1, 3], [2, 2])",
    "SELECT flag, count() FROM usage ARRAY JOIN flags AS flag GROUP BY flag",
    "SELECT quantiles(0.5, 0.95)(input_tokens), quantileTDigestIf(0.9)(duration_us, status = 'ok') FROM usage",
    "SELECT countIf(status = 'error') / count() AS rate, argMax(model, cost_usd), uniqExact(user) FROM usage",
    "SELECT toStartOfInterval(ts, INTERVAL 5 MINUTE) AS t, sum(output_tokens) FROM usage GROUP BY t ORDER BY t WITH FILL STEP 300 LIMIT 20",
    "SELECT tenant, feature, sum(calls) FROM usage GROUP BY tenant, feature WITH ROLLUP LIMIT 5",
    "SELECT tenant, model, sum(calls) FROM usage GROUP BY GROUPING SETS ((tenant), (model), ()) LIMIT 5",
    "(SELECT 1) UNION ALL (SELECT 2)",
    "SELECT number FROM numbers(5) EXCEPT SELECT number FROM numbers(2)",
    "SELECT number FROM numbers(5) INTERSECT SELECT number FROM numbers(2, 2)",
    "SELECT * EXCEPT (trace_id) FROM usage LIMIT 1",
    "SELECT * REPLACE (upper(tenant) AS tenant) FROM usage LIMIT 1",
    "SELECT COLUMNS('_tokens$') APPLY(sum) FROM usage",
    "SELECT CASE WHEN cost_usd > 0.01 THEN 'dear' ELSE 'cheap' END AS kind, count() FROM usage GROUP BY kind",
    "SELECT count() FROM usage WHERE ts BETWEEN '2025-11-20 00:00:00' AND '2025-11-20 12:00:00' AND model ILIKE '%gpt%'",
    "SELECT CAST(1 AS Decimal(18, 9)), '1'::UInt8, [1, 2]::Array(UInt8), (1, 'a').1, map('k', 1)['k']",
    "SELECT format('{}-{}', tenant, feature) AS f FROM usage LIMIT 1",
    "SELECT tenant, bar(sum(calls), 0, 100, 10) FROM usage GROUP BY tenant LIMIT 3",
    "SELECT * FROM values('a Int8, b String', (1, 'x'), (2, 'y'))",
    "SELECT * FROM generate_series(1, 5)",
    "SELECT toDateTime('2025-11-20 10:00:00', 'Asia/Kolkata'), toTimeZone(now(), 'Europe/Paris') > 0",
    "SELECT cutQueryString('http://x/y?z'), JSONExtractString('{\"a\":\"b\"}', 'a'), extract('abc', 'b.')",
    "SELECT name FROM system.tables WHERE database = currentDatabase()",
    "SELECT name, type FROM system.columns WHERE table = 'usage' LIMIT 3",
    "SELECT sum(rows) FROM system.parts WHERE active",
    "SELECT table_name FROM information_schema.tables LIMIT 1",
    "SELECT * FROM burnwatch.usage LIMIT 1",
    "SHOW TABLES",
    "SHOW FULL TABLES LIKE 'usage%'",
    "SHOW DATABASES",
    "SHOW COLUMNS FROM usage",
    "SHOW CREATE TABLE usage",
    "SHOW CREATE VIEW usage_by_day",
    "SHOW INDEXES FROM usage_records",
    "SHOW FUNCTIONS LIKE 'sum'",
    "DESCRIBE usage",
    "DESC TABLE usage_by_day",
    "DESCRIBE (SELECT tenant, sum(calls) FROM usage GROUP BY tenant)",
    "EXPLAIN SELECT count() FROM usage",
    "EXPLAIN AST SELECT 1",
    "EXPLAIN SYNTAX SELECT * FROM usage",
    "EXPLAIN QUERY TREE SELECT tenant FROM usage",
    "EXPLAIN indexes = 1, actions = 0 SELECT count() FROM usage WHERE tenant = 'tenant-1'",
    "EXPLAIN PIPELINE SELECT count() FROM usage",
    "EXPLAIN ESTIMATE SELECT sum(calls) FROM usage_records",
    "SELECT $$a heredoc$$ -- and a comment",
    "/* first */ SELECT 1; -- last",
  ];
  for (const sql of questions) it(sql.slice(0, 100), async () => expect((await ask(sql)).length).toBeGreaterThan(0));

  it("for a format of their own", async () => {
    const answer = await askSql(store, "SELECT 1 AS one FORMAT JSONEachRow", "TSV", limits);
    expect({ ...answer, bytes: Buffer.from(answer.bytes).toString() }).toEqual({
      format: "JSONEachRow",
      bytes: '{"one":1}\n',
    });
  });
  it("for a format named by the caller", async () => {
    expect(Buffer.from((await askSql(store, "SELECT 1 AS one", "CSVWithNames", limits)).bytes).toString()).toBe(
      '"one"\n1\n',
    );
  });
});

describe("limits hold", () => {
  it("for a query of a minute", async () => {
    const begun = Date.now();
    const slow = ask("SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1", { seconds: 1 });
    await expect(slow).rejects.toThrow("the query ran longer than the 1 seconds allowed");
    expect(Date.now() - begun).toBeLessThan(6000);
  });
  it("for an answer of a billion rows", async () => {
    await expect(ask("SELECT number FROM numbers(1000000000)")).rejects.toThrow(/more than the 10000 rows/);
  });
  it("for more memory than allowed", async () => {
    await expect(ask("SELECT groupArray(number) FROM numbers(1000000000)")).rejects.toThrow(
      /500000000 bytes of memory/,
    );
  });
  it("for a recursion without end", async () => {
    await expect(
      ask("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count() FROM r"),
    ).rejects.toThrow(SqlRefusedError);
  });
});

describe("people may not", () => {
  it("write a file", async () => {
    const file = join(directory, "outfile.txt");
    await expect(ask(`SELECT 1 INTO OUTFILE '${file}'`)).rejects.toThrow(SqlRefusedError);
    expect(existsSync(file)).toBe(false);
  });
  it("read a table function that only the parser can tell from a function", async () => {
    await expect(ask("SELECT * FROM format(JSONEachRow, '{\"a\":1}')")).rejects.toThrow(
      /table function format\(\) is refused/,
    );
    await expect(ask("SELECT * FROM loop(usage)")).rejects.toThrow(/table function loop\(\) is refused/);
  });
  it("get past the connection even without the gate", async () => {
    const behind = (sql: string) => store.queryText(sql, "TSV", limits);
    await expect(behind("INSERT INTO schema_migrations (version) VALUES (7)")).rejects.toThrow(/readonly/i);
    await expect(behind("SET readonly = 0")).rejects.toThrow(/readonly/i);
    await expect(behind("DROP TABLE usage_records")).rejects.toThrow(/readonly/i);
    await expect(behind("SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')")).rejects.toThrow(/readonly/i);
    await expect(behind("SELECT 1 SETTINGS max_execution_time = 0")).rejects.toThrow(/readonly/i);
  });
  it("learn more than the engine's own words from a mistake", async () => {
    await expect(ask("SELECT nope FROM usage")).rejects.toThrow(/Unknown expression identifier .nope./);
    await expect(ask("SELECT FROM WHERE")).rejects.toThrow(/Syntax error/);
  });
});

/** Functions outside the calculating categories that were looked at and do no harm (engine 26.7). */
const looked: ReadonlySet<string> = new Set(
  `_CAST caseWithExpression nested validateNestedArraySizes demangle isMergeTreePartCoveredBy mergeTreePartInfo
  stochasticLinearRegression stochasticLogisticRegression FQDN MACNumToString MACStringToNum MACStringToOUI
  authenticatedUser bar blockNumber blockSerializedSize blockSize buildId byteSize colorOKLABToSRGB
  colorOKLCHToSRGB colorSRGBToOKLAB colorSRGBToOKLCH connectionId countDigits currentDatabase currentProfiles
  currentQueryID currentRoles currentSchemas currentUser defaultProfiles defaultRoles defaultValueOfArgumentType
  defaultValueOfTypeName digits displayName dumpColumnStructure enabledProfiles enabledRoles errorCodeToName
  finalizeAggregation flipCoordinates formatQuery formatQueryOrNull formatQuerySingleLine
  formatQuerySingleLineOrNull formatReadableDecimalSize formatReadableQuantity formatReadableSize
  formatReadableTimeDelta fuzzQuery generateRandomStructure getMaxTableNameLengthForDatabase getMergeTreeSetting
  getSetting getSettingOrDefault getSizeOfEnumType getSubcolumn getTypeSerializationStreams globalVariable
  hasThreadFuzzer highlightQuery hostName icebergBucket icebergTruncate identity ignore indexHint initialQueryID
  initialQueryStartTime initializeAggregation isConstant isDecimalOverflow lowCardinalityIndices
  lowCardinalityKeys materialize minSampleSizeContinuous minSampleSizeConversion neighbor normalizeQuery
  normalizeQueryKeepNames normalizedQueryHash normalizedQueryHashKeepNames obfuscateQuery obfuscateQueryWithSeed
  parseReadableSize parseReadableSizeOrNull parseReadableSizeOrZero parseTimeDelta partitionId queryID revision
  rowNumberInAllBlocks rowNumberInBlock runningAccumulate runningConcurrency runningDifference
  runningDifferenceStartingWithFirstValue shardCount shardNum structureToCapnProtoSchema
  structureToProtobufSchema throwIf toColumnTypeName toTypeName tokenizeQuery transactionID
  transactionLatestSnapshot transactionOldestSnapshot transform uptime variantElement variantType version
  visibleWidth zookeeperSessionUptime`.split(/\s+/),
);

/** Refused functions that belong to no refused family. */
const refusedByName: readonly string[] =
  `catboostEvaluate evalMLMethod file fuzzQuery generateSerialID getClientHTTPHeader getMacro getOSKernelVersion
  getServerPort getServerSetting hasColumnInTable logTrace serverUUID showCertificate tcpPort tid`.split(/\s+/);

describe("an upgrade of the engine brings nothing that nobody has judged:", () => {
  it("every table function is allowed or refused by name, or shares its name with a function", async () => {
    const functions = new Set(
      (await store.query<{ name: string }>("SELECT name FROM system.functions")).map(({ name }) => name),
    );
    const rows = await store.query<{ name: string }>("SELECT name FROM system.table_functions ORDER BY name");
    const open = rows
      .map(({ name }) => name)
      .filter((name) => {
        const lower = name.toLowerCase();
        return (
          !tableFunctions.has(lower) &&
          !isRefusedTableFunction(lower) &&
          !isRefusedFunction(lower) &&
          !functions.has(name)
        );
      });
    expect(open).toEqual([]);
  });
  it("no function is refused by accident, and an alias is refused with its function", async () => {
    const rows = await store.query<{ name: string; alias: string; categories: string }>(
      "SELECT name, alias_to AS alias, toString(categories) AS categories FROM system.functions ORDER BY name",
    );
    const refused = rows.filter(
      ({ name }) => isRefusedFunction(name.toLowerCase()) || isRefusedTableFunction(name.toLowerCase()),
    );
    const families = /^(?:__|ai[A-Z]|AI[A-Z]|dict|region|naiveBayes|filesystem|joinGet|sleep|addressTo)/;
    expect(refused.map(({ name }) => name).filter((name) => !families.test(name))).toEqual(refusedByName);
    for (const { name, alias } of rows)
      if (alias !== "" && isRefusedFunction(alias.toLowerCase()))
        expect(isRefusedFunction(name.toLowerCase()), name).toBe(true);
  });
  it("every function that is no plain calculation was looked at", async () => {
    const rows = await store.query<{ name: string }>(
      `SELECT name FROM system.functions WHERE alias_to = '' AND
       toString(categories) IN ('', 'Other', 'AI', 'Dictionary', 'Machine Learning', 'Introspection', 'Internal', 'Embedded Dictionary')
       ORDER BY name`,
    );
    const open = rows
      .map(({ name }) => name)
      .filter((name) => !isRefusedFunction(name.toLowerCase()) && !looked.has(name));
    expect(open).toEqual([]);
  });
});
