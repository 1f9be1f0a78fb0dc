/** Names the SQL gate lets through or refuses. The engine's own lists are compared with these in the gate's tests. */

/** Tables of `system` that say nothing about other people or their queries. */
export const systemTables: ReadonlySet<string> = new Set([
  "aggregate_function_combinators",
  "collations",
  "columns",
  "data_skipping_indices",
  "data_type_families",
  "databases",
  "formats",
  "functions",
  "keywords",
  "merge_tree_settings",
  "numbers",
  "numbers_mt",
  "one",
  "parts",
  "parts_columns",
  "settings",
  "table_engines",
  "table_functions",
  "tables",
  "time_zones",
  "zeros",
  "zeros_mt",
]);

/** Databases with the standard's views of tables and columns, in both spellings the engine has. */
export const schemaDatabases: ReadonlySet<string> = new Set(["information_schema", "INFORMATION_SCHEMA"]);

/** Table functions that only make rows. */
export const tableFunctions: ReadonlySet<string> = new Set([
  "generate_series",
  "generateseries",
  "null",
  "numbers",
  "numbers_mt",
  "primes",
  "sqlstandardvalues",
  "values",
  "zeros",
  "zeros_mt",
]);

/**
 * Table functions of the engine that are refused by name wherever one is called. `format`, `file`, `input` and others
 * of one name with a function are found by the engine's parser instead.
 */
const refusedTableFunctions: ReadonlySet<string> = new Set(
  `arrowstream azureblobstorage cluster clusterallreplicas cosn deltalake dictionary eval executable file filecluster
  filesystem fuzzjson fuzzquery gcs generaterandom hdfs hdfscluster hudi hudicluster iceberg input jdbc kafka loop merge
  mergetreeanalyzeindexes mergetreeanalyzeindexesuuid mergetreeindex mergetreeprojection mergetreetextindex mongodb mysql
  nats odbc oss paimon postgresql prometheusquery prometheusqueryrange python redis remote remotesecure s3 s3cluster
  s3queue sqlite timeseriesdata timeseriesmetrics timeseriessamples timeseriesselector timeseriestags url urlcluster
  view viewexplain viewifpermitted ytsaurus`.split(/\s+/),
);

/** Families of table functions that grow with each release: `icebergS3Cluster`, `deltaLakeAzure` ... */
const refusedTableFunctionFamilies = /^(?:azureblobstorage|deltalake|hdfs|hudi|iceberg(?!bucket|hash|truncate)|paimon)/;

/** Functions that read files, ask other machines, wait, or look behind the tables. Refused as names anywhere. */
const refusedFunctions: ReadonlySet<string> = new Set(
  `addresstoline addresstolinewithinlines addresstosymbol catboostevaluate evalmlmethod file filesystemavailable
  filesystemcapacity filesystemunreserved generateserialid getclienthttpheader getmacro getserverport getserversetting
  getoskernelversion hascolumnintable joinget joingetornull logtrace modelevaluate serveruuid showcertificate sleep
  sleepeachrow tcpport tid`.split(/\s+/),
);

/** `ai...` functions call a model, `dict...` and `region...` read configured sources, `__...` are the engine's own. */
const refusedFunctionFamilies =
  /^(?:__|ai(?:classify|embed|extract|generate|translate)|dict(?:get|has|isin)|naivebayesclassifier|region(?:hierarchy|in|to))/;

/** True for a function nobody may call here, by its name in lower case. */
export function isRefusedFunction(name: string): boolean {
  return refusedFunctions.has(name) || refusedFunctionFamilies.test(name);
}

/** True for a table function nobody may call here, by its name in lower case; some are functions as well. */
export function isRefusedTableFunction(name: string): boolean {
  return refusedTableFunctions.has(name) || refusedTableFunctionFamilies.test(name);
}

/** Words that may stand between EXPLAIN and the statement it explains. */
export const explainWords: ReadonlySet<string> = new Set(
  `actions ast column_structure compact description distributed dump_ast dump_passes dump_tree estimate graph header
  indexes input_headers json keep_logical_steps oneline optimize passes pipeline plan pretty projections query
  query_tree_passes run_passes run_query_tree_passes sorting syntax tree`.split(/\s+/),
);

/** What may be shown: the first word after SHOW that is no modifier. */
export const showWords: ReadonlySet<string> = new Set(
  "columns create databases fields functions index indexes indices keys table tables".split(" "),
);
