/** The provider of a host, as OpenTelemetry spells it. */

import type { Target } from "./client.ts";

const byHostSuffix: readonly (readonly [suffix: string, provider: string])[] = [
  ["api.openai.com", "openai"],
  ["openai.azure.com", "azure.ai.openai"],
  ["cognitiveservices.azure.com", "azure.ai.openai"],
  ["services.ai.azure.com", "azure.ai.inference"],
  ["models.ai.azure.com", "azure.ai.inference"],
  ["api.anthropic.com", "anthropic"],
  ["generativelanguage.googleapis.com", "gcp.gemini"],
  ["aiplatform.googleapis.com", "gcp.vertex_ai"],
  ["api.groq.com", "groq"],
  ["api.deepseek.com", "deepseek"],
  ["api.x.ai", "x_ai"],
  ["api.mistral.ai", "mistral_ai"],
  ["api.perplexity.ai", "perplexity"],
  ["api.moonshot.ai", "moonshot_ai"],
  ["api.moonshot.cn", "moonshot_ai"],
  ["api.cohere.com", "cohere"],
  ["openrouter.ai", "openrouter"],
  ["api.together.xyz", "together"],
  ["api.fireworks.ai", "fireworks"],
];

/**
 * The configured provider of the host, else the known one, else the one whose wire API it speaks: OpenTelemetry's
 * rule for servers that speak OpenAI's API and cannot be told apart.
 */
export function providerOf(
  target: Target,
  fallback: string,
  configured: ReadonlyMap<string, string> = new Map(),
): string {
  const known = configured.get(`${target.host}:${target.port}`) ?? configured.get(target.host);
  if (known !== undefined) return known;
  const listed = listedProvider(target.host);
  if (listed !== null) return listed;
  if (target.path.includes("/openai/deployments/")) return "azure.ai.openai";
  return fallback;
}

/** The provider of a host (with its port, if any) that serves models: a request there is worth a call. Null for others. */
export function modelHostProvider(host: string, configured: ReadonlyMap<string, string>): string | null {
  const name = host.replace(/:\d+$/, "");
  return configured.get(host) ?? configured.get(name) ?? listedProvider(name);
}

const bedrockHost = /^bedrock-runtime[.-].*amazonaws\.com$/;
const hostsMax = 1024;
const providerByHost = new Map<string, string | null>();

/** Searches the list once a host; the answers of up to 1,024 hosts are kept. */
function listedProvider(host: string): string | null {
  const known = providerByHost.get(host);
  if (known !== undefined) return known;
  const isHost = (suffix: string) => host === suffix || host.endsWith(`.${suffix}`) || host.endsWith(`-${suffix}`);
  const listed = bedrockHost.test(host) ? "aws.bedrock" : byHostSuffix.find(([suffix]) => isHost(suffix))?.[1];
  const provider = listed ?? null;
  if (providerByHost.size < hostsMax) providerByHost.set(host, provider);
  return provider;
}
