// The data of the application: how it builds v2 from v1, and how it reads and writes v2.
import { pathToFileURL } from "node:url";
import { createClient, type Client } from "@libsql/client";
import type { Built, Job } from "cutover";

const SCHEMA = `
  CREATE TABLE schema_info(version TEXT NOT NULL);
  CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT NOT NULL, body TEXT, created_ms INTEGER NOT NULL);
  CREATE TABLE tag(note TEXT NOT NULL REFERENCES note(id), name TEXT NOT NULL, PRIMARY KEY(note, name)) WITHOUT ROWID;
  CREATE INDEX note_created ON note(created_ms);
`;

/** Tells v2 from v1. The build writes it last. */
export const stamp = { table: "schema_info", column: "version", value: "v2" };

export interface Report {
  notes: number;
  tags: number;
}

/**
 * Builds v2 through libSQL. `close()` leaves a leaked connection on staging, as cutover expects.
 */
export async function build(job: Job): Promise<Built<Report>> {
  const v1 = createClient({ url: pathToFileURL(await job.source()).href });
  const v2 = createClient({ url: pathToFileURL(job.staging).href });
  try {
    await v2.executeMultiple(`PRAGMA journal_mode=WAL; ${SCHEMA}`);
    const { rows } = await v1.execute(
      "SELECT id, title, body, tags, created_ms FROM notes ORDER BY created_ms",
    );
    const work = await v2.transaction("write");
    let tags = 0;
    for (const [done, row] of rows.entries()) {
      await work.execute({
        sql: "INSERT INTO note(id, title, body, created_ms) VALUES(?, ?, ?, ?)",
        args: [row.id, row.title, row.body, row.created_ms] as string[],
      });
      for (const name of new Set(String(row.tags).split(",").filter(Boolean))) {
        await work.execute({
          sql: "INSERT INTO tag(note, name) VALUES(?, ?)",
          args: [row.id as string, name],
        });
        tags += 1;
      }
      if (done % 50 === 0) job.progress(done, rows.length);
    }
    await work.execute({ sql: "INSERT INTO schema_info(version) VALUES(?)", args: [stamp.value] });
    await work.commit();
    return { expect: { note: rows.length, tag: tags }, report: { notes: rows.length, tags } };
  } finally {
    v1.close();
    v2.close();
  }
}

/** The live database, which is v2. */
export class Store {
  readonly #db: Client;

  constructor(path: string) {
    this.#db = createClient({ url: pathToFileURL(path).href });
  }

  async open(): Promise<void> {
    await this.#db.executeMultiple(
      `PRAGMA journal_mode=WAL; ${SCHEMA.replaceAll(/CREATE (TABLE|INDEX)/g, "CREATE $1 IF NOT EXISTS")}`,
    );
    await this.#db.execute({
      sql: "INSERT INTO schema_info(version) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM schema_info)",
      args: [stamp.value],
    });
  }

  async all(): Promise<unknown> {
    const { rows } = await this.#db.execute(`
      SELECT id, title, body, created_ms AS createdMs, (SELECT json_group_array(name) FROM tag WHERE note = id) AS tags
      FROM note ORDER BY created_ms, id`);
    return {
      version: stamp.value,
      notes: rows.map((row) => ({ ...row, tags: JSON.parse(String(row.tags)) })),
    };
  }

  async add(id: string, title: string): Promise<void> {
    await this.#db.execute({
      sql: "INSERT INTO note(id, title, body, created_ms) VALUES(?, ?, NULL, 0)",
      args: [id, title],
    });
  }

  close(): void {
    this.#db.close();
  }
}
