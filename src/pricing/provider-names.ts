/** Which provider a span means: the many spellings in the field, and the one id that prices are listed under. */

/** Each id of the bundled list with the names that mean it. A name that stands nowhere has no bundled price. */
const spellings: Readonly<Record<string, readonly string[]>> = {
  openai: ["openai"],
  // Azure has its own list: the same models, not always the same prices.
  azure: [
    "azure",
    "azure.ai.openai",
    "az.ai.openai",
    "azure.ai.inference",
    "az.ai.inference",
    "azure_openai",
    "azure-openai",
    "azure_ai_openai",
    "azure_ai",
    "azureopenai",
  ],
  anthropic: ["anthropic"],
  aws: ["aws", "aws.bedrock", "aws_bedrock", "bedrock", "amazon_bedrock", "amazon-bedrock"],
  google: [
    "google",
    "gcp",
    "gcp.gemini",
    "gcp.vertex_ai",
    "gcp.gen_ai",
    "gemini",
    "vertex_ai",
    "vertexai",
    "google_genai",
    "google_vertexai",
    "google-vertex",
  ],
  cohere: ["cohere"],
  mistral: ["mistral", "mistral_ai", "mistralai"],
  groq: ["groq"],
  deepseek: ["deepseek"],
  "x-ai": ["x-ai", "x_ai", "xai"],
  perplexity: ["perplexity"],
  openrouter: ["openrouter"],
  fireworks: ["fireworks", "fireworks_ai"],
  together: ["together", "together_ai", "togetherai"],
  cerebras: ["cerebras"],
  moonshotai: ["moonshotai", "moonshot_ai", "moonshot"],
  voyageai: ["voyageai", "voyage_ai", "voyage"],
  novita: ["novita"],
  ovhcloud: ["ovhcloud"],
  baseten: ["baseten"],
  cloudflare: ["cloudflare"],
};

const idOf = new Map(Object.entries(spellings).flatMap(([id, names]) => names.map((name) => [name, id] as const)));

/** The bundled list's id of a provider; undefined where it is not known: never a near match. */
export function listedProvider(provider: string): string | undefined {
  return idOf.get(provider.toLowerCase());
}

/** One text for all spellings of a provider, also of one that is not listed. */
export function canonicalProvider(provider: string): string {
  return listedProvider(provider) ?? provider.toLowerCase();
}
