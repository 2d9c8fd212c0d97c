// Makes the documents of kafka/, or (check) says which are not what the product is. Never puts a
// schema in place of one whose readers it breaks: that is a new version of the event.
// Of the built product: npm run schemas builds it first.
//   node scripts/schemas.mjs [check] [FOLDER]
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import prettier from 'prettier';
import { kafkaDocuments } from './lib/kafka-documents.mjs';
import { say } from './lib/say.mjs';
import { breaksOf } from './lib/schema-breaks.mjs';
import { root } from './lib/setup.mjs';

const words = process.argv.slice(2);
const checking = words[0] === 'check';
const folder = words[checking ? 1 : 0] ?? join(root, 'kafka');
const json = (path) => JSON.parse(readFileSync(path, 'utf8'));
const schemas = join(folder, 'schemas');

const { topics } = json(join(folder, 'topics.json'));
const made = await kafkaDocuments(topics, json(join(root, 'package.json')).version);

const kept = existsSync(schemas) ? readdirSync(schemas).map((file) => `schemas/${file}`) : [];
/** Of an older version of an event that is still in the catalogue: kept as it was published. */
const isOlder = (path) => {
  const [, type, version] = /^schemas\/(\w+)\.v(\d+)\.json$/.exec(path) ?? [];
  const now = [...made.keys()].find((name) => name.startsWith(`schemas/${type}.v`));
  return now !== undefined && Number(version) < Number(/\.v(\d+)\.json$/.exec(now)[1]);
};
const broken = kept.flatMap((path) => {
  if (made.has(path)) return breaksOf(json(join(folder, path)), made.get(path), path);
  return isOlder(path) ? [] : [`${path}: the catalogue does not have it`];
});

const style = { parser: 'json', printWidth: 100 };
const changed = [];
for (const [path, document] of made) {
  const wanted = await prettier.format(JSON.stringify(document), style);
  const file = join(folder, path);
  if (existsSync(file) && readFileSync(file, 'utf8') === wanted) continue;
  changed.push(`${path}: is not what the product is; npm run schemas makes it`);
  if (checking || broken.length > 0) continue;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, wanted);
}
for (const line of broken) say(`breaks: ${line}`);
if (broken.length > 0) say('raise the schemaVersion of the event instead (libs/domain/catalog.ts)');
for (const line of checking ? changed : []) say(`differs: ${line}`);
process.exitCode = broken.length > 0 || (checking && changed.length > 0) ? 1 : 0;
