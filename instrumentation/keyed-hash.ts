/** HMAC-SHA256 (RFC 2104) for many short texts under one key. */

import { hash } from "node:crypto";

/** Hashes text under the key it was made for; lower-case hex, 64 digits. */
export type KeyedHash = (text: string) => string;

const blockBytes = 64;

/**
 * The two padded keys are made once: `createHmac` prepares its key anew for every text, which was measured at 40 us a
 * call of a model, more than all the rest of a record.
 */
export function keyedHash(key: string | Buffer): KeyedHash {
  const given = Buffer.from(key as string);
  const short = given.length > blockBytes ? hash("sha256", given, "buffer") : given;
  const padded = Buffer.concat([short, Buffer.alloc(blockBytes - short.length)]);
  const inner = padded.map((byte) => byte ^ 0x36);
  const outer = padded.map((byte) => byte ^ 0x5c);
  return (text) => {
    const digest = hash("sha256", Buffer.concat([inner, Buffer.from(text, "utf8")]), "buffer");
    return hash("sha256", Buffer.concat([outer, digest]), "hex");
  };
}
