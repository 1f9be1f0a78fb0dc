/** Providers as emitters call them, and as OpenTelemetry spells them. Azure is not OpenAI, and Bedrock not Anthropic. */

/** By lower-case name. A name that is not here stays as it is: it has no price, never a near one. */
const known: ReadonlyMap<string, string> = new Map(
  Object.entries({
    // OpenTelemetry's own old spellings.
    "az.ai.openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    gemini: "gcp.gemini",
    vertex_ai: "gcp.vertex_ai",
    xai: "x_ai",
    aws_bedrock: "aws.bedrock",
    // The AI SDK (`provider.api`), by what stands before its last dot.
    "azure-openai": "azure.ai.openai",
    "amazon-bedrock": "aws.bedrock",
    "google.generative-ai": "gcp.gemini",
    "google.vertex": "gcp.vertex_ai",
    "vertex.anthropic": "gcp.vertex_ai",
    togetherai: "together",
    // OpenInference, LangChain, LiteLLM, OpenLLMetry, OpenLIT.
    azure: "azure.ai.openai",
    azure_openai: "azure.ai.openai",
    azure_ai: "azure.ai.inference",
    google: "gcp.gemini",
    google_genai: "gcp.gemini",
    google_ai_studio: "gcp.gemini",
    vertexai: "gcp.vertex_ai",
    google_vertexai: "gcp.vertex_ai",
    aws: "aws.bedrock",
    bedrock: "aws.bedrock",
    bedrock_converse: "aws.bedrock",
    amazon_bedrock: "aws.bedrock",
    mistral: "mistral_ai",
    mistralai: "mistral_ai",
    together_ai: "together",
    fireworks_ai: "fireworks",
    watsonx: "ibm.watsonx.ai",
  }),
);

/** The AI SDK names the API it calls after the provider. */
const apiSuffix = /\.(?:chat|responses|messages|completion|embedding|image|transcription|speech|generative-ai)$/;

/** Spellings met, each asked once; bounded, since producers choose them. */
const remembered = new Map<string, string>();
const rememberedMax = 1000;

/** The provider as OpenTelemetry spells it; an unknown name in lower case, "" where there is none. */
export function providerName(spelled: string): string {
  if (spelled === "") return "";
  const found = remembered.get(spelled);
  if (found !== undefined) return found;
  const lower = spelled.toLowerCase();
  const withoutApi = lower.replace(apiSuffix, "");
  const name = known.get(lower) ?? known.get(withoutApi) ?? withoutApi;
  if (remembered.size >= rememberedMax) remembered.clear();
  remembered.set(spelled, name);
  return name;
}
