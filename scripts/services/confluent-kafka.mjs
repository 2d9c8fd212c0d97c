// What the consumer in Python of examples/revocation-consumer needs: Confluent's Kafka client and a
// validator of JSON Schema, in the versions that its requirements.txt names.
import { readFileSync } from 'node:fs';
import { ensurePython } from './pypi.mjs';

const REQUIREMENTS = '../../examples/revocation-consumer/python/requirements.txt';

/** The folder for PYTHONPATH under which the consumer runs. @throws Error naming the package */
export function ensureConfluentKafka() {
  const text = readFileSync(new URL(REQUIREMENTS, import.meta.url), 'utf8');
  const [client, ...needs] = text.trim().split('\n');
  const [name, version] = client.split('==');
  return ensurePython({ name, version, module: 'confluent_kafka, jsonschema', needs });
}
