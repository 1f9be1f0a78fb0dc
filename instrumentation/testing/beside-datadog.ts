/** Datadog's tracer in the application. Its agent is a local sink, named by `DD_TRACE_AGENT_URL`. */

import "dd-trace/init.js";
