/** Where the brokers are and how a process shows who it is, from the configuration. */

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { type Config, ConfigError } from "../config.ts";
import type { KafkaAddress, KafkaSecurity } from "../event-log/kafka-client.ts";

/** @param part of the client's id, which brokers show. @throws ConfigError for keys that do not go together, and files that cannot be read. */
export function kafkaAddressOf(config: Config, part: string): KafkaAddress {
  const security = securityOf(config);
  const address = { brokers: config.kafkaBrokers ?? [], clientId: `${part}-${hostname()}` };
  return security === null ? address : { ...address, security };
}

function securityOf(config: Config): KafkaSecurity | null {
  const { kafkaTls, kafkaTlsCa, kafkaTlsCert, kafkaTlsKey, kafkaSasl, kafkaUser, kafkaPassword } = config;
  const files = [kafkaTlsCa, kafkaTlsCert, kafkaTlsKey].some((file) => file !== null);
  if (files && kafkaTls !== "on")
    throw new ConfigError("kafka.tls_ca, kafka.tls_cert and kafka.tls_key need kafka.tls: on");
  if ((kafkaTlsCert === null) !== (kafkaTlsKey === null))
    throw new ConfigError("kafka.tls_cert and kafka.tls_key: expected both or none");
  if (kafkaSasl === "off" && (kafkaUser !== "" || kafkaPassword !== ""))
    throw new ConfigError("kafka.user and kafka.password need kafka.sasl: plain, scram-sha-256 or scram-sha-512");
  if (kafkaSasl !== "off" && kafkaUser === "") throw new ConfigError(`kafka.sasl: ${kafkaSasl} needs kafka.user`);
  if (kafkaTls === "off" && kafkaSasl === "off") return null;
  const tls = {
    ...(kafkaTlsCa === null ? {} : { ca: pem("kafka.tls_ca", kafkaTlsCa) }),
    ...(kafkaTlsCert === null ? {} : { cert: pem("kafka.tls_cert", kafkaTlsCert) }),
    ...(kafkaTlsKey === null ? {} : { key: pem("kafka.tls_key", kafkaTlsKey) }),
  };
  return {
    tls: kafkaTls === "on" ? tls : null,
    sasl: kafkaSasl === "off" ? null : { mechanism: kafkaSasl, username: kafkaUser, password: kafkaPassword },
  };
}

function pem(path: string, file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`${path}: cannot read ${file}: ${(error as Error).message}`);
  }
  if (text.includes("-----BEGIN ")) return text;
  throw new ConfigError(`${path}: ${file} is no PEM file: expected a line -----BEGIN ...-----`);
}
