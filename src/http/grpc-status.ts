/** gRPC's words for what OTLP/HTTP says by status code (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response). */

import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import protobuf from "protobufjs/minimal.js";
import type { Refused } from "./otlp-body.ts";

const codes: Readonly<Record<Refused["status"], status>> = {
  400: status.INVALID_ARGUMENT,
  408: status.DEADLINE_EXCEEDED,
  413: status.RESOURCE_EXHAUSTED,
  429: status.UNAVAILABLE,
};

/** A status without more to it: the exporter drops what it sent. */
export function finalStatus(code: status, details: string): StatusObject {
  // A lone surrogate cannot be percent-encoded, and the library throws.
  return { code, details: details.toWellFormed(), metadata: new Metadata() };
}

/** UNAVAILABLE with a RetryInfo: the exporter shall send the same request again after that time. */
export function retryStatus(details: string, retryAfterSeconds: number): StatusObject {
  const answer = finalStatus(status.UNAVAILABLE, details);
  answer.metadata.set("grpc-status-details-bin", retryDetails(details, Math.max(1, Math.ceil(retryAfterSeconds))));
  return answer;
}

/** The status of a body that could not be read or decoded. */
export function refusedStatus({ status: httpStatus, message }: Refused): StatusObject {
  return httpStatus === 429 ? retryStatus(message, 1) : finalStatus(codes[httpStatus], message);
}

/** A google.rpc.Status that holds one google.rpc.RetryInfo (googleapis/google/rpc/error_details.proto). */
function retryDetails(message: string, seconds: number): Buffer {
  const writer = protobuf.Writer.create().uint32(0x08).int32(status.UNAVAILABLE).uint32(0x12).string(message);
  writer.uint32(0x1a).fork().uint32(0x0a).string("type.googleapis.com/google.rpc.RetryInfo");
  writer.uint32(0x12).fork().uint32(0x0a).fork().uint32(0x08).int64(seconds).ldelim().ldelim().ldelim();
  return Buffer.from(writer.finish());
}
