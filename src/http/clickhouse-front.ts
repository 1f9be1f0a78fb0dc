/** The ClickHouse HTTP interface as `burnwatch serve` offers it: reads only, within limits that keep memory bounded. */

import type { Server } from "node:http";
import type { Store } from "../store/store.ts";
import { createReadOnlyEngine } from "./clickhouse-read-only.ts";
import { createClickhouseServer } from "./clickhouse-server.ts";

/** Of one question. */
const limits = { seconds: 30, rows: 1_000_000, memoryBytes: 1_000_000_000 };
/** As JSON with long names this becomes some 400 MB; larger answers are for the formats that go out in pieces. */
const wholeAnswerBytesMax = 64_000_000;
const bodyBytesMax = 1024 * 1024;
const questionsMax = 64;

/** A server over the store, not listening yet; `database` is the name of the store's own. */
export function createClickhouseFront(store: Store, database: string): Server {
  const engine = createReadOnlyEngine({ store, database, limits, wholeAnswerBytesMax });
  return createClickhouseServer({ engine, bodyBytesMax, questionsMax });
}
