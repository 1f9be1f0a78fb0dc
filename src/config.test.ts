import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { wordsOfUnit } from "../test/support/cluster.ts";
import { rolesOf } from "./cluster/roles.ts";
import { ConfigError, configHelp, readConfig } from "./config.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-config-"));

function file(text: string): string {
  const path = join(directory, "burnwatch.yaml");
  writeFileSync(path, text);
  return path;
}

function mistake(text: string, environment = {}): string {
  try {
    readConfig(file(text), environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.replace(`${directory}/`, "");
  }
  throw new Error("no mistake was found");
}

it("works without a file, on loopback, with stated retention", () => {
  expect(readConfig(undefined, {})).toMatchObject({
    data: ".burnwatch",
    otlpHttp: { host: "127.0.0.1", port: 4318 },
    otlpGrpc: { host: "127.0.0.1", port: 4317 },
    api: { host: "127.0.0.1", port: 4319 },
    rawRetentionDays: 90,
    rollupRetentionMonths: 13,
    webhook: null,
  });
});

it("reads the file, and lets the environment win", () => {
  const path = file("otlp:\n  http: 127.0.0.1:9000\nstore:\n  raw_retention_days: 30\n");
  const config = readConfig(path, { BURNWATCH_RAW_RETENTION_DAYS: "7", BURNWATCH_API: "off" });
  expect(config).toMatchObject({ otlpHttp: { port: 9000 }, rawRetentionDays: 7, api: null });
});

it("takes the configuration of a cluster as it is deployed, for each role that its unit is made for", () => {
  const [, , path = ""] = ["", ...wordsOfUnit("writer")];
  expect(wordsOfUnit("writer")).toEqual(["--config", path, "--role", "writer"]);
  const config = readConfig(path, {});
  expect(config).toMatchObject({
    kafkaBrokers: ["kafka-1:9092", "kafka-2:9092", "kafka-3:9092"],
    clickhouseUser: "burnwatch_writer",
    clickhouseReadUser: "burnwatch_reader",
    identityHours: 1,
  });
  const roles = "collector,resolver,writer,detector,alerter,api";
  expect([...(rolesOf(roles, config) ?? [])].join()).toBe(roles);
});

it("takes no URL with a password in it, and does not show it", () => {
  const refused = mistake("", { BURNWATCH_CLICKHOUSE_URL: "http://writer:secret-word@10.0.0.5:8123" });
  expect(refused).toContain("BURNWATCH_CLICKHOUSE_URL: expected a URL without user and password");
  expect(refused).not.toContain("secret-word");
  expect(mistake("webhook: https://secret-word@hooks.example/x")).not.toContain("secret-word");
  expect(readConfig(file("webhook: https://hooks.example/@x?y=a@b"), {}).webhook).toBe(
    "https://hooks.example/@x?y=a@b",
  );
});

it("remembers spans for a day on one machine and for an hour in a cluster, unless it is told", () => {
  const hours = (environment: Record<string, string>) => readConfig(undefined, environment).identityHours;
  const brokers = { BURNWATCH_KAFKA_BROKERS: "127.0.0.1:9092" };
  expect([hours({}), hours(brokers), hours({ ...brokers, BURNWATCH_IDENTITY_HOURS: "6" })]).toEqual([24, 1, 6]);
  const help = configHelp().filter(([path]) => path.startsWith("identity."));
  expect(help.map(([, , , doc]) => doc)).toEqual([
    expect.stringContaining("without it 24, in a cluster 1"),
    expect.stringContaining("in a cluster of each partition"),
  ]);
});

it("names path, expectation and nearest name of a mistake", () => {
  expect(mistake("webook: x")).toBe("burnwatch.yaml: webook: unknown key, did you mean webhook?");
  expect(mistake("store:\n  raw_retention_day: 3")).toContain(
    "store.raw_retention_day: unknown key, did you mean store.raw_retention_days?",
  );
  expect(mistake("store:\n  raw_retention_days: soon")).toBe(
    'burnwatch.yaml: store.raw_retention_days: expected a number, got "soon"',
  );
  expect(mistake("store: 5")).toContain("store: expected a mapping of keys, got 5");
  expect(mistake("otlp:\n  http: 4318")).toContain("otlp.http: expected");
  expect(mistake("webhook: ftp://x")).toContain("expected an http or https URL");
  expect(mistake("a: [")).toContain("burnwatch.yaml: ");
  expect(mistake("", { BURNWATCH_LOG_LEVEL: "loud" })).toContain(
    "environment variable BURNWATCH_LOG_LEVEL: expected trace, debug",
  );
});

it("refuses to listen beyond loopback", () => {
  expect(mistake("api: 0.0.0.0:4319")).toContain("loopback");
});

it("documents every key with a variable and a line", () => {
  for (const [path, variable, , doc] of configHelp()) {
    expect([path, /^BURNWATCH_[A-Z_]+$/.test(variable), doc.length > 10]).toEqual([path, true, true]);
  }
});
