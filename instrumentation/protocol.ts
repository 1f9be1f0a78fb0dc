/**
 * Attribute names and limits that the instrumentation and the server share. Types and strings only.
 * Names of OpenTelemetry are used where they exist; the rest begin with `burnwatch.`.
 */

/** Attribution on a span, or on its resource as the default for all spans. */
export const attributionKeys = {
  tenant: "burnwatch.tenant",
  feature: "burnwatch.feature",
  run: "burnwatch.run.id",
  promptName: "burnwatch.prompt.name",
  promptVersion: "burnwatch.prompt.version",
  outcome: "burnwatch.outcome",
  service: "service.name",
  release: "service.version",
  environment: "deployment.environment.name",
  user: "user.id",
  session: "session.id",
  conversation: "gen_ai.conversation.id",
  agent: "gen_ai.agent.name",
} as const;

/** Completeness: each producer numbers its records 1, 2, 3 ... and flushes a final mark that says how many there were. */
export const completenessKeys = {
  /** Resource attribute: unique per process start. OpenTelemetry's `service.instance.id`. */
  producer: "service.instance.id",
  /** Span attribute: integer from 1, no gaps. */
  sequence: "burnwatch.record.sequence",
  /** Span attribute on a span named `burnwatch.final_mark`: the last sequence number of the process. */
  finalSequence: "burnwatch.record.final_sequence",
} as const;

/** Name of the span that ends a producer's numbering. It is no record. */
export const finalMarkSpanName = "burnwatch.final_mark";

/** Keyed hash of a tool's canonical arguments, hex. */
export const toolArgsHashKey = "burnwatch.tool.args_hash";
