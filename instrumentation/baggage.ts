/** Attribution over HTTP hops as W3C Baggage, to and from configured hosts only. */

import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { type Attribution, attributionNames, cleanAttribution } from "./attribution.ts";
import { attributionKeys } from "./protocol.ts";

/** https://www.w3.org/TR/baggage/ : at least 8,192 bytes and 64 members must pass; more need not. */
const headerBytesMax = 8192;
const membersMax = 64;

const nameByKey = new Map<string, keyof Attribution>(attributionNames.map((name) => [attributionKeys[name], name]));

/** The `baggage` header: what the application had there, then ours. Undefined where nothing of ours fits. */
export function encodeBaggage(attribution: Attribution, existing: string | undefined): string | undefined {
  const members: string[] = [];
  for (const name of attributionNames) {
    const value = attribution[name];
    if (value !== undefined) members.push(`${attributionKeys[name]}=${encodeURIComponent(value.toWellFormed())}`);
  }
  if (members.length === 0) return undefined;
  const header = existing ? `${existing},${members.join(",")}` : members.join(",");
  return header.length <= headerBytesMax ? header : undefined;
}

/** Our members of a `baggage` header; anything malformed, foreign or beyond the limits is left out. */
export function decodeBaggage(header: string): Attribution {
  const found: Record<string, string> = {};
  if (header.length > headerBytesMax) return found;
  for (const member of header.split(",").slice(0, membersMax)) {
    const [pair = ""] = member.split(";");
    const at = pair.indexOf("=");
    const name = at === -1 ? undefined : nameByKey.get(pair.slice(0, at).trim());
    if (name === undefined) continue;
    try {
      found[name] = decodeURIComponent(pair.slice(at + 1).trim());
    } catch {
      // A broken percent escape makes the member void; the others stand.
    }
  }
  return cleanAttribution(found);
}

export interface BaggageHosts {
  /** True when any host is configured. */
  readonly any: boolean;
  /** True for a host that attribution may be sent to. */
  sendsTo(host: string): boolean;
  /** True for a peer address that attribution is taken from. */
  acceptsFrom(address: string | undefined): boolean;
}

const resolveEveryMs = 60_000;

/**
 * Hosts out of names, `*.suffix`, addresses and CIDR blocks. Names are resolved now and every minute so that requests
 * from them can be told by their address; a `*.suffix` can only be sent to.
 */
export function allowBaggage(entries: readonly string[]): BaggageHosts {
  const exact = new Set(entries);
  const suffixes = entries.filter((entry) => entry.startsWith("*.")).map((entry) => entry.slice(1));
  const fixed = new BlockList();
  let resolved = new BlockList();
  for (const entry of entries) addAddress(fixed, entry);
  const names = entries.filter((entry) => isIP(entry) === 0 && !entry.includes("/") && !entry.startsWith("*."));
  const resolve = async () => {
    const next = new BlockList();
    for (const name of names) {
      const answers = await lookup(name, { all: true }).catch(() => []);
      for (const answer of answers) addAddress(next, answer.address);
    }
    resolved = next;
  };
  if (names.length > 0) {
    void resolve();
    setInterval(() => void resolve(), resolveEveryMs).unref();
  }
  return {
    any: entries.length > 0,
    sendsTo: (host) =>
      exact.has(host) ||
      suffixes.some((suffix) => host.endsWith(suffix)) ||
      contains(fixed, host.replace(/^\[|\]$/g, "")),
    acceptsFrom: (address) => address !== undefined && (contains(fixed, address) || contains(resolved, address)),
  };
}

function addAddress(list: BlockList, entry: string): void {
  const [address = "", prefix] = entry.split("/");
  const family = isIP(address);
  if (family === 0) return;
  const type = family === 6 ? "ipv6" : "ipv4";
  const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
  if (Number.isInteger(bits) && bits >= 0 && bits <= (family === 6 ? 128 : 32)) list.addSubnet(address, bits, type);
}

function contains(list: BlockList, address: string): boolean {
  const plain = address.startsWith("::ffff:") ? address.slice(7) : address;
  const family = isIP(plain);
  return family !== 0 && list.check(plain, family === 6 ? "ipv6" : "ipv4");
}
