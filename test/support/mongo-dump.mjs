// Writes every document of a database to standard output, as the server sends it.
import { MongoClient } from 'mongodb';

const client = new MongoClient(process.argv[2]);
const db = client.db();
for (const { name } of await db.listCollections({}, { nameOnly: true }).toArray())
  for await (const bytes of db.collection(name).find({}, { raw: true }))
    process.stdout.write(bytes);
await client.close();
