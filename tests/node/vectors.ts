// An application with a schema that only libSQL reads: a vector index and a table with random row
// ids. `vectors.js PATH seed|upgrade|verified|count`.
import { pathToFileURL } from "node:url";
import { createClient } from "@libsql/client";
import { CutoverError, migrate, type Job, type Reader } from "cutover";

const [path = "", what] = process.argv.slice(2);
const V1 = `
  PRAGMA journal_mode = WAL;
  CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL, meaning F32_BLOB(3));
  CREATE INDEX word_meaning ON word(libsql_vector_idx(meaning));
  CREATE TABLE visit (word INTEGER) RANDOM ROWID;
  INSERT INTO word (text, meaning) VALUES ('milk', vector('[1,2,3]')), ('bread', vector('[3,2,1]'));
  INSERT INTO visit VALUES (1), (2);
`;

async function build(job: Job) {
  const db = createClient({ url: pathToFileURL(job.staging).href });
  await db.executeMultiple(
    "ALTER TABLE word ADD COLUMN language TEXT; UPDATE word SET language = 'en'; PRAGMA user_version = 2;",
  );
  db.close();
  return { expect: { word: 2, visit: 2 } };
}

async function verify(db: Reader) {
  const [row] = await db.all("SELECT count(*) AS n FROM word WHERE language = 'en'");
  if (Number(row?.n) !== 2) throw new Error("a word has no language");
}

if (what === "seed") {
  const db = createClient({ url: pathToFileURL(path).href });
  await db.executeMultiple(V1);
  // The connection stays open, so that the last rows are in the log.
  process.kill(process.pid, "SIGKILL");
} else if (what === "count") {
  const db = createClient({ url: pathToFileURL(path).href });
  const near = await db.execute(
    "SELECT text FROM vector_top_k('word_meaning', vector('[3,2,2]'), 1) AS k JOIN word ON word.id = k.id",
  );
  const visits = await db.execute("SELECT count(*) AS n FROM visit");
  console.log(JSON.stringify([near.rows[0]?.text, Number(visits.rows[0]?.n)]));
} else {
  try {
    const { outcome, warnings, backup } = await migrate({
      path,
      label: "v1-v2",
      detect: { userVersion: 2 },
      make: { from: "copy", run: build },
      ...(what === "verified" ? { verify } : {}),
    });
    console.log(
      JSON.stringify({ outcome, warnings: warnings.map(({ message }) => message), backup }),
    );
  } catch (error) {
    if (!(error instanceof CutoverError)) throw error;
    console.log(JSON.stringify({ code: error.code, message: error.message }));
  }
}
