/** What the ClickHouse HTTP interface needs of a store, over both: answers in pieces, an end when nobody waits, no remains. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClickhouseTestServer, startClickhouseServer } from "../../test/support/clickhouse-server.ts";
import { openEmbeddedStore } from "../store/embedded.ts";
import { openRemoteStore } from "../store/remote.ts";
import type { Store } from "../store/store.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-clickhouse-store-"));
const generousLimits = { seconds: 20, rows: 1_000_000, memoryBytes: 1_000_000_000 };
let server: ClickhouseTestServer | undefined;

const implementations: readonly { readonly name: string; readonly open: () => Promise<Store> }[] = [
  { name: "embedded", open: () => openEmbeddedStore({ directory }) },
  {
    name: "remote",
    async open() {
      server = await startClickhouseServer();
      return openRemoteStore({ url: server.url });
    },
  },
];

afterAll(async () => {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe.each(implementations)("a store that is $name", ({ open }) => {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });
  afterAll(() => store.close());

  it("an answer that broke off leaves nothing behind in the next ones", async () => {
    const breaksOff = "SELECT number, throwIf(number = 200000) AS bad FROM numbers(300000)";
    for (const format of ["JSON", "CSVWithNames", "TSV"]) {
      await expect(store.queryText(breaksOff, format, generousLimits)).rejects.toThrow(/throwIf/);
      for (let round = 0; round < 3; round++)
        expect(Buffer.from(await store.queryText("SELECT 1", "TSV", generousLimits)).toString()).toBe("1\n");
    }
    await expect(store.query(breaksOff)).rejects.toThrow(/throwIf/);
    for (let round = 0; round < 4; round++) expect(await store.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  it("answers piece by piece what it would answer whole, as long as the pieces are taken", async () => {
    const sql = "SELECT number, toString(number) AS text FROM numbers(200000)";
    const pieces: Uint8Array[] = [];
    await store.streamText(
      sql,
      "JSONEachRow",
      generousLimits,
      async (piece) => void pieces.push(Uint8Array.from(piece)),
    );
    expect(Buffer.concat(pieces).equals(await store.queryText(sql, "JSONEachRow", generousLimits))).toBe(true);
    const refusing = store.streamText(sql, "CSV", generousLimits, async () => {
      throw new Error("enough");
    });
    await expect(refusing).rejects.toThrow("enough");
    const asked = { ...generousLimits, settings: { format_csv_delimiter: ";" } };
    expect(Buffer.from(await store.queryText("SELECT 1, 2", "CSV", asked)).toString()).toBe("1;2\n");
    expect(Buffer.from(await store.queryText("SELECT 1, 2", "CSV", generousLimits)).toString()).toBe("1,2\n");
  });

  it("stops work in the engine when the asker leaves", async () => {
    const left = new AbortController();
    const endless = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1";
    const begun = Date.now();
    setTimeout(() => left.abort(), 300);
    await expect(store.queryText(endless, "JSON", { ...generousLimits, signal: left.signal })).rejects.toThrow();
    expect(Date.now() - begun).toBeLessThan(10_000);
    expect(Buffer.from(await store.queryText("SELECT 1", "TSV", generousLimits)).toString()).toBe("1\n");
  });
});
