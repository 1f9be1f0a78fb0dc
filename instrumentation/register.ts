/** The one import: `import "@burnwatch/instrumentation/register"` first, or `node --import` of it. */

import { start } from "./start.ts";

start();
