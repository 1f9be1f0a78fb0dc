/** A broker that grants what it was told to: users by SASL/PLAIN, and rules for each. */

import kafkajs from "kafkajs";
import { startBroker, type TestBroker } from "./kafka-broker.ts";

/** A rule for one user; a name that ends with `*` is a prefix. */
export interface Grant {
  readonly user: string;
  readonly resource: "topic" | "group" | "transactional-id" | "cluster";
  readonly name: string;
  readonly operations: readonly ("Read" | "Write" | "Create" | "Describe" | "DescribeConfigs")[];
}

export interface GrantingBroker {
  readonly broker: TestBroker;
  /** Asks for a user, whose password is the name. */
  readonly sasl: string;
  grant(grants: readonly Grant[]): Promise<void>;
  stop(): Promise<void>;
}

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
const resources = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  cluster: AclResourceTypes.CLUSTER,
  "transactional-id": AclResourceTypes.TRANSACTIONAL_ID,
};
const operationsOf = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Create: AclOperationTypes.CREATE,
  Describe: AclOperationTypes.DESCRIBE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
};

/** Whoever comes without a name, over the plain listener, may do everything. */
export async function startGrantingBroker(users: readonly string[]): Promise<GrantingBroker> {
  const known = users.map((user) => `user_${user}="${user}"`).join(" ");
  const broker = await startBroker({
    listeners: ["SASL_PLAINTEXT"],
    properties: {
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
      "sasl.enabled.mechanisms": "PLAIN",
      "listener.name.sasl_plaintext.plain.sasl.jaas.config": `org.apache.kafka.common.security.plain.PlainLoginModule required ${known};`,
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS",
    },
  });
  const admin = new kafkajs.Kafka({ brokers: [broker.address], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  return {
    broker,
    sasl: broker.listeners[0] ?? "",
    async grant(grants) {
      const acl = grants.flatMap(({ user, resource, name, operations }) =>
        operations.map((operation) => ({
          principal: `User:${user}`,
          host: "*",
          permissionType: AclPermissionTypes.ALLOW,
          resourceType: resources[resource],
          resourceName: name.replace(/\*$/, ""),
          resourcePatternType: name.endsWith("*") ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
          operation: operationsOf[operation],
        })),
      );
      await admin.createAcls({ acl });
    },
    async stop() {
      await admin.disconnect();
      await broker.stop();
    },
  };
}
