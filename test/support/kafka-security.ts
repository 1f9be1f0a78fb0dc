/** A broker that asks who one is: listeners with SASL and TLS, users, and certificates made for the occasion. */

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { runTool, startBroker, type TestBroker } from "./kafka-broker.ts";

const run = promisify(execFile);

export interface SecuredBroker {
  readonly broker: TestBroker;
  /** Asks for user and password. */
  readonly sasl: string;
  /** Asks for user and password, encrypted. */
  readonly saslTls: string;
  /** Asks for a certificate. */
  readonly tls: string;
  /** PEM files of a directory. */
  readonly files: { readonly ca: string; readonly cert: string; readonly key: string; readonly strangeCa: string };
  /** Of the user, as SCRAM-SHA-256 knows it: connections that are open stay open. */
  changePassword(password: string): Promise<void>;
  stop(): Promise<void>;
}

export const securedUser = { username: "alice", password: "s3cret-of-alice" } as const;

/** The user is known by PLAIN and both SCRAMs. */
export async function startSecuredBroker(): Promise<SecuredBroker> {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-certificates-"));
  const file = (name: string) => join(directory, name);
  await authority(file("ca"));
  await authority(file("strange"));
  await certificate(file("broker"), file("ca"));
  await certificate(file("client"), file("ca"));
  writeFileSync(
    file("broker.pem"),
    readFileSync(file("broker.key"), "utf8") + readFileSync(file("broker.crt"), "utf8"),
  );
  const { username, password } = securedUser;
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`;
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  const jaas = ["sasl_plaintext", "sasl_ssl"].flatMap((listener) => [
    [`listener.name.${listener}.plain.sasl.jaas.config`, plain],
    [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`, scram],
    [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`, scram],
  ]);
  const broker = await startBroker({
    listeners: ["SASL_PLAINTEXT", "SASL_SSL", "SSL"],
    properties: {
      "listener.security.protocol.map": ["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "SSL"]
        .map((name) => `${name}:${name}`)
        .concat("CONTROLLER:PLAINTEXT")
        .join(),
      "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
      "ssl.keystore.type": "PEM",
      "ssl.keystore.location": file("broker.pem"),
      "ssl.truststore.type": "PEM",
      "ssl.truststore.location": file("ca.crt"),
      "listener.name.ssl.ssl.client.auth": "required",
      ...Object.fromEntries(jaas),
    },
    formatWords: ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
      "--add-scram",
      `${mechanism}=[name=${username},password=${password}]`,
    ]),
  });
  const [sasl = "", saslTls = "", tls = ""] = broker.listeners;
  return {
    broker,
    sasl,
    saslTls,
    tls,
    files: { ca: file("ca.crt"), cert: file("client.crt"), key: file("client.key"), strangeCa: file("strange.crt") },
    async changePassword(to) {
      const added = `SCRAM-SHA-256=[password=${to}]`;
      const users = ["--entity-type", "users", "--entity-name", username];
      await runTool("kafka.admin.ConfigCommand", [
        "--bootstrap-server",
        broker.address,
        "--alter",
        "--add-config",
        added,
        ...users,
      ]);
    },
    async stop() {
      await broker.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

async function authority(name: string): Promise<void> {
  const of = [
    "-x509",
    "-days",
    "2",
    "-subj",
    `/CN=${name.split("/").at(-1)}`,
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.crt`,
  ];
  await run("openssl", ["req", ...newKey, ...of]);
}

async function certificate(name: string, by: string): Promise<void> {
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const signed = [
    "-x509",
    "-days",
    "2",
    "-CA",
    `${by}.crt`,
    "-CAkey",
    `${by}.key`,
    "-addext",
    "basicConstraints=CA:FALSE",
  ];
  await run("openssl", ["req", ...newKey, ...signed, ...names, "-keyout", `${name}.key`, "-out", `${name}.crt`]);
}
