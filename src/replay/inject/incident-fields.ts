/** Fields that every incident has: when, and to which calls. */

import { z } from "zod";
import { parseDurationUs, parseRfc3339Us } from "../time.ts";

/** A moment of a trace: so long before its end, at a recorded date, or after a share of its calls. */
export type Moment =
  | { readonly kind: "before end"; readonly us: number }
  | { readonly kind: "at"; readonly us: number }
  | { readonly kind: "share"; readonly share: number };

const momentSchema = z.string().transform((text, context): Moment => {
  const agoUs = text.startsWith("-") ? parseDurationUs(text.slice(1)) : undefined;
  if (agoUs !== undefined) return { kind: "before end", us: agoUs };
  const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(text);
  if (percent !== null && Number(percent[1]) <= 100) return { kind: "share", share: Number(percent[1]) / 100 };
  const us = parseRfc3339Us(text);
  if (us !== undefined) return { kind: "at", us };
  context.addIssue('expected "-10m" (before the end), "80%" (after that share of the calls) or an RFC 3339 date');
  return z.NEVER;
});

/** Names as in the `usage` format, so that what one writes in a file, a query and an incident is the same. */
const whereSchema = z.strictObject({
  tenant: z.string().optional(),
  service: z.string().optional(),
  feature: z.string().optional(),
  user: z.string().optional(),
  session: z.string().optional(),
  agent: z.string().optional(),
  run: z.string().optional(),
  prompt_name: z.string().optional(),
  prompt_version: z.string().optional(),
  provider: z.string().optional(),
  model: z.string().optional(),
});

export type Where = z.infer<typeof whereSchema>;

export const incidentFields = { from: momentSchema, until: momentSchema.optional(), where: whereSchema.default({}) };

export const factorSchema = z.number().min(0).max(1000);
export const shareSchema = z.number().min(0).max(1);
export const tokensSchema = z.int().min(0).max(100_000_000);
