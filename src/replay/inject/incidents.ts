/** The kinds of incident, and the YAML file that lists some of them. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { ReplayError } from "../replay-error.ts";
import { cacheBreakSchema } from "./cache-break.ts";
import { explainIssue } from "./explain-issue.ts";
import { loopSchema } from "./loop.ts";
import { modelFallbackSchema } from "./model-fallback.ts";
import { retryStormSchema } from "./retry-storm.ts";
import { tokenShiftSchema } from "./token-shift.ts";

const kinds = [tokenShiftSchema, loopSchema, cacheBreakSchema, modelFallbackSchema, retryStormSchema] as const;

const fileSchema = z.strictObject({
  seed: z.union([z.string(), z.number()]).transform(String).optional(),
  incidents: z.array(z.discriminatedUnion("kind", kinds)).min(1).max(20),
});

export type Incident = z.infer<typeof fileSchema>["incidents"][number];

export interface IncidentFile {
  readonly incidents: readonly Incident[];
  readonly seed: string | undefined;
  /** Hex SHA-256 of the file. */
  readonly hash: string;
}

/** @throws ReplayError that says where in the file, what was expected and the nearest name. */
export async function readIncidents(file: string): Promise<IncidentFile> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new ReplayError(`${file}: cannot be read: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  const { incidents, seed } = parseIncidents(bytes.toString("utf8"), file);
  return { incidents, seed, hash: createHash("sha256").update(bytes).digest("hex") };
}

/** As `readIncidents`, of the text. */
export function parseIncidents(text: string, file: string): Pick<IncidentFile, "incidents" | "seed"> {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) {
    throw new ReplayError(`${file}: line ${lineCounter.linePos(broken.pos[0]).line}: ${broken.message}`);
  }
  const content: unknown = document.toJS();
  const parsed = fileSchema.safeParse(content);
  if (parsed.success) return { incidents: parsed.data.incidents, seed: parsed.data.seed };
  const lines = parsed.error.issues.map((issue) => explainIssue(issue, { content, knownKeys }));
  throw new ReplayError(`${file}: ${lines.join("; ")}`, { hint: "see src/replay/incidents for examples" });
}

/** Valid keys at a path: zod reports an unknown key without saying which ones it knows. */
function knownKeys(path: readonly PropertyKey[], content: unknown): readonly string[] {
  if (path.length === 0) return Object.keys(fileSchema.shape);
  const kindOf = z.object({ incidents: z.array(z.object({ kind: z.string() })) }).safeParse(content);
  const kind = kindOf.success ? kindOf.data.incidents[Number(path[1])]?.kind : undefined;
  const schema = kinds.find((each) => each.shape.kind.value === kind);
  if (path.length === 2) return Object.keys(schema?.shape ?? {});
  return Object.keys(tokenShiftSchema.shape.where.unwrap().shape);
}
