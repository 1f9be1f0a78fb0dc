/** All formats of recorded traces, in the order in which they are asked whether a header is theirs. */

import { azure } from "./azure.ts";
import { claudeCode } from "./claude-code.ts";
import type { TraceFormat } from "./trace-format.ts";
import { usage } from "./usage.ts";

export const formats: readonly TraceFormat[] = [azure, claudeCode, usage];
