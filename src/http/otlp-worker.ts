/** The thread that prepares exports, one body at a time. What a body needs of memory is given back before the next. */

import { move, transferableSymbol, valueSymbol, workerData } from "piscina";
import { keepsAttribute, keepsSpan } from "../dialects/dialects.ts";
import { type ExportBody, type PrepareRules, prepareExport } from "./otlp-prepare.ts";

const rules: PrepareRules = { ...(workerData as Omit<PrepareRules, "filter">), filter: { keepsAttribute, keepsSpan } };

/** A lone payload changes hands, as most do; the rest, a few numbers and reasons, is copied. */
export default function prepare(body: ExportBody): unknown {
  const prepared = prepareExport(body, rules);
  const [entry, ...others] = prepared.kind === "export" ? prepared.encoded.entries : [];
  const payload = others.length === 0 ? entry?.payload : undefined;
  return payload === undefined ? prepared : move({ [transferableSymbol]: payload.buffer, [valueSymbol]: prepared });
}
