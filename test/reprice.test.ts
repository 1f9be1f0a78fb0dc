/** A price change, and the past corrected: shown first, written once, and never twice however often it is killed. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Burnwatch, burnwatch, settle, sql, startBurnwatch } from "./support/burnwatch.ts";
import { exportRequest, postUntilAcked } from "./support/load.ts";

const priceList = (input: string, output: string, more = "") =>
  `prices:\n  - model: gpt-4o\n    provider: openai\n    per_million: { input: ${input}, output: ${output} }\n${more}`;

interface Job {
  readonly id: string;
  readonly finished: boolean;
  readonly calls: number;
  readonly cost_before_usd: string;
  readonly cost_after_usd: string;
}

interface Difference {
  readonly price_version: string;
  readonly calls: number;
  readonly rows: readonly { readonly tenant: string; readonly calls: number; readonly cost_after_usd: string }[];
}

async function post<Answer>(server: Burnwatch, path: string, body: object): Promise<Answer> {
  const answer = await fetch(`${server.apiUrl}/api/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return JSON.parse(text) as Answer;
}

async function finished(server: Burnwatch, id: string): Promise<Job> {
  for (;;) {
    const answer = await fetch(`${server.apiUrl}/api/v1/reprices/${id}`);
    const job = (await answer.json()) as Job;
    if (job.finished) return job;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What the base and each rollup hold, in nano-dollars and calls. */
async function totals(server: Burnwatch) {
  const sums = "toString(toInt64(sum(cost_usd) * 1000000000)) AS nano_usd, toString(sum(calls)) AS calls";
  const parts = "toString(toInt64(sum(cost_input_usd + cost_output_usd) * 1000000000)) AS parts";
  const ask = async (view: string) => (await sql(server.apiUrl, `SELECT ${sums}, ${parts} FROM ${view}`))[0];
  const views = ["usage", "usage_by_15m", "usage_by_day"];
  return Promise.all(views.map(ask));
}

const same = (nanoUsd: number, calls: number) => {
  const total = { nano_usd: String(nanoUsd), calls: String(calls), parts: String(nanoUsd) };
  return [total, total, total];
};

describe("re-pricing that is killed", () => {
  const spans = 12_000;
  let server: Burnwatch;
  let listed = 0;
  beforeAll(async () => {
    server = await startBurnwatch({ environment: { BURNWATCH_BATCH_ROWS_MAX: "3000" } });
    for (let hour = 0; hour < 6; hour++) {
      const { body, sent } = exportRequest(spans / 6, Date.now() - hour * 3_600_000, `tenant-${hour % 2}`);
      await postUntilAcked(server.tracesUrl, body);
      listed += sent.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0);
    }
    await settle(server.apiUrl);
  }, 120_000);
  afterAll(() => server.remove());

  it("ends at the same total as one that is not, with one audit row", { timeout: 300_000 }, async () => {
    expect(await totals(server)).toEqual(same(listed, spans));
    // Each round another price, and the kill at another moment of the work.
    let factor = 1;
    let killedHalfway = 0;
    for (const killAfterMs of [0, 100, 250, 500, 1000]) {
      factor++;
      writeFileSync(join(server.directory, "prices.yaml"), priceList(`${2.5 * factor}`, `${10 * factor}`));
      const range = { since: "1d", until: new Date(Date.now() + 1000).toISOString() };
      const { price_version } = await post<Difference>(server, "reprices/difference", range);
      const { id } = await post<Job>(server, "reprices", { ...range, price_version, by: "test" });
      await new Promise((resolve) => setTimeout(resolve, killAfterMs));
      await server.kill();
      await server.start();
      const job = await finished(server, id);
      expect(job.calls).toBe(spans);
      if ((await sql(server.apiUrl, `SELECT id FROM reprices WHERE id = '${id}'`)).length !== 1)
        throw new Error("no audit row");
      await settle(server.apiUrl);
      expect(await totals(server), `killed after ${killAfterMs} ms`).toEqual(same(listed * factor, spans));
      const [row] = await sql(
        server.apiUrl,
        `SELECT toString(toInt64(cost_before_usd * 1000000000)) AS before, toString(toInt64(cost_after_usd * 1000000000)) AS after,
           by, finished_at > started_at + INTERVAL 1 SECOND AS long FROM reprices WHERE id = '${id}'`,
      );
      expect(row).toMatchObject({ before: String(listed * (factor - 1)), after: String(listed * factor), by: "test" });
      killedHalfway += Number(row?.["long"]);
    }
    expect(killedHalfway).toBeGreaterThan(0);
    const again = await post<Difference>(server, "reprices/difference", { since: "1d" });
    expect(again).toMatchObject({ calls: spans, rows: [] });
  });

  it("leaves calls alone that arrive meanwhile, and takes a producer's own correction after a re-pricing", {
    timeout: 120_000,
  }, async () => {
    const before = Number((await totals(server))[0]?.["nano_usd"]);
    writeFileSync(join(server.directory, "prices.yaml"), priceList("2.5", "10"));
    const range = { since: "1d", until: new Date(Date.now() + 60_000).toISOString() };
    const { price_version } = await post<Difference>(server, "reprices/difference", range);
    const { id } = await post<Job>(server, "reprices", { ...range, price_version });
    let arrived = 0;
    let count = 0;
    for (let index = 0; index < 10; index++) {
      const { body, sent } = exportRequest(200, Date.now(), "late");
      await postUntilAcked(server.tracesUrl, body);
      arrived += sent.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0);
      count += sent.length;
    }
    await finished(server, id);
    await settle(server.apiUrl);
    expect(before).toBe(listed * 6);
    expect(await totals(server)).toEqual(same(listed + arrived, spans + count));

    // One span, re-priced once, then sent again with revision 1 and one input token more: $2.50 a million.
    const { body, sent } = exportRequest(1, Date.now() - 60_000, "revised");
    await postUntilAcked(server.tracesUrl, body);
    await settle(server.apiUrl);
    writeFileSync(join(server.directory, "prices.yaml"), priceList("5", "20"));
    const one = { since: "1d", where: { tenant: "revised" } };
    const shown = await post<Difference>(server, "reprices/difference", one);
    await finished(server, (await post<Job>(server, "reprices", { ...one, price_version: shown.price_version })).id);
    const request = JSON.parse(body);
    const [span] = request.resourceSpans[0].scopeSpans[0].spans;
    const input = span.attributes.find(({ key }: { key: string }) => key === "gen_ai.usage.input_tokens");
    input.value.intValue = String(Number(input.value.intValue) + 1);
    span.attributes.push({ key: "burnwatch.revision", value: { intValue: "1" } });
    await postUntilAcked(server.tracesUrl, JSON.stringify(request));
    await settle(server.apiUrl);
    const [revised] = await sql(
      server.apiUrl,
      "SELECT toString(toInt64(sum(cost_usd) * 1000000000)) AS nano_usd, sum(calls) AS calls, count() AS rows, max(revision) AS revision FROM usage WHERE tenant = 'revised'",
    );
    expect(revised).toMatchObject({ nano_usd: String(2 * (sent[0]?.nanoUsd ?? 0) + 5000), calls: 1, rows: 5 });
    expect(Number(revised?.["revision"])).toBe(2);
  });
});

describe("the commands", () => {
  let server: Burnwatch;
  beforeAll(async () => {
    server = await startBurnwatch();
    const { body } = exportRequest(40, Date.now() - 60_000, "acme");
    await postUntilAcked(server.tracesUrl, body.replaceAll('"gpt-4o"', '"acme-finetune-7"'));
    await postUntilAcked(server.tracesUrl, exportRequest(10, Date.now() - 60_000, "acme").body);
    await settle(server.apiUrl);
  }, 60_000);
  afterAll(() => server.remove());
  const run = (...words: string[]) => burnwatch(words, { BURNWATCH_URL: server.apiUrl, USER: "ada" });

  it("models shows the unpriced one first; a price is added, shown as a difference, and applied", {
    timeout: 60_000,
  }, async () => {
    const seen = await run("models");
    expect(seen.stdout.split("\n")[2]).toMatch(/^openai +acme-finetune-7 +40 .* unknown +unpriced_model/);
    expect(seen.stdout).toMatch(/gpt-4o +10 .* bundled genai-prices-/);

    const added = await run("prices", "add", "--model", "acme-finetune-7", "--input", "2.50", "--output", "10");
    expect(added).toMatchObject({ code: 0, stderr: "" });
    expect(added.stdout).toContain("40 calls of the last 90 days are of this model, 40 of them without a price");
    expect(added.stdout).toContain("burnwatch reprice --since 90d --dry-run");

    const dry = await run("reprice", "--since", "1d", "--dry-run");
    expect(dry.stdout).toMatch(/acme +acme-finetune-7 +40 +\$0 +\$[\d.]+ +\+\$[\d.]+ +40/);
    expect((await run("reprice", "--since", "1d")).code).toBe(1);
    expect(await sql(server.apiUrl, "SELECT sum(unpriced_calls) AS n FROM usage")).toEqual([{ n: 40 }]);

    const done = await run("reprice", "--since", "1d", "--yes");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toContain("corrected 40 calls: $0 -> $");
    expect(await sql(server.apiUrl, "SELECT sum(unpriced_calls) AS n, sum(calls) AS calls FROM usage_by_day")).toEqual([
      { n: 0, calls: 50 },
    ]);
    expect(await sql(server.apiUrl, "SELECT by, calls, filter FROM reprices")).toEqual([
      { by: "ada", calls: 40, filter: "" },
    ]);
    expect((await run("models")).stdout).toMatch(/acme-finetune-7 +40 .* own [0-9a-f]{12}/);
    expect((await run("reprice", "--since", "1d", "--yes")).stdout).toContain("nothing differs");
  });

  it("prices list and check read the file; what is wrong is said with its line", async () => {
    expect((await run("prices", "list")).stdout).toMatch(/acme-finetune-7 .*\n.*prices\.yaml: 1 prices, version/);
    const file = join(server.directory, "wrong.yaml");
    writeFileSync(file, "prices:\n  - model: x\n    per_million: { imput: 1 }\n");
    const wrong = await run("prices", "check", "--file", file);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain(`${file}:3: prices[0].per_million.imput: unknown key, did you mean input?`);
    const unknown = await run("prices", "chek");
    expect(unknown).toMatchObject({ code: 2 });
    expect(unknown.stderr).toContain("did you mean check?");
    const stale = { since: "1d", price_version: "of yesterday" };
    await expect(post(server, "reprices", stale)).rejects.toThrow(
      "the prices have changed since the difference was shown",
    );
    expect((await run("reprice")).stderr).toContain("--since is needed");
    expect((await run("reprice", "--since", "1d", "--where", "tenat=x")).stderr).toContain('did you mean "tenant"?');
  });

  it("a list that breaks while the server runs is refused as a whole, and the one before stays in use", async () => {
    const list = async () => (await fetch(`${server.apiUrl}/api/v1/prices`)).json();
    const file = join(server.directory, "prices.yaml");
    writeFileSync(file, priceList("1", "2"));
    const before = await list();
    expect(before).toMatchObject({ file, entries: 1 });
    writeFileSync(file, `${priceList("3", "4")}  - { model: x, per_call: free }\n`);
    expect(await list()).toEqual(before);
    expect(server.output()).toContain(`${file}:5: prices[1].per_call: expected an amount in digits like 2.50, got`);
    writeFileSync(file, priceList("3", "4"));
    expect(await list()).not.toEqual(before);
  });

  it("a broken list does not start a server", async () => {
    const file = join(server.directory, "broken.yaml");
    writeFileSync(file, "prices:\n  - per_million: { input: 1 }\n");
    const started = await burnwatch(["serve", "--data", join(server.directory, "other")], {
      BURNWATCH_PRICES: file,
      BURNWATCH_API: "off",
      BURNWATCH_OTLP_HTTP: "off",
      BURNWATCH_CLICKHOUSE_HTTP: "off",
    });
    expect(started.code).not.toBe(0);
    expect(started.stderr).toContain(`${file}:2: prices[0].model: expected a name`);
  }, 30_000);
});
