/** What is known of one call. Filled in while request and response pass; numbers and short labels only. */

import { asLabel } from "./json.ts";

/** Tokens as OpenTelemetry counts them: `input` and `output` are totals, the others are parts of them. */
export interface TokenFacts {
  input?: number;
  output?: number;
  cacheRead?: number;
  cacheWrite?: number;
  cacheWrite5m?: number;
  cacheWrite1h?: number;
  reasoning?: number;
  textInput?: number;
  audioInput?: number;
  imageInput?: number;
  textOutput?: number;
  audioOutput?: number;
  imageOutput?: number;
  /** Seconds of audio, where a provider bills by duration. */
  audioSeconds?: number;
}

/** A tool the model asked for. The arguments stay in memory until they are hashed. */
export interface ToolRequest {
  name: string;
  arguments: string;
}

export interface CallFacts {
  operation: "chat" | "text_completion" | "generate_content" | "embeddings";
  provider: string;
  requestModel: string | undefined;
  responseModel: string | undefined;
  responseId: string | undefined;
  finishReasons: string[];
  stream: boolean;
  tokens: TokenFacts | null;
  serviceTier: string | undefined;
  tools: ToolRequest[];
  /** Chunks that carried output: all that is known of the output of a stream that was cut off. */
  outputChunks: number;
  /** The provider said that the answer is whole: what is cut off after it is no loss. */
  finished: boolean;
}

const toolsMax = 64;
const toolArgumentsMax = 65_536;

/** Adds a piece of a tool request; pieces beyond 64 tools or 64 KB of arguments are left out. */
export function addToolPiece(facts: CallFacts, index: number, piece: { name?: unknown; arguments?: unknown }): void {
  if (!Number.isInteger(index) || index < 0 || index >= toolsMax) return;
  while (facts.tools.length <= index) facts.tools.push({ name: "", arguments: "" });
  const tool = facts.tools[index];
  if (tool === undefined) return;
  const name = asLabel(piece.name);
  if (name !== undefined) tool.name = name;
  if (typeof piece.arguments === "string" && tool.arguments.length + piece.arguments.length <= toolArgumentsMax) {
    tool.arguments += piece.arguments;
  }
}

/** Adds a finish reason once per answer; at most 16. */
export function addFinishReason(facts: CallFacts, reason: unknown): void {
  const label = asLabel(reason);
  if (label !== undefined && facts.finishReasons.length < 16) facts.finishReasons.push(label);
}
