/** Where a cluster is asked to re-price: shows the difference itself, and leaves the work to the resolvers. */

import { randomUUID } from "node:crypto";
import { type KafkaClient, KafkaFenced } from "../event-log/kafka-client.ts";
import { RequestError } from "../http/answer.ts";
import type { Pricing } from "../http/price-routes.ts";
import type { PriceBook } from "../pricing/price-book.ts";
import { priceVersionOf, rangeDifference } from "../repricing/range-difference.ts";
import { newJob, RepriceConflictError, type RepriceJob } from "../repricing/reprice-job.ts";
import { checkConditions } from "../repricing/reprice-range.ts";
import type { Store } from "../store/store.ts";
import { now } from "./parts.ts";
import { type RepriceBoard, repriceWords } from "./reprice-board.ts";

export interface RepriceDeskOptions {
  readonly client: KafkaClient;
  readonly prefix: string;
  /** The topic of the board. */
  readonly topic: string;
  readonly partitions: number;
  readonly board: RepriceBoard;
  readonly store: Store;
  readonly prices: PriceBook;
}

const begunWithinMs = 15_000;

/** As one machine does it, for a cluster. */
export function repriceDesk(options: RepriceDeskOptions): Pricing["repricer"] {
  const { store, prices, board, partitions } = options;
  return {
    difference: (range) => rangeDifference(range, store, prices),
    async apply(range, { by, priceVersion }) {
      checkConditions(range.where);
      if (priceVersion !== priceVersionOf(prices))
        throw new RepriceConflictError("the prices have changed since the difference was shown: look at it again");
      const job = newJob(range, { id: randomUUID(), by, priceVersion, startedAtMs: now() });
      await ask(options, job);
      const isBegun = await board.until(() => board.progress().begun === partitions, begunWithinMs);
      if (isBegun) return board.sum() ?? job;
      const { begun } = board.progress();
      throw new RequestError(
        504,
        `${begun} of ${partitions} partitions have begun within ${begunWithinMs / 1000} s; re-pricing ${job.id} is written down, and the others follow`,
        "see that resolvers work (burnwatch lag) and have the same price list as the API: their logs say so",
      );
    },
    async job() {
      await board.read();
      return board.sum();
    },
  };
}

/** Of two who ask at once, one is heard. */
async function ask({ client, prefix, topic, board }: RepriceDeskOptions, job: RepriceJob): Promise<void> {
  const group = `${prefix}.reprice`;
  const transactions = await client.transactions(group);
  try {
    await board.read();
    const running = board.sum();
    if (running?.finishedAtMs === null) throw new RepriceConflictError(`re-pricing ${running.id} still runs`);
    const place = { group, topic, partition: 0, offset: 0, metadata: "" };
    await transactions.commit([repriceWords.asked(topic, job)], place);
  } catch (error) {
    if (error instanceof KafkaFenced)
      throw new RepriceConflictError("another re-pricing was asked for at the same time");
    throw error;
  } finally {
    await transactions.close().catch(() => undefined);
  }
}
