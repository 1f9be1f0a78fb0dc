/** Sentry in the application. `SENTRY_DSN` names a local sink, `SENTRY_TRACES_SAMPLE_RATE` what it samples. */

import { init } from "@sentry/node";

init();
