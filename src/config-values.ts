/** The kinds of values that keys of the configuration have; each says what it expects. */

import { z } from "zod";
import { detectorChoices } from "./detection/detector-choices.ts";
import type { DetectorChoices } from "./detection/detector-plan.ts";

/** Where a server listens; null when it is off. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const loopbackHosts: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "::1", "[::1]"]);

/** `host:port` of loopback, or off. */
export const address = z.string().transform((text, context): Address | null => {
  if (text === "off") return null;
  const match = /^(.+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535) {
    context.addIssue({ code: "custom", message: "host:port (port 0 to 65535), or off" });
    return z.NEVER;
  }
  if (!loopbackHosts.has(match[1])) {
    context.addIssue({
      code: "custom",
      message:
        "a loopback host (127.0.0.1, localhost, [::1]): this version has no authentication, so it listens nowhere else",
    });
    return z.NEVER;
  }
  return { host: match[1].replace(/^\[|\]$/g, ""), port };
});

/** Choices of detectors, in one text or a list. */
export const choices = z.union([z.string(), z.array(z.string())]).transform((given, context): DetectorChoices => {
  const texts = typeof given === "string" ? given.split(",").filter((text) => text.trim() !== "") : given;
  try {
    return detectorChoices(texts);
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});

/** Whether a text names somebody before an @, as in `http://user:password@host`. */
export function hasUserInfo(text: string): boolean {
  return /^[^/]*\/\/[^/?#]*@/.test(text);
}

/** An address on the web, or none. */
export const httpUrl = z
  .string()
  .refine(isHttpUrl, "an http or https URL")
  .refine(
    (text) => !hasUserInfo(text),
    "a URL without user and password, since URLs are shown (ClickHouse has clickhouse.user and clickhouse.password)",
  )
  .nullable();

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

/** One broker or several. */
export const brokerList = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => (typeof given === "string" ? given.split(",").map((text) => text.trim()) : given))
  .refine(
    (brokers) => brokers.length > 0 && brokers.every((text) => /^.+:\d{1,5}$/.test(text)),
    "host:port, or several",
  )
  .nullable();

/** Shards, each a server or several replicas of it. */
export const shardList = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => (typeof given === "string" ? given.split(",") : given))
  .transform((shards) => shards.map((shard) => shard.split("|").map((text) => text.trim())))
  .refine(
    (shards) => shards.length > 0 && shards.flat().every((text) => isHttpUrl(text)),
    "http or https URLs, one for each shard",
  )
  .refine(
    (shards) => !shards.flat().some(hasUserInfo),
    "URLs without user and password, since URLs are shown (clickhouse.user and clickhouse.password)",
  )
  .refine((shards) => new Set(shards.flat()).size === shards.flat().length, "each server once")
  .nullable();

/** A name that needs no quotes. */
export const plainName = z
  .string()
  .regex(/^[\w.-]+$/, "a name of letters, digits, dots, dashes and underscores")
  .nullable();

/** A whole number. */
export const count = (least: number) =>
  z.coerce.number({ message: "a number" }).int("a whole number").min(least, `at least ${least}`);
