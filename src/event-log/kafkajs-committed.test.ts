import { expect, it } from "vitest";
import { committedOf, type FetchedMessage } from "./kafkajs-committed.ts";

const said = (offset: number, producerId: string, inTransaction = true): FetchedMessage => ({
  offset: String(offset),
  key: null,
  value: Buffer.from(`${producerId} ${offset}`),
  isControlRecord: false,
  batchContext: { firstOffset: String(offset), lastOffsetDelta: 0, producerId, inTransaction },
});
const mark = (offset: number, producerId: string, type: "abort" | "commit"): FetchedMessage => ({
  ...said(offset, producerId),
  key: Buffer.from([0, 0, 0, type === "abort" ? 0 : 1]),
  isControlRecord: true,
});
const offsetsOf = (messages: readonly FetchedMessage[]) => messages.map(({ offset }) => Number(offset));

it("drops each of several aborted transactions that lie in each other, in whatever order the broker names them", () => {
  const messages = [
    said(10, "a"),
    said(11, "b"),
    said(12, "a"),
    said(13, "c"),
    mark(14, "b", "abort"),
    mark(15, "a", "abort"),
    said(16, "a"),
    said(17, "b"),
    mark(18, "b", "commit"),
    mark(19, "c", "commit"),
    mark(20, "a", "commit"),
  ];
  // The broker names them in the order in which they ended.
  const aborted = [
    { producerId: "b", firstOffset: "11" },
    { producerId: "a", firstOffset: "10" },
  ];
  expect(offsetsOf(committedOf(messages, aborted))).toEqual([13, 16, 17]);
});

it("drops both of two transactions that began before what was asked for", () => {
  const messages = [said(50, "b"), said(51, "a"), mark(52, "a", "abort"), mark(53, "b", "abort"), said(54, "b", false)];
  const aborted = [
    { producerId: "a", firstOffset: "40" },
    { producerId: "b", firstOffset: "41" },
  ];
  expect(offsetsOf(committedOf(messages, aborted))).toEqual([54]);
});

it("keeps all but the marks where nothing was aborted", () => {
  expect(offsetsOf(committedOf([said(1, "a"), mark(2, "a", "commit"), said(3, "-1", false)], null))).toEqual([1, 3]);
});
