// How an application uses the types, as CommonJS.
import cutover = require("cutover");
import cli = require("cutover/cli");
import testing = require("cutover/testing");

export const swept: Promise<testing.SweepReport> = testing.sweep({ scenario: "/scenario.js" });
export const ended: Promise<cli.ExitCode> = cli.main(["status", "data.db"]);

export async function start(path: string): Promise<string | null> {
  const result: cutover.MigrateResult = await cutover.migrate({
    path,
    label: "v1-v2",
    detect: async (db) =>
      (await db.all("SELECT 1 FROM sqlite_master")).length > 0 ? "old" : "current",
    make: { from: "empty", run: (job) => void job.warn(job.staging) },
  });
  return result.backup;
}
